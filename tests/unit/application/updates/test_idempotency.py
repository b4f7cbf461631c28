import pytest

from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.ports.ledger import Receipt
from scoreboard.application.updates.decide import decide
from scoreboard.application.updates.idempotency import find_receipts, match_receipt
from scoreboard.domain.board import App, Board, Player
from scoreboard.domain.errors import Conflict
from scoreboard.domain.submission import Outcome
from tests.making import board, submission

SERVER = "server:one"


@pytest.fixture
def ledger(store: Database) -> SqliteLedger:
    return SqliteLedger(store)


@pytest.fixture
async def main(store: Database) -> Board:
    directory = SqliteDirectory(store)
    app = await directory.create_app(App(0, "game", "Game"))
    return await directory.create_board(board(pk=0, app=app, max_total=6))


async def apply(ledger: SqliteLedger, main: Board, value: int) -> Outcome:
    batch = [submission(main, value=value, key="k", body=b"digest")]
    (outcome,) = (await ledger.transact(batch, decide)).outcomes
    return outcome


async def find_outcome(ledger: SqliteLedger, app: App, credential: str, key: str, digest: bytes) -> Outcome | None:
    receipt = (await find_receipts(ledger, app, credential, [None, key, "not a key"])).get(key)
    return None if receipt is None else match_receipt(receipt, digest)


@pytest.mark.parametrize(("value", "status"), [(5, "applied"), (9, "refused")])
async def test_a_known_key_returns_its_first_outcome(
    ledger: SqliteLedger, main: Board, value: int, status: str
) -> None:
    outcome = await apply(ledger, main, value)
    assert outcome.status == status
    assert await find_outcome(ledger, main.app, SERVER, "k", b"digest") == outcome


async def test_a_key_is_unknown_to_other_credentials_and_apps(
    ledger: SqliteLedger, main: Board, store: Database
) -> None:
    await apply(ledger, main, 5)
    another = await SqliteDirectory(store).create_app(App(0, "another", "Another"))
    assert await find_outcome(ledger, main.app, SERVER, "another", b"digest") is None
    assert await find_outcome(ledger, main.app, "server:two", "k", b"digest") is None
    assert await find_outcome(ledger, another, SERVER, "k", b"digest") is None


async def test_a_key_with_another_body_is_a_conflict(ledger: SqliteLedger, main: Board) -> None:
    await apply(ledger, main, 5)
    with pytest.raises(Conflict) as raised:
        await find_outcome(ledger, main.app, SERVER, "k", b"another")
    assert raised.value.code == "key_reused"


async def test_a_key_is_spent_when_its_player_was_deleted(ledger: SqliteLedger, main: Board, store: Database) -> None:
    await apply(ledger, main, 5)
    await SqliteDirectory(store).delete_player(main.app, Player("ann", "ann"))
    with pytest.raises(Conflict) as raised:
        await find_outcome(ledger, main.app, SERVER, "k", b"digest")
    assert raised.value.code == "key_spent"


def test_a_reused_key_is_reported_even_if_it_is_spent() -> None:
    with pytest.raises(Conflict) as raised:
        match_receipt(Receipt(b"digest", None), b"another")
    assert raised.value.code == "key_reused"
