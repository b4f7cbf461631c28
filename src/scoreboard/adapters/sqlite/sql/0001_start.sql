-- Apps, boards, actions and players are looked up by their ids. Numbers are never reused (AUTOINCREMENT).
CREATE TABLE apps (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  app TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL
) STRICT;

-- `definition` is the JSON of the board's rules; an absent field has its default.
CREATE TABLE boards (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  app INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,
  board TEXT NOT NULL,
  definition TEXT NOT NULL,
  UNIQUE (app, board)
) STRICT;

CREATE TABLE actions (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  app INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,
  action TEXT NOT NULL,
  points INTEGER NOT NULL,
  per_day INTEGER,
  cooldown_s INTEGER NOT NULL,
  UNIQUE (app, action)
) STRICT;

-- `username` is null for a player without one; the id is shown instead.
CREATE TABLE players (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  app INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,
  player TEXT NOT NULL,
  username TEXT,
  avatar_url TEXT,
  email TEXT,
  region TEXT,
  UNIQUE (app, player)
) STRICT;

-- Ranked tables: a board, a season and a region ('' for the world).
CREATE TABLE tables (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  board INTEGER NOT NULL REFERENCES boards ON DELETE CASCADE,
  season TEXT NOT NULL,
  region TEXT NOT NULL,
  UNIQUE (board, season, region)
) STRICT;

-- The totals. `reached_at` is in microseconds since 1970; `event` is the submission that gave the score.
CREATE TABLE standings (
  tbl INTEGER NOT NULL,
  player INTEGER NOT NULL,
  score INTEGER NOT NULL,
  reached_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  event BLOB NOT NULL,
  PRIMARY KEY (tbl, player)
) STRICT, WITHOUT ROWID;

-- The source of truth: every applied submission, in the order of its event id, which contains `accepted_at`. Rows are
-- never updated.
CREATE TABLE ledger (
  event BLOB NOT NULL PRIMARY KEY,
  tbl INTEGER NOT NULL,
  region TEXT,
  player INTEGER NOT NULL,
  action INTEGER,
  value INTEGER NOT NULL,
  score INTEGER NOT NULL,
  previous_score INTEGER,
  credential INTEGER NOT NULL,
  metadata BLOB
) STRICT, WITHOUT ROWID;

-- The outcomes of submissions that a rule refused inside their transaction.
CREATE TABLE refusals (
  event BLOB NOT NULL PRIMARY KEY,
  app INTEGER NOT NULL,
  board INTEGER NOT NULL,
  season TEXT NOT NULL,
  player TEXT NOT NULL,
  value INTEGER NOT NULL,
  credential INTEGER NOT NULL,
  code TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credentials (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  app INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,
  name TEXT NOT NULL,
  UNIQUE (app, name)
) STRICT;

-- Idempotency: one row per key, always with the same body and the same outcome.
CREATE TABLE receipts (
  credential INTEGER NOT NULL,
  key TEXT NOT NULL,
  digest BLOB NOT NULL,
  event BLOB NOT NULL,
  PRIMARY KEY (credential, key)
) STRICT, WITHOUT ROWID;

-- The uses of limited actions: unique rows limit how often one counts. `day` is that of Python's date.toordinal.
CREATE TABLE uses (
  action INTEGER NOT NULL,
  player TEXT NOT NULL,
  day INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (action, player, day, ordinal)
) STRICT, WITHOUT ROWID;

-- Projection notes: the standings that a batch changed, until they are ranked. `standings` is JSON: [[table, [players]],
-- ...].
CREATE TABLE notes (
  number INTEGER PRIMARY KEY,
  standings TEXT NOT NULL
) STRICT;
