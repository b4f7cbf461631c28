-- The reads of the ranking, each under its name, each of one snapshot. What is in braces is written in for the rules of
-- a board: words of its order, which `ranking.py` lists, and the parts that come first here.
--
-- `standings_order` is read forward or backward. Rows of equal score (and instant, where that decides) are sorted when
-- they are told, and counted in the index as far as it goes. A point is where a standing is, was, or would be.

-- name: position
-- The snapshot's place in the life of the server: how many transactions that wrote were over. It grows by each that
-- ends, in whatever table, so that with the same number nothing is different. The count may repeat only after a crash, or
-- where another server takes over: the epoch names this run of it (statistics are begun anew by recovery).
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
-- How many standings of a point's score are not behind it.
  (
    SELECT count(*) FROM standings s
    WHERE s.tbl = (SELECT number FROM tbl) AND s.score = (SELECT score FROM point) AND {sooner}
  ) + (
    SELECT count(*) FROM standings s
    WHERE s.tbl = (SELECT number FROM tbl) AND s.score = (SELECT score FROM point) AND {same_time}
      AND s.player_id <= (SELECT player_id FROM point)
  )

-- name: up_to
-- How many standings are not behind a point.
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
-- What is better than the first of a page, where a rank needs it.
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

-- name: where
SELECT {position}

-- name: count
WITH {table} SELECT {total} AS total

-- name: best
-- At most $4 standings, whole.
WITH {table}
SELECT s.player_id, s.score, s.reached_at, s.version, s.event FROM standings s WHERE s.tbl = (SELECT number FROM tbl)
ORDER BY {order} LIMIT $4

-- name: of_players
-- The standings, whole, of the players $5 of the app $4.
WITH {table}
SELECT s.player_id, s.score, s.reached_at, s.version, s.event FROM unnest($5::text[]) AS wanted (player)
JOIN players p ON p.app = $4 AND p.player = wanted.player
JOIN standings s ON s.tbl = (SELECT number FROM tbl) AND s.player = p.number

-- name: slice
-- At the places from $4, at most $5.
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
-- The player $5 of the app $4, and at most $6 on each side. `place` is the player's. No row without a standing.
WITH {table},
point AS (
  SELECT s.score, s.reached_at, s.player_id FROM players p
  JOIN standings s ON s.tbl = (SELECT number FROM tbl) AND s.player = p.number
  WHERE p.app = $4 AND p.player = $5
),
page AS ((SELECT * FROM point) UNION ALL ({ahead}) UNION ALL ({behind})),
head AS (SELECT {position}, {total} AS total, {up_to} - 1 AS place, {better_than_page} AS better)
SELECT head.*, s.score, s.reached_at, s.player_id FROM head JOIN page s ON true ORDER BY {order}

-- name: details
-- Of the players $5 of the app $4. What is better than each score that is asked for is counted from one of them to the
-- next, so that however many are asked for, no standing is counted twice.
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
