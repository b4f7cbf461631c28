-- The statements of maintenance.

-- name: create_partition
SELECT make_ledger_partition($1, $2, $3)

-- name: fold_counts
-- Replace the rows of a table by their sum, or by none where it is 0. Readers see the old rows or the new one.
WITH folded AS (
  DELETE FROM standing_counts
  WHERE tbl IN (SELECT tbl FROM standing_counts GROUP BY tbl HAVING count(*) > 1)
  RETURNING tbl, standings
)
INSERT INTO standing_counts (tbl, standings)
SELECT tbl, sum(standings) FROM folded GROUP BY tbl HAVING sum(standings) <> 0

-- name: grown_tables
-- Growing tables of which at least half is new since their last analysis.
SELECT format('%I.%I', schemaname, relname) FROM pg_stat_user_tables
WHERE schemaname = ANY(current_schemas(false)) AND (relname IN ('players', 'standings') OR relname LIKE 'ledger\_%')
  AND n_mod_since_analyze >= 1000 AND 2 * n_mod_since_analyze >= n_live_tup
