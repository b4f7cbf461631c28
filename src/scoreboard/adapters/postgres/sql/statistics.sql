-- The statements of the planner's statistics, each under its name.

-- name: grown
-- Of the tables that grow, those of which at least half is new since they were last looked at.
SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
WHERE schemaname = ANY(current_schemas(false)) AND (relname IN ('players', 'standings') OR relname LIKE 'ledger\_%')
  AND n_mod_since_analyze >= 1000 AND 2 * n_mod_since_analyze >= n_live_tup
