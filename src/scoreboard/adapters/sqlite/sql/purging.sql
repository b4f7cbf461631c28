-- The statements of retention: the rows after a key, each with whether it is old, and the removal of one that still is.

-- name: receipts_after
SELECT credential, key, event < ?3 AND credential NOT IN (SELECT number FROM credentials WHERE name = 'import')
FROM receipts WHERE (credential, key) > (?1, ?2)
ORDER BY credential, key LIMIT ?4

-- name: remove_from_receipts
DELETE FROM receipts WHERE credential = ?1 AND key = ?2 AND event < ?3

-- name: refusals_after
SELECT event, credential NOT IN (SELECT number FROM credentials WHERE name = 'import')
FROM refusals WHERE event > ?1 AND event < ?2 ORDER BY event LIMIT ?3

-- name: remove_from_refusals
DELETE FROM refusals WHERE event = ?1 AND event < ?2

-- name: remove_facts
-- Some of the facts whose bucket is over.
DELETE FROM facts WHERE (bucket, player, rule, key) IN (
  SELECT bucket, player, rule, key FROM facts WHERE bucket > 0 AND bucket <= ?1 ORDER BY bucket, player LIMIT ?2
)
