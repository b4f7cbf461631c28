-- The statements of the outbox. One process writes, so rows are committed in the order of their numbers.

-- name: add
INSERT INTO outbox (size, events) VALUES (?, ?)

-- name: register
INSERT OR IGNORE INTO outbox_consumers (name, number)
SELECT value, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0) FROM json_each(?1)

-- name: unregister
DELETE FROM outbox_consumers WHERE name NOT IN (SELECT value FROM json_each(?1)) RETURNING name

-- name: cursor
SELECT number FROM outbox_consumers WHERE name = ?1

-- name: read
SELECT number, size, events FROM outbox WHERE number > ?1 ORDER BY number

-- name: advance
UPDATE outbox_consumers SET number = ?2 WHERE name = ?1 AND number < ?2

-- name: missed
SELECT coalesce(sum(o.size), 0) FROM outbox_consumers c CROSS JOIN outbox o ON o.number > c.number WHERE c.name = ?1

-- name: skip
UPDATE outbox_consumers
SET number = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'outbox'), 0), skipped = skipped + ?2
WHERE name = ?1

-- name: trim
-- Without a consumer, no row is needed.
DELETE FROM outbox WHERE number IN (
  SELECT number FROM outbox
  WHERE number <= coalesce((SELECT min(number) FROM outbox_consumers), 9223372036854775807)
  ORDER BY number LIMIT ?1
)

-- name: backlogs
SELECT
  c.name, coalesce(sum(o.size), 0), coalesce(sum(length(o.events)), 0),
  coalesce(max(0, CAST(strftime('%s', 'now') AS INTEGER) - min(o.made_at)), 0), c.skipped
FROM outbox_consumers c LEFT JOIN outbox o ON o.number > c.number
GROUP BY c.name
