-- The statements of retention. Each looks at the rows after a key, removes those that are old, and tells the last key it
-- looked at, how many there were and how many it removed; no row when there are none.

-- name: receipts
WITH step AS MATERIALIZED (
  SELECT credential, key FROM receipts WHERE (credential, key) > ($1, $2) ORDER BY credential, key LIMIT $4
), removed AS (
  DELETE FROM receipts r USING step s
  WHERE r.credential = s.credential AND r.key = s.key AND r.event < $3
    AND NOT EXISTS (SELECT FROM credentials c WHERE c.number = r.credential AND c.name = 'import')
  RETURNING 1
)
SELECT credential, key, (SELECT count(*) FROM step), (SELECT count(*) FROM removed)
FROM step ORDER BY credential DESC, key DESC LIMIT 1

-- name: refusals
WITH step AS MATERIALIZED (
  SELECT event FROM refusals WHERE event > $1 AND event < $2 ORDER BY event LIMIT $3
), removed AS (
  DELETE FROM refusals r USING step s
  WHERE r.event = s.event
    AND NOT EXISTS (SELECT FROM credentials c WHERE c.number = r.credential AND c.name = 'import')
  RETURNING 1
)
SELECT event, (SELECT count(*) FROM step), (SELECT count(*) FROM removed)
FROM step ORDER BY event DESC LIMIT 1

-- name: uses
-- A use bears on its day, and on the cooldown of its action, which may be longer.
WITH step AS MATERIALIZED (
  SELECT action, player, day, ordinal FROM uses WHERE (action, player, day, ordinal) > ($1, $2, $3, $4)
  ORDER BY action, player, day, ordinal LIMIT $6
), removed AS (
  DELETE FROM uses u USING step s
  WHERE u.action = s.action AND u.player = s.player AND u.day = s.day AND u.ordinal = s.ordinal
    AND u.at + coalesce((SELECT a.cooldown_s FROM actions a WHERE a.number = u.action), 0) * 1000000::bigint < $5
  RETURNING 1
)
SELECT action, player, day, ordinal, (SELECT count(*) FROM step), (SELECT count(*) FROM removed)
FROM step ORDER BY action DESC, player DESC, day DESC, ordinal DESC LIMIT 1

-- name: facts
-- Some of the facts whose bucket is over: how many were removed.
WITH step AS MATERIALIZED (
  SELECT bucket, player, rule, key FROM facts WHERE bucket > 0 AND bucket <= $1 ORDER BY bucket, player LIMIT $2
), removed AS (
  DELETE FROM facts f USING step s
  WHERE f.bucket = s.bucket AND f.player = s.player AND f.rule = s.rule AND f.key = s.key
  RETURNING 1
)
SELECT count(*) FROM removed
