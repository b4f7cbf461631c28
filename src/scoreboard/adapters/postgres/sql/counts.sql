-- The statements of the counts of standings, each under its name.

-- name: fold
-- All rows of a table into one, or none where they come to nothing. Readers see those or this.
WITH folded AS (
  DELETE FROM standing_counts
  WHERE tbl IN (SELECT tbl FROM standing_counts GROUP BY tbl HAVING count(*) > 1)
  RETURNING tbl, standings
)
INSERT INTO standing_counts (tbl, standings)
SELECT tbl, sum(standings) FROM folded GROUP BY tbl HAVING sum(standings) <> 0
