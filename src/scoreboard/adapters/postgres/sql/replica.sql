-- The statements of a replica.

-- name: committed
-- On the primary: the id of the server, its timeline, and the end of the log on disk. Every acknowledged commit is before
-- that end.
SELECT
  (SELECT system_identifier FROM pg_control_system()) AS server,
  ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer AS timeline,
  pg_current_wal_flush_lsn()::text AS flushed

-- name: status
-- On the replica: whether it follows that server ($1) on its timeline ($2), and has replayed its log up to $3. The last
-- column is its delay in seconds, which is meaningful only if it has not.
SELECT
  pg_is_in_recovery() AS follows,
  (SELECT system_identifier FROM pg_control_system()) = $1::bigint AS same_server,
  (SELECT timeline_id FROM pg_control_checkpoint()) = $2::integer AS same_timeline,
  pg_last_wal_replay_lsn() >= $3::text::pg_lsn AS level,
  extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS behind_s
