"""Promise 4: ledger, totals and ranking always agree, also with a simple model."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.servers.postgres import fresh_database, open_database
from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.postgres.directory import PostgresDirectory
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.updates.decide import decide
from scoreboard.application.upkeep.verify import verify
from scoreboard.domain.board import App, Board, Player
from scoreboard.domain.submission import TableKey
from tests.making import NOON, submission

LEAST, MOST = -10, 10
UPDATE = st.tuples(
    st.sampled_from("abc"), st.integers(-7, 7), st.sampled_from([None, None, "k", "j"]), st.sampled_from(["", "eu"])
)
Update = tuple[str, int, str | None, str]
STEPS = st.lists(
    st.lists(UPDATE, min_size=1, max_size=8)
    | st.sampled_from("abc")  # the deletion of this player
    | st.none(),  # the loss of the ranking
    min_size=1,
    max_size=8,
)
RULES = st.fixed_dictionaries(
    {
        "operator": st.sampled_from(["increment", "best", "latest"]),
        "direction": st.sampled_from(["descending", "ascending"]),
        "ties": st.sampled_from(["earliest", "latest", "shared"]),
    }
)


class Model:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._keys: set[str] = set()
        self.scores: dict[str, dict[str, int]] = {"": {}, "eu": {}}

    def update(self, player: str, value: int, key: str | None, region: str) -> None:
        if key is not None and key in self._keys:
            return
        if key is not None:
            self._keys.add(key)
        new = {table: self._fold(self.scores[table].get(player), value) for table in {"", region}}
        if all(LEAST <= score <= MOST for score in new.values()):
            for table, score in new.items():
                self.scores[table][player] = score

    def _fold(self, old: int | None, value: int) -> int:
        if old is None or self._board.operator == "latest":
            return value
        if self._board.operator == "increment":
            return old + value
        return max(old, value) if self._board.descending else min(old, value)

    def delete(self, player: str) -> None:
        for scores in self.scores.values():
            scores.pop(player, None)


class System:
    """Ledger, directory and ranking, connected as in the service."""

    def __init__(self, ledger: Ledger, directory: Directory) -> None:
        self.ledger, self.directory = ledger, directory
        self.ranking = MemoryRanking(self.ledger.standings, "epoch", load_s=BOUND_S)
        self._now = NOON

    async def board(self, rules: dict[str, Any]) -> Board:
        app = await self.directory.create_app(App(0, "game", "Game"))
        return await self.directory.create_board(
            Board(0, app, "main", "Main", regions=("eu",), min_total=LEAST, max_total=MOST, **rules)
        )

    async def step(self, board: Board, step: list[Update] | str | None) -> None:
        if step is None:
            self.ranking = MemoryRanking(self.ledger.standings, "another", load_s=BOUND_S)
        elif isinstance(step, str):
            self._now += 1_000
            for key, version in await self.directory.delete_player(board.app, Player(step, step)):
                await self.ranking.remove(key, step, version)
        else:
            batch = [
                submission(board, player, value, self._now + n, region=region, key=key, body=bytes([value & 0xFF]))
                for n, (player, value, key, region) in enumerate(step)
            ]
            self._now += len(step)
            decision = await self.ledger.transact(batch, decide)
            assert len(decision.outcomes) == len(batch)
            for key, standings in decision.to_rank.items():
                await self.ranking.apply(key, board, standings, place=True)


Steps = list[list[Update] | str | None]


async def assert_agreement(system: System, rules: dict[str, Any], steps: Steps) -> None:
    """Assert that model, ledger, totals and ranking are equal after these steps."""
    board = await system.board(rules)
    model = Model(board)
    for step in steps:
        await system.step(board, step)
        if isinstance(step, str):
            model.delete(step)
        for update in step if isinstance(step, list) else ():
            model.update(*update)
    report = await verify(system.ledger, system.ranking, board)
    assert report.differences == []
    assert report.standings == sum(map(len, model.scores.values()))
    for region, scores in model.scores.items():
        ranked = (await system.ranking.slice(TableKey(board.pk, "all", region), board, 0, 10)).rows
        assert {one.player: one.score for one in ranked} == scores


@settings(deadline=None, max_examples=60)
@given(rules=RULES, steps=STEPS)
async def test_ledger_totals_and_ranking_agree(rules: dict[str, Any], steps: Steps) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with database.open_database(Path(folder) / "scoreboard.db") as store:
            await assert_agreement(System(SqliteLedger(store), SqliteDirectory(store)), rules, steps)


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(rules=RULES, steps=STEPS)
async def test_ledger_totals_and_ranking_agree_in_postgresql(rules: dict[str, Any], steps: Steps) -> None:
    async with open_database(await fresh_database()) as store:
        await assert_agreement(System(PostgresLedger(store), PostgresDirectory(store)), rules, steps)
