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

CODEC = MessageCodec([b"k" * 32])

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
    return DeadLetters(queue, CODEC, ledger)


async def add_dead_letter(queue: Queue, body: bytes, reason: str = "not_storable", attempt: int = 0) -> None:
    await queue.publish([Message(body, "ann", attempt=attempt)])
    (delivery,) = await queue.receive(1)
    await queue.dead_letter(delivery, body, reason)


def make_submissions(count: int) -> Sequence[Submission]:
    return [submission(board(), value=n) for n in range(count)]


async def test_a_dead_letter_has_its_reason_time_and_submissions(queue: Queue, letters: DeadLetters) -> None:
    submissions = make_submissions(3)
    await add_dead_letter(queue, CODEC.encode(submissions), "not_storable", attempt=4)
    (letter,) = await letters.list(OPERATOR, 10)
    assert (letter.reason, letter.attempts) == ("not_storable", 4)
    assert letter.submissions == [replace(one, queued=True) for one in submissions]
    assert letter.since > 0
    assert await letters.get(OPERATOR, letter.id) == letter


async def test_a_message_that_cannot_be_decoded_is_listed(queue: Queue, letters: DeadLetters) -> None:
    await add_dead_letter(queue, b"unsigned")
    (letter,) = await letters.list(OPERATOR, 10)
    assert letter.submissions is None


async def test_a_requeued_letter_is_delivered_and_a_dropped_one_is_deleted(queue: Queue, letters: DeadLetters) -> None:
    first, second = b"unsigned", CODEC.encode(make_submissions(2))
    await add_dead_letter(queue, first)
    await add_dead_letter(queue, second)
    old, new = await letters.list(OPERATOR, 10)
    await letters.drop(OPERATOR, old.id)
    await letters.requeue(OPERATOR, new.id)
    assert await letters.list(OPERATOR, 10) == []
    (delivery,) = await queue.receive(1)
    assert delivery.message.body == second


async def test_a_missing_letter_is_not_found(letters: DeadLetters) -> None:
    for call in (letters.get(OPERATOR, "x"), letters.requeue(OPERATOR, "x"), letters.drop(OPERATOR, "x")):
        with pytest.raises(NotFound) as error:
            await call
        assert error.value.code == "letter_not_found"


async def test_a_dropped_update_gets_an_outcome(
    queue: Queue, letters: DeadLetters, ledger: SqliteLedger, store: Database
) -> None:
    directory = SqliteDirectory(store)
    app = await directory.create_app(App(0, "game", "Game"))
    main = await directory.create_board(Board(0, app, "main", "Main"))
    one = submission(main, key="k")
    await add_dead_letter(queue, CODEC.encode([one]))
    (letter,) = await letters.list(OPERATOR, 10)
    await letters.drop(OPERATOR, letter.id)
    outcome = await ledger.outcome(app, one.event)
    assert outcome is not None
    assert (outcome.status, outcome.code) == ("refused", "dropped")
    assert await ledger.receipts(app, one.credential, ["k"]) == {}  # no update was counted under the key
    assert await letters.list(OPERATOR, 10) == []
