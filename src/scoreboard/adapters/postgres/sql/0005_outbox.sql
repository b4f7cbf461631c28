-- Events for consumers outside, written with their batch: a row holds up to 256 of them, as JSON. Their order is that of
-- (xid, number). Transactions commit in another order than their ids, so a reader looks only at rows below every
-- transaction that is still open (pg_snapshot_xmin).
CREATE TABLE outbox (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  number bigint GENERATED ALWAYS AS IDENTITY,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  size integer NOT NULL,
  events bytea NOT NULL,
  PRIMARY KEY (xid, number)
);

-- A row lives for seconds, too short to be worth compressing. Its length is known without reading it.
ALTER TABLE outbox ALTER COLUMN events SET STORAGE EXTERNAL;

-- The consumers: (xid, number) is the last row that one has handled, `skipped` counts the events that it missed.
CREATE TABLE outbox_consumers (
  name text COLLATE "C" PRIMARY KEY,
  xid xid8 NOT NULL,
  number bigint NOT NULL,
  skipped bigint NOT NULL DEFAULT 0
);
