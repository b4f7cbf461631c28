-- The number of standings of each table: the sum of its rows here. Every statement that adds or removes standings adds a row,
-- so that no two wait for each other. A job folds the rows into one. A trigger adds them, so that writes of older versions
-- are counted too.
CREATE TABLE standing_counts (
  tbl bigint NOT NULL,
  standings bigint NOT NULL
);

CREATE INDEX standing_counts_tbl ON standing_counts (tbl) INCLUDE (standings);

CREATE FUNCTION count_standings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO standing_counts (tbl, standings) SELECT tbl, count(*) FROM added GROUP BY tbl;
  ELSE
    INSERT INTO standing_counts (tbl, standings) SELECT tbl, -count(*) FROM removed GROUP BY tbl;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER standings_added AFTER INSERT ON standings
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_standings();

CREATE TRIGGER standings_removed AFTER DELETE ON standings
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_standings();
