from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from harness.servers.rabbitmq import Broker
from scoreboard.adapters.rabbitmq.queue import RabbitQueue
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.queue import Message, Queue
from scoreboard.application.updates.dead_letters import DeadLetters
from scoreboard.application.updates.message_codec import MessageCodec
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import NotFound
from scoreboard.domain.submission import Submission
from tests.making import board, submission
from tests.ports.backends import RabbitQueues

pytestmark = pytest.mark.slow

ENVELOPE = MessageCodec([b"k" * 32])

OPERATOR = principal_of("admin", "*", "operator")


@pytest.fixture
async def queue(rabbitmq: Broker) -> AsyncIterator[RabbitQueue]:
    backend = RabbitQueues(rabbitmq)
    yield await backend.open()
    await backend.close()


@pytest.fixture
async def ledger(store: Database) -> SqliteLedger:
    ledger = SqliteLedger(store)
    await ledger.start()
    return ledger


@pytest.fixture
def letters(queue: Queue, ledger: SqliteLedger) -> DeadLetters:
    return DeadLetters(queue, ENVELOPE, ledger)


async def buried(queue: Queue, body: bytes, reason: str = "poison", attempt: int = 0) -> None:
    await queue.publish([Message(body, "ann", attempt=attempt)])
    (delivery,) = await queue.receive(1)
    await queue.dead_letter(delivery, body, reason)


def some(count: int) -> Sequence[Submission]:
    return [submission(board(), value=n) for n in range(count)]


async def test_a_letter_tells_why_since_when_and_what_is_in_it(queue: Queue, letters: DeadLetters) -> None:
    inside = some(3)
    await buried(queue, ENVELOPE.encode(inside), "not_storable", attempt=4)
    (letter,) = await letters.list(OPERATOR, 10)
    assert (letter.reason, letter.attempts) == ("not_storable", 4)
    assert letter.submissions == [replace(one, queued=True) for one in inside]
    assert letter.since > 0
    assert await letters.get(OPERATOR, letter.id) == letter


async def test_what_cannot_be_opened_is_listed_all_the_same(queue: Queue, letters: DeadLetters) -> None:
    await buried(queue, b"tampered")
    (letter,) = await letters.list(OPERATOR, 10)
    assert letter.submissions is None


async def test_what_is_sent_again_is_taken_and_what_is_dropped_is_gone(queue: Queue, letters: DeadLetters) -> None:
    first, second = b"of nobody", ENVELOPE.encode(some(2))
    await buried(queue, first)
    await buried(queue, second)
    old, new = await letters.list(OPERATOR, 10)
    await letters.drop(OPERATOR, old.id)
    await letters.requeue(OPERATOR, new.id)
    assert await letters.list(OPERATOR, 10) == []
    (delivery,) = await queue.receive(1)
    assert delivery.message.body == second


async def test_what_is_not_there_is_not_found(letters: DeadLetters) -> None:
    for asked in (letters.get(OPERATOR, "x"), letters.requeue(OPERATOR, "x"), letters.drop(OPERATOR, "x")):
        with pytest.raises(NotFound) as error:
            await asked
        assert error.value.code == "letter_not_found"


async def test_what_is_dropped_has_its_outcome(
    queue: Queue, letters: DeadLetters, ledger: SqliteLedger, store: Database
) -> None:
    directory = SqliteDirectory(store)
    app = await directory.create_app(App(0, "game", "Game"))
    main = await directory.create_board(Board(0, app, "main", "Main"))
    one = submission(main, key="k")
    await buried(queue, ENVELOPE.encode([one]))
    (letter,) = await letters.list(OPERATOR, 10)
    await letters.drop(OPERATOR, letter.id)
    outcome = await ledger.outcome(app, one.event)
    assert outcome is not None
    assert (outcome.status, outcome.code) == ("refused", "dropped")
    assert await ledger.receipts(app, one.credential, ["k"]) == {}  # the key is free: nothing was counted under it
    assert await letters.list(OPERATOR, 10) == []
