-- Events for consumers, written with their batch; a row holds up to 256 of them, as JSON. Their order is that of
-- (xid, number). Transactions do not commit in the order of their ids, so a reader reads only rows below every open
-- transaction (pg_snapshot_xmin).
CREATE TABLE outbox (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  number bigint GENERATED ALWAYS AS IDENTITY,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  size integer NOT NULL,
  events bytea NOT NULL,
  PRIMARY KEY (xid, number)
);

-- Rows exist for seconds, so compression is not worthwhile. Without it their length is available without reading them.
ALTER TABLE outbox ALTER COLUMN events SET STORAGE EXTERNAL;

-- The consumers. (xid, number) is the last row that a consumer has handled; `skipped` counts the events that it missed.
CREATE TABLE outbox_consumers (
  name text COLLATE "C" PRIMARY KEY,
  xid xid8 NOT NULL,
  number bigint NOT NULL,
  skipped bigint NOT NULL DEFAULT 0
);
