-- The reads of the ranking, each of one snapshot. `ranking.py` fills in the braces for the rules of a board: keywords of its
-- order, and the fragments at the beginning of this file.
--
-- The index `standings_order` is read forward or backward. Rows of equal score (and instant, if that decides) are sorted
-- when they are returned, and counted in the index as far as possible. A point is the place of a standing, also of a
-- former or a possible one.

-- name: position
-- The position of the snapshot: the number of writing transactions that had ended. It grows with each, in any table, so two
-- snapshots with the same number are equal. The count can repeat only after a crash or a failover, and then the epoch is
-- another, because recovery resets the statistics.
  format(
    'pg-%s-%s',
    to_hex((extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint),
    to_hex((extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()) * 1000000)::bigint)
  ) AS epoch,
  (
    SELECT pg_snapshot_xmax(snapshot)::text::bigint - (SELECT count(*) FROM pg_snapshot_xip(snapshot))
    FROM pg_current_snapshot() AS snapshot
  ) AS changes

-- name: total
  (SELECT coalesce(sum(c.standings), 0)::bigint FROM standing_counts c WHERE c.tbl = (SELECT number FROM tbl))

-- name: table
  tbl AS (SELECT number FROM tables WHERE board = $1 AND season = $2 AND region = $3)

-- name: time_of_point
  (SELECT reached_at FROM point)

-- name: within
-- The number of standings with a point's score that are not behind it.
  (
    SELECT count(*) FROM standings s
    WHERE s.tbl = (SELECT number FROM tbl) AND s.score = (SELECT score FROM point) AND {sooner}
  ) + (
    SELECT count(*) FROM standings s
    WHERE s.tbl = (SELECT number FROM tbl) AND s.score = (SELECT score FROM point) AND {same_time}
      AND s.player_id <= (SELECT player_id FROM point)
  )

-- name: up_to
-- The number of standings that are not behind a point.
  (
    SELECT count(*) FROM standings s
    WHERE s.tbl = (SELECT number FROM tbl) AND s.score {better} (SELECT score FROM point)
  ) + {within}

-- name: nearest
-- The nearest standings on one side of a point, at most {limit}.
  SELECT * FROM (
    (
      SELECT s.score, s.reached_at, s.player_id FROM standings s
      WHERE s.tbl = (SELECT number FROM tbl) AND s.score = (SELECT score FROM point) AND {no_time_before}
        AND NOT ({same_time} AND s.player_id {not_past} (SELECT player_id FROM point))
      ORDER BY {outward} LIMIT {limit}
    ) UNION ALL (
      SELECT s.score, s.reached_at, s.player_id FROM standings s
      WHERE s.tbl = (SELECT number FROM tbl) AND s.score {past} (SELECT score FROM point)
      ORDER BY {outward} LIMIT {limit}
    )
  ) s
  ORDER BY {outward} LIMIT {limit}

-- name: better_of_ordinal
-- The number of standings that are better than the first of a page, if a rank needs it.
  NULL::bigint

-- name: better_of_competition
  (
    SELECT count(*) FROM standings s
    WHERE s.tbl = (SELECT number FROM tbl) AND s.score {better} (SELECT s.score FROM page s ORDER BY {order} LIMIT 1)
  )

-- name: better_of_dense
  (
    SELECT count(DISTINCT s.score) FROM standings s
    WHERE s.tbl = (SELECT number FROM tbl) AND s.score {better} (SELECT s.score FROM page s ORDER BY {order} LIMIT 1)
  )

-- name: current_position
SELECT {position}

-- name: count
WITH {table} SELECT {total} AS total

-- name: best
-- At most $4 standings with all columns.
WITH {table}
SELECT s.player_id, s.score, s.reached_at, s.version, s.event FROM standings s WHERE s.tbl = (SELECT number FROM tbl)
ORDER BY {order} LIMIT $4

-- name: of_players
-- The standings, with all columns, of the players $5 of the app $4.
WITH {table}
SELECT s.player_id, s.score, s.reached_at, s.version, s.event FROM unnest($5::text[]) AS wanted (player)
JOIN players p ON p.app = $4 AND p.player = wanted.player
JOIN standings s ON s.tbl = (SELECT number FROM tbl) AND s.player = p.number

-- name: slice
-- At most $5 standings from the place $4 on.
WITH {table},
page AS (
  SELECT s.score, s.reached_at, s.player_id FROM standings s WHERE s.tbl = (SELECT number FROM tbl)
  ORDER BY {order} OFFSET $4 LIMIT $5
),
head AS (SELECT {position}, {total} AS total, $4::bigint AS place, {better_than_page} AS better)
SELECT head.*, s.score, s.reached_at, s.player_id FROM head LEFT JOIN page s ON true ORDER BY {order}

-- name: slice_after
WITH {table},
point AS (SELECT $4::bigint AS score, $5::bigint AS reached_at, $6::text COLLATE "C" AS player_id),
page AS ({behind}),
head AS (SELECT {position}, {total} AS total, {up_to} AS place, {better_than_page} AS better)
SELECT head.*, s.score, s.reached_at, s.player_id FROM head LEFT JOIN page s ON true ORDER BY {order}

-- name: around
-- The player $5 of the app $4, and at most $6 standings on each side. `place` is that of the player. There is no row
-- without a standing.
WITH {table},
point AS (
  SELECT s.score, s.reached_at, s.player_id FROM players p
  JOIN standings s ON s.tbl = (SELECT number FROM tbl) AND s.player = p.number
  WHERE p.app = $4 AND p.player = $5
),
page AS ((SELECT * FROM point) UNION ALL ({ahead}) UNION ALL ({behind})),
head AS (SELECT {position}, {total} AS total, {up_to} - 1 AS place, {better_than_page} AS better)
SELECT head.*, s.score, s.reached_at, s.player_id FROM head JOIN page s ON true ORDER BY {order}

-- name: ranks
-- The ranks of the players $5 of the app $4. Better standings are counted from one requested score to the next, so that no
-- standing is counted twice.
WITH {table},
asked AS (
  SELECT s.score, s.reached_at, s.player_id FROM unnest($5::text[]) AS wanted (player)
  JOIN players p ON p.app = $4 AND p.player = wanted.player
  JOIN standings s ON s.tbl = (SELECT number FROM tbl) AND s.player = p.number
),
levels AS (
  SELECT score, lag(score) OVER (ORDER BY score {best_first}) AS above FROM (SELECT DISTINCT score FROM asked) scores
),
counted AS (
  SELECT
    levels.score,
    (sum(gap.standings) OVER so_far)::bigint AS better,
    (sum(gap.scores) OVER so_far)::bigint AS better_scores,
    (
      SELECT count(*) FROM standings s WHERE s.tbl = (SELECT number FROM tbl) AND s.score = levels.score
    ) AS same,
    (
      SELECT s.score FROM standings s WHERE s.tbl = (SELECT number FROM tbl) AND s.score {better} levels.score
      ORDER BY s.score {best_last} LIMIT 1
    ) AS next_score
  FROM levels CROSS JOIN LATERAL (
    SELECT count(*) AS standings, {scores} AS scores FROM standings s
    WHERE s.tbl = (SELECT number FROM tbl) AND s.score {better} levels.score
      AND s.score {not_better} coalesce(levels.above, {best})
  ) gap
  WINDOW so_far AS (ORDER BY levels.score {best_first})
)
SELECT counted.*, asked.reached_at, asked.player_id, found.within, {total} AS total
FROM asked JOIN counted USING (score) CROSS JOIN LATERAL (
  WITH point AS (SELECT asked.score, asked.reached_at, asked.player_id) SELECT {within} AS within
) found
