import asyncio

import pytest
from structlog.typing import EventDict

from harness.waiting import BOUND_S
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.ports.ledger import PurgeResult
from scoreboard.application.updates.decide import decide
from scoreboard.application.upkeep import retention
from scoreboard.application.upkeep.retention import DAY_US, Retention
from scoreboard.domain import codes
from scoreboard.domain.board import App, Board
from tests.making import NOON, ManualClock, submission

DAYS = 30


@pytest.fixture
def ledger(store: Database) -> SqliteLedger:
    return SqliteLedger(store)


@pytest.fixture
async def main(store: Database) -> Board:
    directory = SqliteDirectory(store)
    app = await directory.create_app(App(0, "game", "Game"))
    return await directory.create_board(Board(0, app, "main", "Main"))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAUSE_S", 0.0)
    monkeypatch.setattr(retention, "EVERY_S", 0.0)


async def test_a_key_is_remembered_for_so_many_days(ledger: SqliteLedger, main: Board, clock: ManualClock) -> None:
    await ledger.transact([submission(main, key="k", body=b"1")], decide)
    retain = Retention(ledger, clock, DAYS)
    clock.now = NOON + DAYS * DAY_US
    assert await retain.once() == 0
    assert (await ledger.receipts(main.app, "server:one", ["k"])).get("k") is not None
    clock.now += 1
    assert await retain.once() == 1
    assert (await ledger.receipts(main.app, "server:one", ["k"])).get("k") is None


async def test_a_pass_that_fails_does_not_end_it(
    ledger: SqliteLedger, clock: ManualClock, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    again = asyncio.Event()

    async def failing(before: int, facts_before: int) -> PurgeResult:
        calls.append(before)
        if len(calls) == 1:
            raise codes.STORAGE_FAILED.error("not now")
        again.set()
        return PurgeResult(0, complete=True)

    monkeypatch.setattr(ledger, "purge", failing)
    running = asyncio.create_task(Retention(ledger, clock, DAYS).run())
    async with asyncio.timeout(BOUND_S):
        await again.wait()
    running.cancel()
    assert [entry["event"] for entry in logged] == ["retention_put_off"]
