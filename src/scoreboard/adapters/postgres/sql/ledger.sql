-- The statements of the ledger. Arrays are columns, so that one statement writes or reads all rows.

-- name: lock
-- The locks of a batch. The boards are first, so that they cannot be deleted. The players follow in the order of their
-- ids, existing ones before new ones, so that two batches never wait for each other. A player who is missing from the
-- result was created or deleted by a concurrent transaction.
WITH locked_boards AS (
  SELECT number, app FROM boards WHERE number = ANY($1::bigint[]) ORDER BY number FOR KEY SHARE
), wanted AS MATERIALIZED (
  SELECT w.app, w.player FROM unnest($2::bigint[], $3::text[]) w(app, player) WHERE w.app IN (SELECT app FROM locked_boards)
), locked AS (
  SELECT p.number, p.app, p.player
  FROM wanted w JOIN players p ON p.app = w.app AND p.player = w.player
  ORDER BY p.app, p.player FOR NO KEY UPDATE OF p
), added AS (
  INSERT INTO players (app, player)
  SELECT w.app, w.player FROM wanted w
  WHERE (SELECT count(*) FROM locked) < (SELECT count(*) FROM wanted) -- otherwise no player is looked up twice
    AND NOT EXISTS (SELECT FROM players p WHERE p.app = w.app AND p.player = w.player)
  ORDER BY w.app, w.player COLLATE "C"
  ON CONFLICT DO NOTHING
  RETURNING number, app, player
)
SELECT number, app, NULL AS player, false AS is_new FROM locked_boards
UNION ALL SELECT number, app, player, false FROM locked
UNION ALL SELECT number, app, player, true FROM added

-- name: find_tables
SELECT t.number, t.board, t.season, t.region
FROM unnest($1::bigint[], $2::text[], $3::text[]) w(board, season, region)
JOIN tables t ON t.board = w.board AND t.season = w.season AND t.region = w.region

-- name: find_credentials
SELECT c.number, c.app, c.name
FROM unnest($1::bigint[], $2::text[]) w(app, name) JOIN credentials c ON c.app = w.app AND c.name = w.name

-- name: state
-- The state of a batch, under its locks: standings, receipts, outcomes and facts. The outcomes are those of its events and
-- of the events in the receipts.
WITH receipted AS MATERIALIZED (
  SELECT r.credential, r.key, r.digest, r.event
  FROM unnest($4::bigint[], $5::text[]) w(credential, key)
  JOIN receipts r ON r.credential = w.credential AND r.key = w.key
), asked AS MATERIALIZED (
  SELECT w.event, instant_of(w.event) AS at FROM unnest($3::bytea[]) w(event)
  UNION SELECT r.event, instant_of(r.event) FROM receipted r
)
SELECT
  ARRAY(
    SELECT ROW(s.tbl, s.player, s.score, s.reached_at, s.version, s.event)
    FROM unnest($1::bigint[], $2::bigint[]) w(tbl, player) JOIN standings s ON s.tbl = w.tbl AND s.player = w.player
  ),
  ARRAY(SELECT ROW(credential, key, digest, event) FROM receipted),
  ARRAY(
    SELECT ROW(l.event, t.board, p.player, t.season, l.score, l.previous_score)
    FROM asked a JOIN ledger l ON l.event = a.event AND l.accepted_at = a.at
    JOIN tables t ON t.number = l.tbl JOIN players p ON p.number = l.player
  ),
  ARRAY(
    SELECT ROW(r.event, r.board, r.player, r.season, r.code, r.detail)
    FROM asked a CROSS JOIN LATERAL (SELECT * FROM refusals WHERE event = a.event OFFSET 0) r -- OFFSET 0 forces the index
  ),
  ARRAY(
    SELECT ROW(f.bucket, f.player, f.rule, f.key, f.count, f.sum, f.at)
    FROM unnest($6::bigint[], $7::bigint[], $8::text[], $9::text[]) w(bucket, player, rule, key)
    JOIN facts f ON f.bucket = w.bucket AND f.player = w.player AND f.rule = w.rule AND f.key = w.key
  )

-- name: add_tables
INSERT INTO tables (board, season, region)
SELECT board, season, region FROM unnest($1::bigint[], $2::text[], $3::text[]) w(board, season, region)
ORDER BY board, season COLLATE "C", region COLLATE "C"
ON CONFLICT DO NOTHING
RETURNING number, board, season, region

-- name: add_credentials
INSERT INTO credentials (app, name)
SELECT app, name FROM unnest($1::bigint[], $2::text[]) w(app, name)
ORDER BY app, name COLLATE "C"
ON CONFLICT DO NOTHING
RETURNING number, app, name

