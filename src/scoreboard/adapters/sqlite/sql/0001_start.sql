-- Apps, boards, actions, players: what is looked up by id. Their numbers are never used twice (AUTOINCREMENT).
CREATE TABLE apps (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  app TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  time_zone TEXT NOT NULL
) STRICT;

-- `definition` is the JSON of all that an update never changes; a field that is absent has its default.
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

-- `username` is null for a player who was never given one: the id stands in.
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

-- What is ranked: a board, a season, a region ('' for the world).
CREATE TABLE tables (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  board INTEGER NOT NULL REFERENCES boards ON DELETE CASCADE,
  season TEXT NOT NULL,
  region TEXT NOT NULL,
  UNIQUE (board, season, region)
) STRICT;

-- The totals. `reached_at` in microseconds since 1970; `event` is the submission that gave the score.
CREATE TABLE standings (
  tbl INTEGER NOT NULL,
  player INTEGER NOT NULL,
  score INTEGER NOT NULL,
  reached_at INTEGER NOT NULL,
  version INTEGER NOT NULL,
  event BLOB NOT NULL,
  PRIMARY KEY (tbl, player)
) STRICT, WITHOUT ROWID;

-- The truth: every applied submission, in the order of its event id, which holds `accepted_at`. Never updated.
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

-- Submissions that a rule refused inside their transaction: their one outcome.
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

-- Idempotency: one row a key, for ever the same body and the same outcome.
CREATE TABLE receipts (
  credential INTEGER NOT NULL,
  key TEXT NOT NULL,
  digest BLOB NOT NULL,
  event BLOB NOT NULL,
  PRIMARY KEY (credential, key)
) STRICT, WITHOUT ROWID;

-- The uses of limited actions: the unique row decides how often one counts. `day` as in Python's date.toordinal.
CREATE TABLE uses (
  action INTEGER NOT NULL,
  player TEXT NOT NULL,
  day INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (action, player, day, ordinal)
) STRICT, WITHOUT ROWID;

-- Projection notes: what a batch changed, until it is ranked. `standings` is JSON: [[table, [players]], ...].
CREATE TABLE notes (
  number INTEGER PRIMARY KEY,
  standings TEXT NOT NULL
) STRICT;
