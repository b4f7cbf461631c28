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

-- name: uses_after
-- A use bears on its day, and on the cooldown of its action, which may be longer.
SELECT u.action, u.player, u.day, u.ordinal, u.at + coalesce(a.cooldown_s, 0) * 1000000 < ?5
FROM uses u LEFT JOIN actions a ON a.number = u.action
WHERE (u.action, u.player, u.day, u.ordinal) > (?1, ?2, ?3, ?4)
ORDER BY u.action, u.player, u.day, u.ordinal LIMIT ?6

-- name: remove_from_uses
DELETE FROM uses WHERE action = ?1 AND player = ?2 AND day = ?3 AND ordinal = ?4
  AND at + coalesce((SELECT cooldown_s FROM actions WHERE number = ?1), 0) * 1000000 < ?5
