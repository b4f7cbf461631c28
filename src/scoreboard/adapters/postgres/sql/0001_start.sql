-- Apps, boards, actions and players are looked up by their ids. Numbers come from a sequence and are never reused. Ids are
-- ordered by their bytes.
CREATE TABLE apps (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app text COLLATE "C" NOT NULL UNIQUE,
  name text NOT NULL,
  time_zone text NOT NULL
);

-- `definition` is the JSON of the board's rules; an absent field has its default.
CREATE TABLE boards (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
  board text COLLATE "C" NOT NULL,
  definition text NOT NULL,
  UNIQUE (app, board)
);

CREATE TABLE actions (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
  action text COLLATE "C" NOT NULL,
  points bigint NOT NULL,
  per_day integer,
  cooldown_s integer NOT NULL,
  UNIQUE (app, action)
);

-- `username` is null for a player without one; the id is shown instead. The row is the lock on the player's standings:
-- every transaction that changes one holds it.
CREATE TABLE players (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
  player text COLLATE "C" NOT NULL,
  username text,
  avatar_url text,
  email text,
  region text,
  UNIQUE (app, player)
);

-- Ranked tables: a board, a season and a region ('' for the world).
CREATE TABLE tables (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  board bigint NOT NULL REFERENCES boards ON DELETE CASCADE,
  season text COLLATE "C" NOT NULL,
  region text COLLATE "C" NOT NULL,
  UNIQUE (board, season, region)
);

-- The totals. `reached_at` is in microseconds since 1970; `event` is the submission that gave the score. `player_id` repeats
-- players.player, so that the order needs no lookup there. Foreign keys would cost each update two more locks, so
-- deletions name the dependent tables instead.
CREATE TABLE standings (
  tbl bigint NOT NULL,
  player bigint NOT NULL,
  score bigint NOT NULL,
  reached_at bigint NOT NULL,
  version bigint NOT NULL,
  event bytea NOT NULL,
  player_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tbl, player)
);

-- For top and rank, in either direction and for every tie policy. Rows of equal score and instant are few, or are sorted.
CREATE INDEX standings_order ON standings (tbl, score, reached_at);

-- The source of truth: every applied submission, in the order of its event id, which contains `accepted_at` (microseconds
-- since 1970). Rows are never updated. Each month has a partition, created ahead; other rows go to ledger_default.
CREATE TABLE ledger (
  accepted_at bigint NOT NULL,
  tbl bigint NOT NULL,
  player bigint NOT NULL,
  value bigint NOT NULL,
  score bigint NOT NULL,
  previous_score bigint,
  credential bigint NOT NULL,
  action bigint,
  event bytea NOT NULL,
  region text,
  metadata bytea,
  PRIMARY KEY (event, accepted_at)
) PARTITION BY RANGE (accepted_at);

-- A player's history, for statements that contain `player > 0`. Other statements must not use it. The indexes of an empty
-- partition look equally good, so a plan made then could find an event by reading this whole index.
CREATE INDEX ledger_player ON ledger (player, accepted_at) WHERE player > 0;

CREATE TABLE ledger_default PARTITION OF ledger DEFAULT;

-- Create the partition of one month, and move the rows of that month from the default partition; false if it exists. Every
-- statement on the ledger waits for the end, not only those on the default partition. A statement that had already looked up
-- the partitions would miss the moved rows.
CREATE FUNCTION make_ledger_partition(name text, first bigint, beyond bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('make_ledger_partition'));
  IF to_regclass(quote_ident(name)) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE %I (LIKE ledger INCLUDING ALL)', name);
  EXECUTE format(
    'WITH moved AS (DELETE FROM ledger_default WHERE accepted_at >= %s AND accepted_at < %s RETURNING *) '
    'INSERT INTO %I SELECT * FROM moved', first, beyond, name
  );
  EXECUTE format('ALTER TABLE ledger ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, first, beyond);
  RETURN true;
END
$$;

-- The instant in an event id, in microseconds since 1970.
CREATE FUNCTION instant_of(event bytea) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT ('x' || encode(substr(event, 1, 6), 'hex'))::bit(48)::bigint * 1000
    + (('x' || encode(substr(event, 7, 2), 'hex'))::bit(16)::integer & 4095)
$$;

-- The outcomes of submissions that a rule refused inside their transaction.
CREATE TABLE refusals (
  event bytea PRIMARY KEY,
  app bigint NOT NULL,
  board bigint NOT NULL,
  season text NOT NULL,
  player text COLLATE "C" NOT NULL,
  value bigint NOT NULL,
  credential bigint NOT NULL,
  code text NOT NULL,
  detail text NOT NULL
);

-- For the deletion of a player.
CREATE INDEX refusals_player ON refusals (app, player);

CREATE TABLE credentials (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL,
  UNIQUE (app, name)
);

-- Idempotency: one row per key, always with the same body and the same outcome.
CREATE TABLE receipts (
  credential bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  digest bytea NOT NULL,
  event bytea NOT NULL,
  PRIMARY KEY (credential, key)
);

-- The uses of limited actions: unique rows limit how often one counts. `day` is that of Python's date.toordinal.
CREATE TABLE uses (
  action bigint NOT NULL,
  player text COLLATE "C" NOT NULL,
  day integer NOT NULL,
  ordinal integer NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (action, player, day, ordinal)
);

-- Projection notes: the tables and players that a batch changed, in parallel arrays, until they are ranked. `made_at` is by
-- the clock of the server.
CREATE TABLE notes (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  tbls bigint[] NOT NULL,
  players bigint[] NOT NULL
);

-- The version grows with every change to apps, boards and actions, so that processes can detect an outdated cache.
CREATE TABLE directory_version (
  version bigint NOT NULL
);

INSERT INTO directory_version (version) VALUES (0);
