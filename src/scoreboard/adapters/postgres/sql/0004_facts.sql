-- Facts are counters about a player, which rules read and write. `bucket` is the hour since 1970 at which all its facts
-- have expired (0: never), so that old facts are a range of the key. `at` is in microseconds since 1970.
CREATE TABLE facts (
  bucket bigint NOT NULL,
  player bigint NOT NULL,
  rule text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  sum bigint NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (bucket, player, rule, key)
);

-- The uses of actions become facts of the rules that count them. 719163 is 1970-01-01 in `uses.day`. A day is kept until
-- it has ended in every time zone. The last use is kept for 8784 hours, the longest possible cooldown. A trigger converts
-- the uses that processes of the previous version still write. A later version removes both.
CREATE FUNCTION use_as_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO facts AS f (bucket, player, rule, key, count, sum, at)
  SELECT kept.bucket, p.number, kept.rule, kept.key, 1, 0, NEW.at
  FROM actions a JOIN players p ON p.app = a.app AND p.player = NEW.player
  CROSS JOIN LATERAL (VALUES
    ((NEW.day - 719163 + 2)::bigint * 24, 'action_per_day', NEW.action || '/' || NEW.day),
    (((NEW.at + 8784 * 3600000000) / (8784 * 3600000000) + 1) * 8784, 'action_cooldown', NEW.action::text)
  ) kept (bucket, rule, key)
  WHERE a.number = NEW.action
  ON CONFLICT (bucket, player, rule, key) DO UPDATE SET count = f.count + 1, at = greatest(f.at, excluded.at);
  RETURN NULL;
END
$$;

CREATE TRIGGER use_as_facts AFTER INSERT ON uses FOR EACH ROW EXECUTE FUNCTION use_as_facts();

INSERT INTO facts (bucket, player, rule, key, count, sum, at)
SELECT (u.day - 719163 + 2)::bigint * 24, p.number, 'action_per_day', u.action || '/' || u.day, count(*), 0, max(u.at)
FROM uses u JOIN actions a ON a.number = u.action JOIN players p ON p.app = a.app AND p.player = u.player
GROUP BY u.action, u.day, p.number;

INSERT INTO facts (bucket, player, rule, key, count, sum, at)
SELECT ((max(u.at) + 8784 * 3600000000) / (8784 * 3600000000) + 1) * 8784, p.number, 'action_cooldown', u.action::text,
  count(*), 0, max(u.at)
FROM uses u JOIN actions a ON a.number = u.action JOIN players p ON p.app = a.app AND p.player = u.player
GROUP BY u.action, p.number;
