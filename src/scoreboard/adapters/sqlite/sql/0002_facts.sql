-- Facts are counters about a player, which rules read and write. `bucket` is the hour since 1970 at which all its facts
-- have expired (0: never), so that old facts are a range of the key. `at` is in microseconds since 1970.
CREATE TABLE facts (
  bucket INTEGER NOT NULL,
  player INTEGER NOT NULL,
  rule TEXT NOT NULL,
  key TEXT NOT NULL,
  count INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (bucket, player, rule, key)
) STRICT, WITHOUT ROWID;

-- The uses of actions become facts of the rules that count them. 719163 is 1970-01-01 in `uses.day`. A day is kept until
-- it has ended in every time zone. The last use is kept for 8784 hours, the longest possible cooldown.
INSERT INTO facts (bucket, player, rule, key, count, sum, at)
SELECT (u.day - 719163 + 2) * 24, p.number, 'action_per_day', u.action || '/' || u.day, count(*), 0, max(u.at)
FROM uses u JOIN actions a ON a.number = u.action JOIN players p ON p.app = a.app AND p.player = u.player
GROUP BY u.action, u.day, p.number;

INSERT INTO facts (bucket, player, rule, key, count, sum, at)
SELECT ((max(u.at) + 8784 * 3600000000) / (8784 * 3600000000) + 1) * 8784, p.number, 'action_cooldown',
  CAST(u.action AS TEXT), count(*), 0, max(u.at)
FROM uses u JOIN actions a ON a.number = u.action JOIN players p ON p.app = a.app AND p.player = u.player
GROUP BY u.action, p.number;

DROP TABLE uses;
