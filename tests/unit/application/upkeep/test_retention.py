import pytest
from structlog.typing import EventDict

from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.ports.ledger import PurgeResult
from scoreboard.application.updates.decide import decide
from scoreboard.application.upkeep.retention import DAY_US, FACTS_DAYS, Retention
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


async def test_a_receipt_is_deleted_after_its_retention_period(
    ledger: SqliteLedger, main: Board, clock: ManualClock
) -> None:
    await ledger.transact([submission(main, key="k", body=b"1")], decide)
    retention = Retention(ledger, clock, DAYS, pause_s=0.0)
    clock.now = NOON + DAYS * DAY_US
    assert await retention.once() == 0
    assert (await ledger.receipts(main.app, "server:one", ["k"])).get("k") is not None
    clock.now += 1
    assert await retention.once() == 1
    assert (await ledger.receipts(main.app, "server:one", ["k"])).get("k") is None


async def test_a_pass_has_steps_with_one_cutoff(
    ledger: SqliteLedger, clock: ManualClock, logged: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter([PurgeResult(5, complete=False), PurgeResult(0, complete=False), PurgeResult(2, complete=True)])
    cutoffs: list[tuple[int, int]] = []

    async def purge(before: int, facts_before: int) -> PurgeResult:
        cutoffs.append((before, facts_before))
        clock.now += 1
        return next(steps)

    monkeypatch.setattr(ledger, "purge", purge)
    assert await Retention(ledger, clock, DAYS, pause_s=0.0).once() == 7
    assert cutoffs == [(NOON - DAYS * DAY_US, NOON - FACTS_DAYS * DAY_US)] * 3
    assert [(entry["event"], entry["removed"]) for entry in logged] == [("retention", 7)]
