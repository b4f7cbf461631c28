-- The statements of the ledger.

-- name: batch_standings
-- Players of one app as one row of JSON: their primary keys and standings in one table, null where they have none. The
-- second column states whether the board of the table exists.
SELECT
  json_group_array(json_array(j.value, p.number, s.score, s.reached_at, s.version, hex(s.event))),
  EXISTS (SELECT 1 FROM boards WHERE number = ?4)
FROM json_each(?1) j
LEFT JOIN players p ON p.app = ?2 AND p.player = j.value
LEFT JOIN standings s ON s.tbl = ?3 AND s.player = p.number

-- name: fact
SELECT count, sum, at FROM facts WHERE bucket = ?1 AND player = ?2 AND rule = ?3 AND key = ?4

-- name: receipts
-- The receipts of some idempotency keys of a credential, as one row of JSON.
SELECT json_group_array(json_array(r.key, hex(r.digest), hex(r.event)))
FROM json_each(?1) j CROSS JOIN receipts r ON r.credential = ?2 AND r.key = j.value

-- name: ledger_outcome
SELECT l.tbl, p.player, l.score, l.previous_score
FROM ledger l JOIN players p ON p.number = l.player
WHERE l.event = ?1

-- name: refusal_outcome
SELECT event, board, player, season, code, detail FROM refusals WHERE event = ?1

-- name: owner_of_board
SELECT app FROM boards WHERE number = ?1

-- name: add_player
INSERT INTO players (app, player) VALUES (?1, ?2) RETURNING number

-- name: add_credential
INSERT INTO credentials (app, name) VALUES (?1, ?2) RETURNING number

-- name: add_table
INSERT INTO tables (board, season, region) VALUES (?1, ?2, ?3) RETURNING number

-- name: add_entry
INSERT INTO ledger (event, tbl, region, player, action, value, score, previous_score, credential, metadata)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_refusal
INSERT INTO refusals (event, app, board, season, player, value, credential, code, detail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_standing
INSERT OR REPLACE INTO standings (tbl, player, score, reached_at, version, event) VALUES (?, ?, ?, ?, ?, ?)

-- name: add_receipt
INSERT INTO receipts (credential, key, digest, event) VALUES (?, ?, ?, ?)

-- name: put_fact
INSERT OR REPLACE INTO facts (bucket, player, rule, key, count, sum, at) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: add_note
INSERT INTO notes (standings) VALUES (?1)

-- name: remove_notes
DELETE FROM notes WHERE number IN (SELECT value FROM json_each(?1))

-- name: pending_standings
-- Acknowledged notes, which wait for a batch to remove them, are left out. CROSS JOIN keeps the order of the tables: from
-- the few notes to the standings, never the other way round.
SELECT t.board, t.season, t.region, p.player, s.score, s.reached_at, s.version, s.event
FROM notes n CROSS JOIN json_each(n.standings) w CROSS JOIN json_each(w.value, '$[1]') j
CROSS JOIN standings s ON s.tbl = w.value ->> 0 AND s.player = j.value
CROSS JOIN players p ON p.number = s.player
CROSS JOIN tables t ON t.number = s.tbl
WHERE n.number NOT IN (SELECT value FROM json_each(?1))

-- name: open_notes
SELECT number FROM notes WHERE number NOT IN (SELECT value FROM json_each(?1))

-- name: standing
SELECT s.score, s.reached_at, s.version, s.event
FROM players p JOIN standings s ON s.tbl = ?1 AND s.player = p.number
WHERE p.app = ?2 AND p.player = ?3

-- name: standings_after
-- A chunk of a table, in the order of the primary keys of the players.
SELECT p.player, s.score, s.reached_at, s.version, s.event, s.player
FROM standings s JOIN players p ON p.number = s.player
WHERE s.tbl = ?1 AND s.player > ?2
ORDER BY s.player LIMIT ?3

-- name: entries_after
SELECT l.event, t.season, l.region, p.player, l.value, l.score, l.previous_score, c.name, l.metadata
FROM ledger l
JOIN tables t ON t.number = l.tbl AND t.board = ?1
JOIN players p ON p.number = l.player
JOIN credentials c ON c.number = l.credential
WHERE l.event > ?2
ORDER BY l.event LIMIT ?3

-- name: latest_event
SELECT max(event) FROM (SELECT max(event) AS event FROM ledger UNION ALL SELECT max(event) FROM refusals)

-- name: all_tables
SELECT number, board, season, region FROM tables

-- name: all_credentials
SELECT number, app, name FROM credentials
