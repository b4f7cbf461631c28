import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.queue import Delivery, Message, Queue
from scoreboard.application.updates.batching import BatchLimits
from scoreboard.application.updates.commit import GroupCommit, RankedOutcome
from scoreboard.application.updates.message_codec import MAX_SUBMISSIONS, MessageCodec
from scoreboard.application.updates.queue_consumer import MAX_ATTEMPTS, QueueConsumer
from scoreboard.application.updates.queue_publisher import QueuePublisher
from scoreboard.concurrency.backoff import Backoff
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Outcome, Submission
from tests.making import NOON, board, submission

MAIN = board()
CODEC = MessageCodec([b"k" * 32])


class FakeQueue:
    """A queue of one process, which notes what is done with each message."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Delivery] = asyncio.Queue()
        self.log: list[tuple[str, object]] = []
        self.faults: list[Exception] = []
        self.takes_nothing = 0  # so many times, what is to be sent again or buried

    async def publish(self, messages: Sequence[Message]) -> None:
        if self.faults:
            raise self.faults.pop()
        for message in messages:
            self.waiting.put_nowait(Delivery(message, redelivered=False))

    async def receive(self, most: int) -> Sequence[Delivery]:
        first = await self.waiting.get()
        return [first, *(self.waiting.get_nowait() for _ in range(min(most - 1, self.waiting.qsize())))]

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        self.log += [("done", _players(one.message.body)) for one in deliveries]

    def _taking(self) -> None:
        if self.takes_nothing:
            self.takes_nothing -= 1
            raise codes.QUEUE_UNAVAILABLE.error("not now")

    async def retry(self, delivery: Delivery, body: bytes) -> None:
        self._taking()
        self.log.append(("retry", _players(body)))
        message = delivery.message._replace(body=body, attempt=delivery.message.attempt + 1)
        self.waiting.put_nowait(Delivery(message, redelivered=False))

    async def dead_letter(self, delivery: Delivery, body: bytes, reason: str) -> None:
        self._taking()
        self.log.append(("buried", reason))


class Store:
    """Applies everything but the player `poison`, and is away at first for as often as `away` says."""

    def __init__(self) -> None:
        self.applied: list[Submission] = []
        self.away = 0

    async def submit(self, submissions: Sequence[Submission], *, ranks: bool) -> list[RankedOutcome]:
        assert not ranks
        assert len(submissions) <= MAX_SUBMISSIONS
        if self.away:
            self.away -= 1
            raise codes.STORAGE_FAILED.error("not now")
        self.applied += [one for one in submissions if one.player != "poison"]
        return [RankedOutcome(_outcome(one)) for one in submissions]


class Boards:
    def __init__(self) -> None:
        self.now: Board | None = MAIN

    async def board(self, app: str, board_id: str) -> Board:
        assert (app, board_id) == (MAIN.app.slug, MAIN.slug)
        if self.now is None:
            raise codes.BOARD_NOT_FOUND.error("gone")
        return self.now


def _outcome(one: Submission) -> Outcome:
    poison = one.player == "poison"
    code = codes.NOT_STORABLE.name if poison else ""
    status: Any = "refused" if poison else "applied"
    return Outcome(one.event, one.board.pk, one.player, one.season, one.accepted_at, status, code=code)


def _players(body: bytes) -> list[str]:
    return [one.player for one in CODEC.decode(body)]


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def boards() -> Boards:
    return Boards()


@pytest.fixture
async def working(queue: FakeQueue, store: Store, boards: Boards) -> AsyncIterator[None]:
    consumer = QueueConsumer(
        cast("Queue", queue),
        cast("Directory", boards),
        CODEC,
        cast("GroupCommit", store),
        backoff=Backoff(first_s=0.0, longest_s=0.0),
    )
    running = asyncio.create_task(consumer.run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def sent(queue: FakeQueue, *messages: Sequence[str]) -> None:
    for players in messages:
        some = [submission(MAIN, player, n, NOON + n) for n, player in enumerate(players)]
        await queue.publish([Message(CODEC.encode(some), "lane")])


async def logged(queue: FakeQueue, count: int) -> list[tuple[str, object]]:
    async with asyncio.timeout(BOUND_S):
        while len(queue.log) < count:  # noqa: ASYNC110 - turns of the worker
            await asyncio.sleep(0)
    return queue.log


@pytest.mark.usefixtures("working")
class TestWork:
    async def test_a_message_is_done_with_when_all_of_it_has_its_outcome(self, queue: FakeQueue, store: Store) -> None:
        await sent(queue, ["ann", "bob"], ["cat"])
        assert await logged(queue, 2) == [("done", ["ann", "bob"]), ("done", ["cat"])]
        assert [one.player for one in store.applied] == ["ann", "bob", "cat"]
        assert all(one.queued for one in store.applied)

    async def test_a_large_backlog_is_applied_in_parts(self, queue: FakeQueue, store: Store) -> None:
        """However many updates may wait for a transaction, a part fits."""
        players = [f"p{n}" for n in range(MAX_SUBMISSIONS)]
        await sent(queue, players, ["ann"], players)
        assert [done for done, _ in await logged(queue, 3)] == ["done"] * 3
        assert [one.player for one in store.applied] == [*players, "ann", *players]

    async def test_what_the_queue_does_not_take_back_is_kept_and_holds_up_no_outcome(self, queue: FakeQueue) -> None:
        queue.takes_nothing = 3
        await queue.publish([Message(b"nobody's", "lane")])
        await sent(queue, ["poison"], ["cat"])
        log = await logged(queue, 3)
        assert queue.takes_nothing == 0
        assert log[0][0] == "buried"
        assert log[1:3] == [("done", ["cat"]), ("retry", ["poison"])]

    async def test_poison_is_taken_from_its_neighbours_tried_again_and_buried(
        self, queue: FakeQueue, store: Store
    ) -> None:
        await sent(queue, ["ann", "poison", "bob"], ["cat"])
        log = await logged(queue, MAX_ATTEMPTS + 2)
        assert [one for one in log if one[0] == "done"] == [("done", ["cat"])]
        assert [one for one in log if one[0] == "retry"] == [("retry", ["poison"])] * MAX_ATTEMPTS
        assert log[-1] == ("buried", codes.NOT_STORABLE.name)
        assert [one.player for one in store.applied] == ["ann", "bob", "cat"]

    async def test_what_was_tampered_with_is_buried_and_nothing_of_it_is_applied(
        self, queue: FakeQueue, store: Store
    ) -> None:
        body = bytearray(CODEC.encode([submission(MAIN, "ann")]))
        body[-1] ^= 1
        await queue.publish([Message(bytes(body), "lane")])
        await sent(queue, ["bob"])
        log = await logged(queue, 2)
        assert [kind for kind, _ in log] == ["buried", "done"]
        assert [one.player for one in store.applied] == ["bob"]

    async def test_while_the_store_is_away_messages_stay_in_hand(self, queue: FakeQueue, store: Store) -> None:
        store.away = 3
        await sent(queue, ["ann"])
        assert await logged(queue, 1) == [("done", ["ann"])]
        assert store.away == 0

    async def test_a_board_is_as_it_is_now_and_one_that_is_gone_as_it_was(
        self, queue: FakeQueue, store: Store, boards: Boards
    ) -> None:
        for now in (board(name="Renamed"), None, board(pk=9)):
            boards.now = now
            await sent(queue, ["ann"])
            await logged(queue, len(store.applied) + 1)
        renamed, gone, succeeded = (one.board for one in store.applied)
        assert (renamed.name, gone, succeeded) == ("Renamed", MAIN, MAIN)


class TestEnqueue:
    async def test_updates_are_pending_once_the_queue_has_them(self, queue: FakeQueue) -> None:
        enqueue = QueuePublisher(cast("Queue", queue), CODEC, BatchLimits())
        running = asyncio.create_task(enqueue.run())
        some = [submission(MAIN, player) for player in ("ann", "bob")]
        outcomes = await enqueue.submit(some)
        assert [(one.event, one.status) for one in outcomes] == [(one.event, "pending") for one in some]
        assert queue.waiting.qsize() >= 1
        enqueue.close()
        await running

    async def test_a_queue_that_fails_is_told_and_the_next_update_goes_through(self, queue: FakeQueue) -> None:
        queue.faults.append(codes.QUEUE_UNAVAILABLE.error("away"))
        enqueue = QueuePublisher(cast("Queue", queue), CODEC, BatchLimits())
        running = asyncio.create_task(enqueue.run())
        with pytest.raises(Unavailable):
            await enqueue.submit([submission(MAIN, "ann")])
        assert [one.status for one in await enqueue.submit([submission(MAIN, "ann")])] == ["pending"]
        enqueue.close()
        await running
