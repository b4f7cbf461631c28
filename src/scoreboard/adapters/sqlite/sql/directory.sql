-- The statements of the directory.

-- name: all_apps
SELECT number, app, name, time_zone FROM apps

-- name: all_boards
SELECT number, app, definition FROM boards

-- name: all_actions
SELECT number, app, action, points, per_day, cooldown_s FROM actions

-- name: add_app
INSERT INTO apps (app, name, time_zone) VALUES (?1, ?2, ?3) RETURNING number

-- name: update_app
UPDATE apps SET name = ?2, time_zone = ?3 WHERE number = ?1 RETURNING number

-- name: delete_app_standings
DELETE FROM standings WHERE tbl IN (SELECT t.number FROM tables t JOIN boards b ON b.number = t.board WHERE b.app = ?1)

-- name: delete_app_receipts
DELETE FROM receipts WHERE credential IN (SELECT number FROM credentials WHERE app = ?1)

-- name: delete_app
DELETE FROM apps WHERE number = ?1 RETURNING number

-- name: add_board
INSERT INTO boards (app, board, definition) VALUES (?1, ?2, ?3) RETURNING number

-- name: update_board
UPDATE boards SET definition = ?2 WHERE number = ?1 RETURNING number

-- name: delete_board_standings
DELETE FROM standings WHERE tbl IN (SELECT number FROM tables WHERE board = ?1)

-- name: delete_board
DELETE FROM boards WHERE number = ?1 RETURNING number

-- name: add_action
INSERT INTO actions (app, action, points, per_day, cooldown_s) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING number

-- name: update_action
UPDATE actions SET points = ?2, per_day = ?3, cooldown_s = ?4 WHERE number = ?1 RETURNING number

-- name: delete_action
DELETE FROM actions WHERE number = ?1 RETURNING number

-- name: players_after
SELECT player, coalesce(username, player), avatar_url, email, region
FROM players WHERE app = ?1 AND player > ?2 ORDER BY player LIMIT ?3

-- name: find_players
SELECT p.player, coalesce(p.username, p.player), p.avatar_url, p.email, p.region
FROM json_each(?1) j CROSS JOIN players p ON p.app = ?2 AND p.player = j.value

-- name: find_player
SELECT player, coalesce(username, player), avatar_url, email, region FROM players WHERE app = ?2 AND player = ?1

-- name: add_player
INSERT INTO players (app, player, username, avatar_url, email, region) VALUES (?1, ?2, ?3, ?4, ?5, ?6)

-- name: update_player
UPDATE players SET username = ?3, avatar_url = ?4, email = ?5, region = ?6 WHERE app = ?1 AND player = ?2

-- name: tables_of_player
SELECT t.board, t.season, t.region, s.version
FROM tables t JOIN boards b ON b.number = t.board AND b.app = ?1
JOIN standings s ON s.tbl = t.number AND s.player = (SELECT number FROM players WHERE app = ?1 AND player = ?2)

-- name: delete_player_standings
DELETE FROM standings
WHERE player = (SELECT number FROM players WHERE app = ?1 AND player = ?2)
  AND tbl IN (SELECT t.number FROM tables t JOIN boards b ON b.number = t.board WHERE b.app = ?1)

-- name: delete_player_refusals
DELETE FROM refusals WHERE app = ?1 AND player = ?2

-- name: delete_player
DELETE FROM players WHERE app = ?1 AND player = ?2
