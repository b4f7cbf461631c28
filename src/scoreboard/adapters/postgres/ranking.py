"""The ranking in PostgreSQL, counted from the totals."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from scoreboard.adapters.postgres.database import NUL, Reader, Record, statements
from scoreboard.adapters.sql.rows import to_standing
from scoreboard.application.ports.ranking import (
    NotRanked,
    OrderKey,
    PlayerRank,
    Position,
    RankChange,
    RankedEntry,
    Slice,
)
from scoreboard.domain.board import INT64_MAX, INT64_MIN, Board, Numbering, Ties
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

SQL = statements("ranking.sql")

_FRAGMENTS = ("position", "total", "table", "within", "up_to")


class PostgresRanking:
    """An exact ranking without its own data, so it is never warming.

    It is slower than others: a rank costs a count of the better standings in an index. Its positions are valid on the
    primary only, because a replica cannot compare its snapshots.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        """Return the present ranks only: the totals have no previous ones."""
        if not place:
            return {}
        found = await self.get_ranks(key, board, standings)
        return {player: RankChange(rank.entry.rank, None) for player, rank in found.items()}

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        """Do nothing: the ledger has removed the standing from the totals."""

    async def drop(self, board: Board) -> None:
        """Do nothing: the totals are the only data."""

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        rows = await self._rows("slice", board, *key, max(start, 0), max(stop - max(start, 0), 0))
        return _to_slice(board, rows, rows[0]["place"])

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        rows = await self._rows("slice_after", board, *key, *after, limit)
        return _to_slice(board, rows, rows[0]["place"])

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        if NUL in player:
            return None
        width = 2 * radius + 1
        rows = await self._rows("around", board, *key, board.app.pk, player, width - 1)
        if not rows:
            return None
        place, ahead = rows[0]["place"], [row["player_id"] for row in rows].index(player)
        found = _to_slice(board, rows, place - ahead)
        start = max(0, min(place - radius, found.total - width))
        skipped = start - found.start
        return found._replace(start=start, rows=found.rows[skipped : skipped + width])

    async def get_rank(self, key: TableKey, board: Board, player: str) -> PlayerRank | None:
        return (await self.get_ranks(key, board, (player,))).get(player)

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        valid = [player for player in set(players) if NUL not in player]
        rows = await self._rows("ranks", board, *key, board.app.pk, valid)
        return {row["player_id"]: _to_player_rank(board, row) for row in rows}

    async def total(self, key: TableKey, board: Board) -> int:
        (row,) = await self._rows("count", board, *key)
        return int(row["total"])

    async def top(self, key: TableKey, board: Board, most: int) -> Sequence[tuple[str, Standing]]:
        """Return the best standings of a table, best first. Raise Unavailable."""
        rows = await self._reader.fetch(_statement_for(board, "best"), *key, most)
        return [_to_named_standing(row) for row in rows]

    async def standings_of(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, Standing]:
        """Return the standings of those players that have one. Raise Unavailable."""
        rows = await self._reader.fetch(_statement_for(board, "of_players"), *key, board.app.pk, list(players))
        return dict(_to_named_standing(row) for row in rows)

    async def position(self, key: TableKey, board: Board) -> Position:
        """Return the position, which changes with every writing transaction."""
        (row,) = await self._rows("current_position", board)
        return _to_position(row)

    async def _rows(self, statement: str, board: Board, *values: object) -> Sequence[Record]:
        try:
            return await self._reader.fetch(_statement_for(board, statement), *values)
        except Unavailable as error:
            raise NotRanked("unavailable") from error


def _statement_for(board: Board, name: str) -> str:
    return statement(name, board.descending, board.ties, board.numbering)


