-- The statements of the directory.

-- name: version
SELECT version FROM directory_version

-- name: contents
-- The cached part of the directory at one instant.
SELECT
  (SELECT version FROM directory_version),
  ARRAY(SELECT ROW(number, app, name, time_zone) FROM apps),
  ARRAY(SELECT ROW(number, app, definition) FROM boards),
  ARRAY(SELECT ROW(number, app, action, points, per_day, cooldown_s) FROM actions)

-- name: increment_version
-- The row lock keeps other transactions from changing the directory until this one ends.
UPDATE directory_version SET version = version + 1

-- name: notify
SELECT pg_notify($1, $2)

-- name: add_app
INSERT INTO apps (app, name, time_zone) VALUES ($1, $2, $3) RETURNING number

-- name: update_app
UPDATE apps SET name = $2, time_zone = $3 WHERE number = $1 RETURNING number

-- name: lock_app_boards
SELECT number FROM boards WHERE app = $1 ORDER BY number FOR UPDATE

-- name: delete_app_standings
DELETE FROM standings WHERE tbl IN (SELECT t.number FROM tables t JOIN boards b ON b.number = t.board WHERE b.app = $1)

-- name: delete_app_receipts
DELETE FROM receipts WHERE credential IN (SELECT number FROM credentials WHERE app = $1)

-- name: delete_app_uses
DELETE FROM uses WHERE action IN (SELECT number FROM actions WHERE app = $1)

-- name: delete_app
DELETE FROM apps WHERE number = $1 RETURNING number

-- name: add_board
INSERT INTO boards (app, board, definition) VALUES ($1, $2, $3) RETURNING number

-- name: update_board
UPDATE boards SET definition = $2 WHERE number = $1 RETURNING number

-- name: lock_board
SELECT number FROM boards WHERE number = $1 FOR UPDATE

-- name: delete_board_standings
DELETE FROM standings WHERE tbl IN (SELECT number FROM tables WHERE board = $1)

-- name: delete_board
DELETE FROM boards WHERE number = $1 RETURNING number

-- name: add_action
INSERT INTO actions (app, action, points, per_day, cooldown_s) VALUES ($1, $2, $3, $4, $5) RETURNING number

-- name: update_action
UPDATE actions SET points = $2, per_day = $3, cooldown_s = $4 WHERE number = $1 RETURNING number

-- name: delete_action_uses
DELETE FROM uses WHERE action = $1

-- name: delete_action
DELETE FROM actions WHERE number = $1 RETURNING number

-- name: players_after
SELECT player, coalesce(username, player), avatar_url, email, region
FROM players WHERE app = $1 AND player > $2 ORDER BY player LIMIT $3

-- name: find_players
SELECT player, coalesce(username, player), avatar_url, email, region
FROM players WHERE app = $1 AND player = ANY($2::text[])

-- name: add_player
INSERT INTO players (app, player, username, avatar_url, email, region) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING number

-- name: update_player
UPDATE players SET username = $3, avatar_url = $4, email = $5, region = $6 WHERE app = $1 AND player = $2
RETURNING number

-- name: lock_player
SELECT number FROM players WHERE app = $1 AND player = $2 FOR UPDATE

-- name: tables_of_player
SELECT t.board, t.season, t.region, s.version
FROM boards b JOIN tables t ON t.board = b.number JOIN standings s ON s.tbl = t.number AND s.player = $2
WHERE b.app = $1

-- name: delete_player_standings
DELETE FROM standings
WHERE player = $2 AND tbl IN (SELECT t.number FROM tables t JOIN boards b ON b.number = t.board WHERE b.app = $1)

-- name: delete_player_uses
DELETE FROM uses WHERE player = $2 AND action IN (SELECT number FROM actions WHERE app = $1)

-- name: delete_player_refusals
DELETE FROM refusals WHERE app = $1 AND player = $2

-- name: delete_player
DELETE FROM players WHERE number = $1
