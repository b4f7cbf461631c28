"""Promise 2: scores are exact, and the order is total and declared. Against a plain sort."""

from collections.abc import AsyncIterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.application.ports.ranking import Details, Ranked
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Refused
from scoreboard.domain.fold import fold
from scoreboard.domain.submission import Standing, TableKey
from tests.making import NOON, WIDE, board, submission, table

EDGES = [-(2**63), -(2**63) + 1, -(2**53) - 1, -(2**53), 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1]
VALUES = st.integers(-2, 2) | st.sampled_from(EDGES)
PLAYERS = ["B", "a", "a0", "aa", "b", "é", "\ue000", "\uffff", "😀"]
UPDATES = st.lists(st.tuples(st.sampled_from(PLAYERS), VALUES, st.integers(0, 3)), max_size=30)
RULES = st.fixed_dictionaries(
    {
        "operator": st.sampled_from(["increment", "best", "latest"]),
        "direction": st.sampled_from(["descending", "ascending"]),
        "ties": st.sampled_from(["earliest", "latest", "shared"]),
        "numbering": st.sampled_from(["ordinal", "competition", "dense"]),
    }
)


class Plain:
    """The declared order and numbering, with no thought of speed."""

    def __init__(self, of: Board, standings: dict[str, Standing]) -> None:
        self._board = of
        self._standings = standings
        self.players = sorted(standings, key=lambda player: self.key(player, *standings[player][:2]))

    def key(self, player: str, score: int, reached_at: int) -> tuple[int, int, bytes]:
        time = {"earliest": reached_at, "latest": -reached_at, "shared": 0}[self._board.ties]
        return -score if self._board.descending else score, time, player.encode()

    def ranked(self) -> list[Ranked]:
        return [
            Ranked(self._rank(place, player), player, self._standings[player].score, self._standings[player].reached_at)
            for place, player in enumerate(self.players)
        ]

    def details(self, player: str) -> tuple[int, Details]:
        place, better = self.players.index(player), self._better(player)
        score = self._standings[player].score
        ties = sum(one.score == score for one in self._standings.values()) - 1
        nearest = (min if self._board.descending else max)(better) if better else None
        worse = len(self.players) - len(better) - ties - 1
        return place, Details(self.ranked()[place], ties, worse, len(self.players), nearest)

    def after(self, player: str, score: int, reached_at: int) -> int:
        wanted = self.key(player, score, reached_at)
        return sum(self.key(one, *self._standings[one][:2]) <= wanted for one in self.players)

    def _better(self, player: str) -> list[int]:
        score = self._standings[player].score
        scores = [one.score for one in self._standings.values()]
        return [other for other in scores if (other > score if self._board.descending else other < score)]

    def _rank(self, place: int, player: str) -> int:
        better = self._better(player)
        return {"ordinal": place, "competition": len(better), "dense": len(set(better))}[self._board.numbering] + 1


@settings(deadline=None, max_examples=300)
@given(rules=RULES, before=UPDATES, meanwhile=UPDATES)
async def test_the_ranking_is_in_the_declared_order(
    rules: dict[str, Any], before: list[tuple[str, int, int]], meanwhile: list[tuple[str, int, int]]
) -> None:
    of = board(**rules, **WIDE)
    key = table(of)
    standings: dict[str, Standing] = {}

    def update(player: str, value: int, after: int) -> bool:
        try:
            standings[player] = fold(of, standings.get(player), submission(of, player, value, NOON + after))
        except Refused:
            return False
        return True

    async def load(_: TableKey) -> AsyncIterator[list[tuple[str, Standing]]]:
        yield list(standings.items())

    for one in before:
        update(*one)
    ranking = MemoryRanking(load, "epoch")
    await ranking.warm(key, of)
    for player, value, after in meanwhile:
        if update(player, value, after):
            placed = await ranking.apply(key, of, {player: standings[player]}, place=True)
            assert placed[player].rank == Plain(of, standings).details(player)[1].ranked.rank
    plain = Plain(of, standings)
    assert await ranking.slice(key, of, 0, 100) == plain.ranked()
    assert await ranking.slice(key, of, 2, 5) == plain.ranked()[2:5]
    for player in PLAYERS:
        expected = plain.details(player) if player in standings else None
        assert await ranking.details(key, of, player) == expected
        for score in (0, *EDGES):
            assert await ranking.after(key, of, score, NOON + 1, player) == plain.after(player, score, NOON + 1)
