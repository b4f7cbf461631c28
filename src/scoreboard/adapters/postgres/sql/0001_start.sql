-- Apps, boards, actions, players: what is looked up by id. Their numbers are never used twice: a sequence gives them.
-- Ids are ordered by their bytes, as everywhere.
CREATE TABLE apps (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app text COLLATE "C" NOT NULL UNIQUE,
  name text NOT NULL,
  time_zone text NOT NULL
);

-- `definition` is the JSON of all that an update never changes; a field that is absent has its default.
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

-- `username` is null for a player who was never given one: the id stands in. The row is the lock on all that the player
-- has: whoever changes a standing holds it.
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

-- What is ranked: a board, a season, a region ('' for the world).
CREATE TABLE tables (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  board bigint NOT NULL REFERENCES boards ON DELETE CASCADE,
  season text COLLATE "C" NOT NULL,
  region text COLLATE "C" NOT NULL,
  UNIQUE (board, season, region)
);

-- The totals. `reached_at` in microseconds since 1970; `event` is the submission that gave the score. `player_id` repeats
-- players.player: the last of the order is decided without looking there. No foreign keys: they would cost each update
-- two more locks, and what a deletion takes with it is written out.
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

-- Top and rank, in either direction and for every tie policy: rows of equal score and instant are few, or are sorted.
CREATE INDEX standings_order ON standings (tbl, score, reached_at);

-- The truth: every applied submission, in the order of its event id, which holds `accepted_at` (microseconds since 1970).
-- Never updated. A partition a month, made ahead; what comes when there is none goes to ledger_default.
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

-- A player's history, for statements that say `player > 0`. For others it is not there: while a partition is
-- empty its indexes seem equally good, and a plan made then would look an event up by reading all of this one.
CREATE INDEX ledger_player ON ledger (player, accepted_at) WHERE player > 0;

CREATE TABLE ledger_default PARTITION OF ledger DEFAULT;

-- The partition of one month, and in it what the default has of that month; false when it is there already. Whoever looks at
-- the ledger meanwhile waits, and at all of it: who had looked up its partitions before and waited for the default alone would
-- miss what was moved.
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

-- The instant that an event id holds, in microseconds since 1970.
CREATE FUNCTION instant_of(event bytea) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT ('x' || encode(substr(event, 1, 6), 'hex'))::bit(48)::bigint * 1000
    + (('x' || encode(substr(event, 7, 2), 'hex'))::bit(16)::integer & 4095)
$$;

-- Submissions that a rule refused inside their transaction: their one outcome.
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

-- For a player who is deleted.
CREATE INDEX refusals_player ON refusals (app, player);

CREATE TABLE credentials (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  app bigint NOT NULL REFERENCES apps ON DELETE CASCADE,
  name text COLLATE "C" NOT NULL,
  UNIQUE (app, name)
);

-- Idempotency: one row a key, for ever the same body and the same outcome.
CREATE TABLE receipts (
  credential bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  digest bytea NOT NULL,
  event bytea NOT NULL,
  PRIMARY KEY (credential, key)
);

-- The uses of limited actions: the unique row decides how often one counts. `day` as in Python's date.toordinal.
CREATE TABLE uses (
  action bigint NOT NULL,
  player text COLLATE "C" NOT NULL,
  day integer NOT NULL,
  ordinal integer NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (action, player, day, ordinal)
);

-- Projection notes: what a batch changed, until it is ranked: tables and players, side by side. `made_at` by the server's
-- clock.
CREATE TABLE notes (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  tbls bigint[] NOT NULL,
  players bigint[] NOT NULL
);

-- Grows with every change to apps, boards and actions: who keeps them in memory sees that they are old.
CREATE TABLE directory_version (
  version bigint NOT NULL
);

INSERT INTO directory_version (version) VALUES (0);