@lru_cache
def statement(name: str, descending: bool, ties: Ties, numbering: Numbering) -> str:
    """Return a statement of `ranking.sql`, filled in for the rules of a board."""
    parts = {
        "limit": {"slice_after": "$7", "around": "$6"}.get(name, ""),
        "scores": "count(DISTINCT s.score)" if numbering == "dense" else "0",
        **_order(descending, ties),
        **_ties(ties),
    }
    for fragment in _FRAGMENTS:
        parts[fragment] = SQL[fragment].format_map(parts)
    parts["better_than_page"] = SQL[f"better_of_{numbering}"].format_map(parts)
    for side, past, no_time_before, not_past, outward in (
        ("behind", "worse", "not_sooner", "<=", "order"),
        ("ahead", "better", "not_later", ">=", "reverse"),
    ):
        direction = {
            "past": parts[past],
            "no_time_before": parts[no_time_before],
            "not_past": not_past,
            "outward": parts[outward],
        }
        parts[side] = SQL["nearest"].format_map(parts | direction)
    return SQL[name].format_map(parts)


def _order(descending: bool, ties: Ties) -> dict[str, str]:
    up, down = "ASC", "DESC"
    if descending:
        better, worse, best = ">", "<", INT64_MAX
        first, last = down, up
    else:
        better, worse, best = "<", ">", INT64_MIN
        first, last = up, down
    sooner, later = (up, down) if ties == "earliest" else (down, up)
    times = ("", "") if ties == "shared" else (f"s.reached_at {sooner}, ", f"s.reached_at {later}, ")
    return {
        "better": better,
        "worse": worse,
        "not_better": f"{worse}=",
        "best": f"'{best}'::bigint",
        "best_first": first,
        "best_last": last,
        "order": f"s.score {first}, {times[0]}s.player_id {up}",
        "reverse": f"s.score {last}, {times[1]}s.player_id {down}",
    }


def _ties(ties: Ties) -> dict[str, str]:
    """Return the comparisons of the time of a standing s with that of the point."""
    if ties == "shared":
        return {"sooner": "FALSE", "same_time": "TRUE", "not_sooner": "TRUE", "not_later": "TRUE"}
    sooner, later = ("<", ">") if ties == "earliest" else (">", "<")
    comparisons = {"sooner": sooner, "same_time": "=", "not_sooner": f"{later}=", "not_later": f"{sooner}="}
    time = SQL["time_of_point"]
    return {word: f"s.reached_at {comparison} {time}" for word, comparison in comparisons.items()}


def _to_position(row: Record) -> Position:
    return Position(row["epoch"], row["changes"])


def _to_named_standing(row: Record) -> tuple[str, Standing]:
    player, *standing = row
    return player, to_standing(*standing)


def _to_slice(board: Board, rows: Sequence[Record], start: int) -> Slice:
    head = rows[0]
    found = rows if head["player_id"] is not None else []
    ranks = _ranks(board.numbering, start, head["better"], [row["score"] for row in found])
    return Slice(
        _to_position(head),
        head["total"],
        start,
        [
            RankedEntry(rank, row["player_id"], row["score"], row["reached_at"])
            for rank, row in zip(ranks, found, strict=True)
        ],
    )


def _ranks(numbering: Numbering, start: int, better: int | None, scores: Sequence[int]) -> list[int]:
    """Return the ranks of consecutive standings from the place `start`.

    `better` standings, or scores where the numbering is dense, are better than the first.
    """
    ranks = list(range(start + 1, start + 1 + len(scores)))
    if not scores or better is None:
        return ranks
    ranks[0] = better + 1
    for n, (above, score) in enumerate(pairwise(scores), 1):
        if score == above:
            ranks[n] = ranks[n - 1]
        elif numbering == "dense":
            ranks[n] = ranks[n - 1] + 1
    return ranks


def _to_player_rank(board: Board, row: Record) -> PlayerRank:
    place = row["better"] + row["within"] - 1
    rank = {"ordinal": place, "competition": row["better"], "dense": row["better_scores"]}[board.numbering] + 1
    return PlayerRank(
        place,
        RankedEntry(rank, row["player_id"], row["score"], row["reached_at"]),
        row["same"] - 1,
        row["total"] - row["better"] - row["same"],
        row["total"],
        row["next_score"],
    )
