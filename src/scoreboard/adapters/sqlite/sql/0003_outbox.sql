-- Events for consumers, written with their batch; a row holds up to 256 of them, as JSON. Numbers are never reused
-- (AUTOINCREMENT), so a cursor stays valid when all rows are removed. `made_at` is in seconds since 1970.
CREATE TABLE outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  made_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
  size INTEGER NOT NULL,
  events BLOB NOT NULL
) STRICT;

-- The consumers. `number` is the last row that a consumer has handled; `skipped` counts the events that it missed.
CREATE TABLE outbox_consumers (
  name TEXT NOT NULL PRIMARY KEY,
  number INTEGER NOT NULL,
  skipped INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
