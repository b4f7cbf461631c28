-- Count the standings that existed before counting began: the present ones, minus those counted since. One statement reads
-- both at one instant, and no update waits for it. The previous migration holds a lock, so it could not do this.
INSERT INTO standing_counts (tbl, standings)
SELECT tbl, sum(standings)::bigint FROM (
  SELECT tbl, count(*) AS standings FROM standings GROUP BY tbl
  UNION ALL
  SELECT tbl, -sum(standings) FROM standing_counts GROUP BY tbl
) counts
GROUP BY tbl HAVING sum(standings) <> 0;
