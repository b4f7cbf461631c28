-- The statements of the outbox. `pg_snapshot_xmin(pg_current_snapshot())` is the horizon: every transaction below it has
-- ended, so no new row can appear below it. The statements run on the primary, because only the primary has it.

-- name: add
INSERT INTO outbox (size, events) SELECT * FROM unnest($1::integer[], $2::bytea[])

-- name: register
-- The cursor starts at the horizon: events of open transactions are delivered, and at worst a few that were committed
-- just before.
INSERT INTO outbox_consumers (name, xid, number)
SELECT w.name, pg_snapshot_xmin(pg_current_snapshot()), 0 FROM unnest($1::text[]) w(name)
ON CONFLICT DO NOTHING

-- name: restart_cursors
-- A database restored from a dump has the transaction ids of another server. A cursor that is in the future here would skip
-- new events, so it restarts before all rows.
UPDATE outbox_consumers SET xid = '0', number = 0 WHERE xid > pg_snapshot_xmax(pg_current_snapshot())

-- name: renumber_rows
-- Rows with such a transaction id get that of this transaction, and keep the order of their numbers.
UPDATE outbox SET xid = pg_current_xact_id() WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())

-- name: unregister
DELETE FROM outbox_consumers WHERE name <> ALL($1::text[]) RETURNING name

-- name: read
-- One row without events if there are none; no row if the consumer has no cursor.
SELECT o.xid::text::bigint, o.number, o.events
FROM outbox_consumers c LEFT JOIN LATERAL (
  SELECT xid, number, events FROM (
    SELECT
      xid, number, events,
      row_number() OVER so_far AS place, sum(size) OVER so_far AS size, sum(octet_length(events)) OVER so_far AS bytes
    FROM (
      SELECT xid, number, size, events FROM outbox
      WHERE (xid, number) > (c.xid, c.number) AND xid < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY xid, number LIMIT $2
    ) few
    WINDOW so_far AS (ORDER BY xid, number)
  ) counted
  WHERE place = 1 OR (size <= $2 AND bytes <= $3)
) o ON true
WHERE c.name = $1
ORDER BY o.xid, o.number

-- name: advance
UPDATE outbox_consumers SET xid = $2::bigint::text::xid8, number = $3
WHERE name = $1 AND (xid, number) < ($2::bigint::text::xid8, $3::bigint)

-- name: skip
WITH ahead AS (
  SELECT coalesce(sum(o.size), 0)::bigint AS missed
  FROM outbox_consumers c JOIN outbox o ON (o.xid, o.number) > (c.xid, c.number)
  WHERE c.name = $1 AND o.xid < pg_snapshot_xmin(pg_current_snapshot())
)
UPDATE outbox_consumers SET xid = pg_snapshot_xmin(pg_current_snapshot()), number = 0, skipped = skipped + missed
FROM ahead
WHERE name = $1 AND xid < pg_snapshot_xmin(pg_current_snapshot())
RETURNING missed

-- name: trim
-- Without a consumer, no row is needed.
WITH lowest AS (
  SELECT xid, number FROM outbox_consumers
  UNION ALL SELECT pg_snapshot_xmin(pg_current_snapshot()), 0
  ORDER BY xid, number LIMIT 1
), passed AS (
  SELECT o.xid, o.number FROM lowest l CROSS JOIN LATERAL (
    SELECT xid, number FROM outbox WHERE (xid, number) <= (l.xid, l.number) ORDER BY xid, number LIMIT $1
  ) o
)
DELETE FROM outbox o USING passed p WHERE o.xid = p.xid AND o.number = p.number RETURNING 1

-- name: backlogs
SELECT
  c.name, coalesce(sum(o.size), 0)::bigint, coalesce(sum(octet_length(o.events)), 0)::bigint,
  greatest(coalesce(extract(epoch FROM clock_timestamp() - min(o.made_at)), 0), 0)::double precision, c.skipped
FROM outbox_consumers c LEFT JOIN outbox o ON (o.xid, o.number) > (c.xid, c.number)
GROUP BY c.name