-- name: write
-- Write entries, standings, receipts and the projection note of a batch, and remove acknowledged notes. A note that another
-- transaction is removing is skipped. If that transaction fails, the note is ranked again, and removed later.
WITH entered AS (
  INSERT INTO ledger
    (event, tbl, region, player, action, value, score, previous_score, credential, metadata, accepted_at)
  SELECT * FROM unnest(
    $1::bytea[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bytea[], $11::bigint[]
  )
), stood AS (
  INSERT INTO standings (tbl, player, score, reached_at, version, event, player_id)
  SELECT * FROM unnest(
    $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bytea[], $18::text[]
  )
  ON CONFLICT (tbl, player) DO UPDATE SET
    score = excluded.score, reached_at = excluded.reached_at, version = excluded.version, event = excluded.event
), receipted AS (
  INSERT INTO receipts (credential, key, digest, event)
  SELECT * FROM unnest($19::bigint[], $20::text[], $21::bytea[], $22::bytea[])
), removed AS (
  DELETE FROM notes WHERE number IN (
    SELECT n.number FROM notes n WHERE n.number = ANY($23::bigint[]) FOR UPDATE SKIP LOCKED
  )
)
INSERT INTO notes (tbls, players) SELECT $12, $13 WHERE cardinality($12) > 0 RETURNING number

-- name: add_refusals
INSERT INTO refusals (event, app, board, season, player, value, credential, code, detail)
SELECT * FROM unnest(
  $1::bytea[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[]
)

-- name: put_facts
INSERT INTO facts (bucket, player, rule, key, count, sum, at)
SELECT * FROM unnest(
  $1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[]
)
ON CONFLICT (bucket, player, rule, key) DO UPDATE SET count = excluded.count, sum = excluded.sum, at = excluded.at

-- name: remove_players
-- Remove the players that were created for refused updates.
DELETE FROM players WHERE number = ANY($1::bigint[])

-- name: remove_notes
-- Notes that another transaction is removing are skipped, as in `write`.
DELETE FROM notes WHERE number IN (
  SELECT n.number FROM notes n WHERE n.number = ANY($1::bigint[]) FOR UPDATE SKIP LOCKED
)

-- name: receipts
-- The receipts of some idempotency keys of a credential.
SELECT r.key, r.digest, r.event
FROM credentials c CROSS JOIN unnest($3::text[]) w(key) JOIN receipts r ON r.credential = c.number AND r.key = w.key
WHERE c.app = $1 AND c.name = $2

-- name: outcome
-- The outcome of one submission to an app.
SELECT l.event, t.board, p.player, t.season, l.score, l.previous_score, '' AS code, '' AS detail
FROM ledger l
JOIN tables t ON t.number = l.tbl JOIN boards b ON b.number = t.board AND b.app = $1
JOIN players p ON p.number = l.player
WHERE l.event = $2 AND l.accepted_at = $3
UNION ALL
SELECT r.event, r.board, r.player, r.season, 0, NULL, r.code, r.detail
FROM refusals r JOIN boards b ON b.number = r.board AND b.app = $1
WHERE r.event = $2

-- name: outcomes
-- The outcomes of many submissions to an app.
SELECT l.event, t.board, p.player, t.season, l.score, l.previous_score, '' AS code, '' AS detail
FROM unnest($2::bytea[]) w(event)
JOIN ledger l ON l.event = w.event AND l.accepted_at = instant_of(w.event)
JOIN tables t ON t.number = l.tbl JOIN boards b ON b.number = t.board AND b.app = $1
JOIN players p ON p.number = l.player
UNION ALL
SELECT r.event, r.board, r.player, r.season, 0, NULL, r.code, r.detail
FROM unnest($2::bytea[]) w(event)
CROSS JOIN LATERAL (SELECT * FROM refusals WHERE event = w.event OFFSET 0) r -- OFFSET 0 forces the index
JOIN boards b ON b.number = r.board AND b.app = $1

-- name: standing
SELECT s.score, s.reached_at, s.version, s.event
FROM tables t
JOIN players p ON p.app = $4 AND p.player = $5
JOIN standings s ON s.tbl = t.number AND s.player = p.number
WHERE t.board = $1 AND t.season = $2 AND t.region = $3

-- name: standings_after
-- A chunk of a table, in the order of the primary keys of the players.
SELECT s.player_id, s.score, s.reached_at, s.version, s.event, s.player
FROM standings s
WHERE s.tbl = (SELECT number FROM tables WHERE board = $1 AND season = $2 AND region = $3) AND s.player > $4
ORDER BY s.player LIMIT $5

-- name: tables_of_board
SELECT board, season, region FROM tables WHERE board = $1

-- name: open_notes
-- Recent notes are left to the process that wrote them. Notes that are being removed are skipped.
SELECT number FROM notes
WHERE made_at <= clock_timestamp() - make_interval(secs => $1::double precision)
ORDER BY number LIMIT $2 FOR KEY SHARE SKIP LOCKED

-- name: pending_standings
SELECT DISTINCT t.board, t.season, t.region, s.player_id, s.score, s.reached_at, s.version, s.event
FROM notes n CROSS JOIN unnest(n.tbls, n.players) w(tbl, player)
JOIN standings s ON s.tbl = w.tbl AND s.player = w.player
JOIN tables t ON t.number = s.tbl
WHERE n.number = ANY($1::bigint[])

-- name: entries_window
-- The last event of a window of entries of all boards.
SELECT event FROM ledger WHERE event > $1 AND accepted_at >= $2 ORDER BY event LIMIT 1 OFFSET $3

-- name: entries_between
SELECT l.event, t.season, l.region, p.player, l.value, l.score, l.previous_score, c.name, l.metadata
FROM ledger l
JOIN tables t ON t.number = l.tbl AND t.board = $1
JOIN players p ON p.number = l.player
JOIN credentials c ON c.number = l.credential
WHERE l.event > $2 AND l.event <= $3 AND l.accepted_at >= $4 AND l.accepted_at <= $5
ORDER BY l.event LIMIT $6

-- name: latest_event
SELECT greatest(
  (SELECT event FROM ledger ORDER BY event DESC LIMIT 1), (SELECT event FROM refusals ORDER BY event DESC LIMIT 1)
)
