-- The statements of connections and migrations.

-- name: settings
-- The settings of durability. Commits of this session wait for the disk, even if the server's default is not to.
SELECT
  current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS durable,
  current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS room,
  CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END

-- name: lock_migrations
SELECT pg_advisory_lock($1)

-- name: make_migrations
CREATE TABLE IF NOT EXISTS migrations (
  number integer PRIMARY KEY,
  file text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: applied_migrations
SELECT number FROM migrations

-- name: add_migration
INSERT INTO migrations (number, file) VALUES ($1, $2)

-- name: inspection
SELECT
  current_setting('server_version_num')::integer AS version,
  pg_is_in_recovery() AS replica,
  current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS durable,
  current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer AS room,
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::integer AS used,
  to_regclass('migrations') IS NOT NULL AS migrated

-- name: schema
SELECT coalesce(max(number), 0) FROM migrations
