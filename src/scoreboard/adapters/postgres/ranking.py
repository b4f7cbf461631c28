"""PostgresRanking: ranks counted in the totals themselves."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from scoreboard.adapters.postgres.database import NUL, Reading, Record, statements
from scoreboard.application.ports.ranking import (
    NotRanked,
    OrderKey,
    PlayerRank,
    Position,
    RankChange,
    RankedEntry,
    Slice,
)
from scoreboard.domain import event_id
from scoreboard.domain.board import INT64_MAX, INT64_MIN, Board, Numbering, Ties
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey

SQL = statements("ranking.sql")

_PARTS = ("position", "total", "table", "within", "up_to")


class PostgresRanking:
    """Exact, and slower: a rank costs a count of what is better in an index.
    There is nothing to make or to lose, so it is never warming.

    Its positions hold on the server that writes alone: a replica cannot say which of its snapshots are the same.
    """

    def __init__(self, database: Reading) -> None:
        self._database = database

    async def apply(
        self, key: TableKey, board: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        """The totals have them already; where each came from is not known any more, so no rank before is told."""
        if not place:
            return {}
        found = await self.get_ranks(key, board, standings)
        return {player: RankChange(details.entry.rank, None) for player, details in found.items()}

    async def remove(self, key: TableKey, player: str, version: int) -> None:
        """The totals do not have it any more."""

    async def drop(self, board: Board) -> None:
        """There is nothing beside the totals."""

    async def slice(self, key: TableKey, board: Board, start: int, stop: int) -> Slice:
        rows = await self._rows("slice", board, *key, max(start, 0), max(stop - max(start, 0), 0))
        return _slice(board, rows, rows[0]["place"])

    async def slice_after(self, key: TableKey, board: Board, after: OrderKey, limit: int) -> Slice:
        rows = await self._rows("slice_after", board, *key, *after, limit)
        return _slice(board, rows, rows[0]["place"])

    async def around(self, key: TableKey, board: Board, player: str, radius: int) -> Slice | None:
        if NUL in player:
            return None
        width = 2 * radius + 1
        rows = await self._rows("around", board, *key, board.app.pk, player, width - 1)
        if not rows:
            return None
        place, ahead = rows[0]["place"], [row["player_id"] for row in rows].index(player)
        found = _slice(board, rows, place - ahead)
        start = max(0, min(place - radius, found.total - width))
        skipped = start - found.start
        return found._replace(start=start, rows=found.rows[skipped : skipped + width])

    async def get_rank(self, key: TableKey, board: Board, player: str) -> PlayerRank | None:
        return (await self.get_ranks(key, board, (player,))).get(player)

    async def get_ranks(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, PlayerRank]:
        possible = [player for player in set(players) if NUL not in player]
        rows = await self._rows("details", board, *key, board.app.pk, possible)
        return {row["player_id"]: _details(board, row) for row in rows}

    async def total(self, key: TableKey, board: Board) -> int:
        (row,) = await self._rows("count", board, *key)
        return int(row["total"])

    async def top(self, key: TableKey, board: Board, most: int) -> Sequence[tuple[str, Standing]]:
        """The best standings of a table, best first. Raises Unavailable."""
        rows = await self._database.fetch(_of(board, "best"), *key, most)
        return [_standing(row) for row in rows]

    async def standings_of(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, Standing]:
        """Those of `players` that have a standing. Raises Unavailable."""
        rows = await self._database.fetch(_of(board, "of_players"), *key, board.app.pk, list(players))
        return dict(_standing(row) for row in rows)

    async def position(self, key: TableKey, board: Board) -> Position:
        """Changes with every transaction that writes anything, so that it is never the same for other standings."""
        (row,) = await self._rows("where", board)
        return _position(row)

    async def _rows(self, statement: str, board: Board, *values: object) -> Sequence[Record]:
        try:
            return await self._database.fetch(_of(board, statement), *values)
        except Unavailable as error:
            raise NotRanked("unavailable") from error


def _of(board: Board, name: str) -> str:
    return _statement(name, board.descending, board.ties, board.numbering)


@lru_cache
def _statement(name: str, descending: bool, ties: Ties, numbering: Numbering) -> str:
    """A statement of `ranking.sql`, with the words for these rules."""
    words = {
        "limit": {"slice_after": "$7", "around": "$6"}.get(name, ""),
        "scores": "count(DISTINCT s.score)" if numbering == "dense" else "0",
        **_order(descending, ties),
        **_ties(ties),
    }
    for part in _PARTS:
        words[part] = SQL[part].format_map(words)
    words["better_than_page"] = SQL[f"better_of_{numbering}"].format_map(words)
    for side, past, no_time_before, not_past, outward in (
        ("behind", "worse", "not_sooner", "<=", "order"),
        ("ahead", "better", "not_later", ">=", "reverse"),
    ):
        way = {
            "past": words[past],
            "no_time_before": words[no_time_before],
            "not_past": not_past,
            "outward": words[outward],
        }
        words[side] = SQL["nearest"].format_map(words | way)
    return SQL[name].format_map(words)


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
    """How the time of a standing s is to that of the point, where time decides."""
    if ties == "shared":
        return {"sooner": "FALSE", "same_time": "TRUE", "not_sooner": "TRUE", "not_later": "TRUE"}
    sooner, later = ("<", ">") if ties == "earliest" else (">", "<")
    comparisons = {"sooner": sooner, "same_time": "=", "not_sooner": f"{later}=", "not_later": f"{sooner}="}
    time = SQL["time_of_point"]
    return {word: f"s.reached_at {comparison} {time}" for word, comparison in comparisons.items()}


def _position(row: Record) -> Position:
    return Position(row["epoch"], row["changes"])


def _standing(row: Record) -> tuple[str, Standing]:
    player, score, reached_at, version, event = row
    return player, Standing(score, reached_at, version, event, event_id.accepted_at(event))


def _slice(board: Board, rows: Sequence[Record], start: int) -> Slice:
    head = rows[0]
    found = rows if head["player_id"] is not None else []
    ranks = _ranks(board.numbering, start, head["better"], [row["score"] for row in found])
    return Slice(
        _position(head),
        head["total"],
        start,
        [
            RankedEntry(rank, row["player_id"], row["score"], row["reached_at"])
            for rank, row in zip(ranks, found, strict=True)
        ],
    )


def _ranks(numbering: Numbering, start: int, better: int | None, scores: Sequence[int]) -> list[int]:
    """Of consecutive standings from the place `start`; `better` than the first are so many standings, or scores."""
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


def _details(board: Board, row: Record) -> PlayerRank:
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
