-- The standings from before they were counted: those that are there, but for what was counted since. One statement, so
-- both are of one instant, and nobody waits for it; that is why it is not in the migration before, which holds a lock.
INSERT INTO standing_counts (tbl, standings)
SELECT tbl, sum(standings)::bigint FROM (
  SELECT tbl, count(*) AS standings FROM standings GROUP BY tbl
  UNION ALL
  SELECT tbl, -sum(standings) FROM standing_counts GROUP BY tbl
) counts
GROUP BY tbl HAVING sum(standings) <> 0;
