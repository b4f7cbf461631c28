-- The statements of a replica, each under its name.

-- name: committed
-- On the primary: which server it is, its timeline, and up to where its log is on the disk. Whatever commit was answered
-- is before that.
SELECT
  (SELECT system_identifier FROM pg_control_system()) AS server,
  ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer AS timeline,
  pg_current_wal_flush_lsn()::text AS flushed

-- name: stands
-- On the replica: whether it is one of that server ($1), on its timeline ($2), and has all of its log up to $3; and how
-- many seconds it is behind when it has not.
SELECT
  pg_is_in_recovery() AS follows,
  (SELECT system_identifier FROM pg_control_system()) = $1::bigint AS same_server,
  (SELECT timeline_id FROM pg_control_checkpoint()) = $2::integer AS same_timeline,
  pg_last_wal_replay_lsn() >= $3::text::pg_lsn AS level,
  extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS behind_s
