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
    """A queue in memory that logs the operations on messages."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Delivery] = asyncio.Queue()
        self.log: list[tuple[str, object]] = []
        self.faults: list[Exception] = []
        self.outages = 0  # the number of moves that fail

    async def publish(self, messages: Sequence[Message]) -> None:
        if self.faults:
            raise self.faults.pop()
        for message in messages:
            self.waiting.put_nowait(Delivery(message, redelivered=False))

    async def receive(self, most: int) -> Sequence[Delivery]:
        first = await self.waiting.get()
        return [first, *(self.waiting.get_nowait() for _ in range(min(most - 1, self.waiting.qsize())))]

    async def ack(self, deliveries: Sequence[Delivery]) -> None:
        self.log += [("ack", _players(one.message.body)) for one in deliveries]

    def _fail_during_outage(self) -> None:
        if self.outages:
            self.outages -= 1
            raise codes.QUEUE_UNAVAILABLE.error("not now")

    async def retry(self, delivery: Delivery, body: bytes) -> None:
        self._fail_during_outage()
        self.log.append(("retry", _players(body)))
        message = delivery.message._replace(body=body, attempt=delivery.message.attempt + 1)
        self.waiting.put_nowait(Delivery(message, redelivered=False))

    async def dead_letter(self, delivery: Delivery, body: bytes, reason: str) -> None:
        self._fail_during_outage()
        self.log.append(("dead_letter", reason))


class FakeCommit:
    """A commit that rejects the player `poison`, and is unreachable `outages` times."""

    def __init__(self) -> None:
        self.applied: list[Submission] = []
        self.outages = 0

    async def submit(self, submissions: Sequence[Submission], *, ranks: bool) -> list[RankedOutcome]:
        assert not ranks
        assert len(submissions) <= MAX_SUBMISSIONS
        if self.outages:
            self.outages -= 1
            raise codes.STORAGE_FAILED.error("not now")
        self.applied += [one for one in submissions if one.player != "poison"]
        return [RankedOutcome(_outcome(one)) for one in submissions]


class FakeDirectory:
    def __init__(self) -> None:
        self.current: Board | None = MAIN

    async def board(self, app: str, board_id: str) -> Board:
        assert (app, board_id) == (MAIN.app.slug, MAIN.slug)
        if self.current is None:
            raise codes.BOARD_NOT_FOUND.error("gone")
        return self.current


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
def commit() -> FakeCommit:
    return FakeCommit()


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
async def consuming(queue: FakeQueue, commit: FakeCommit, directory: FakeDirectory) -> AsyncIterator[None]:
    consumer = QueueConsumer(
        cast("Queue", queue),
        cast("Directory", directory),
        CODEC,
        cast("GroupCommit", commit),
        backoff=Backoff(first_s=0.0, longest_s=0.0),
    )
    running = asyncio.create_task(consumer.run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def publish(queue: FakeQueue, *messages: Sequence[str]) -> None:
    for players in messages:
        submissions = [submission(MAIN, player, n, NOON + n) for n, player in enumerate(players)]
        await queue.publish([Message(CODEC.encode(submissions), "key")])


async def wait_for_log(queue: FakeQueue, count: int) -> list[tuple[str, object]]:
    async with asyncio.timeout(BOUND_S):
        while len(queue.log) < count:  # noqa: ASYNC110 - lets the consumer run
            await asyncio.sleep(0)
    return queue.log


@pytest.mark.usefixtures("consuming")
class TestQueueConsumer:
    async def test_a_message_is_acknowledged_when_all_its_updates_have_outcomes(
        self, queue: FakeQueue, commit: FakeCommit
    ) -> None:
        await publish(queue, ["ann", "bob"], ["cat"])
        assert await wait_for_log(queue, 2) == [("ack", ["ann", "bob"]), ("ack", ["cat"])]
        assert [one.player for one in commit.applied] == ["ann", "bob", "cat"]
        assert all(one.queued for one in commit.applied)

    async def test_a_large_backlog_is_committed_in_parts(self, queue: FakeQueue, commit: FakeCommit) -> None:
        """No part exceeds the least limit of pending updates."""
        players = [f"p{n}" for n in range(MAX_SUBMISSIONS)]
        await publish(queue, players, ["ann"], players)
        assert [operation for operation, _ in await wait_for_log(queue, 3)] == ["ack"] * 3
        assert [one.player for one in commit.applied] == [*players, "ann", *players]

    async def test_a_failing_retry_or_dead_letter_is_repeated_and_delays_no_outcome(self, queue: FakeQueue) -> None:
        queue.outages = 3
        await queue.publish([Message(b"unsigned", "key")])
        await publish(queue, ["poison"], ["cat"])
        log = await wait_for_log(queue, 3)
        assert queue.outages == 0
        assert log[0][0] == "dead_letter"
        assert log[1:3] == [("ack", ["cat"]), ("retry", ["poison"])]

    async def test_a_rejected_update_is_separated_retried_and_dead_lettered(
        self, queue: FakeQueue, commit: FakeCommit
    ) -> None:
        await publish(queue, ["ann", "poison", "bob"], ["cat"])
        log = await wait_for_log(queue, MAX_ATTEMPTS + 2)
        assert [one for one in log if one[0] == "ack"] == [("ack", ["cat"])]
        assert [one for one in log if one[0] == "retry"] == [("retry", ["poison"])] * MAX_ATTEMPTS
        assert log[-1] == ("dead_letter", codes.NOT_STORABLE.name)
        assert [one.player for one in commit.applied] == ["ann", "bob", "cat"]

    async def test_a_changed_message_is_dead_lettered_and_not_applied(
        self, queue: FakeQueue, commit: FakeCommit
    ) -> None:
        body = bytearray(CODEC.encode([submission(MAIN, "ann")]))
        body[-1] ^= 1
        await queue.publish([Message(bytes(body), "key")])
        await publish(queue, ["bob"])
        log = await wait_for_log(queue, 2)
        assert [kind for kind, _ in log] == ["dead_letter", "ack"]
        assert [one.player for one in commit.applied] == ["bob"]

    async def test_messages_stay_unacknowledged_while_the_store_is_unreachable(
        self, queue: FakeQueue, commit: FakeCommit
    ) -> None:
        commit.outages = 3
        await publish(queue, ["ann"])
        assert await wait_for_log(queue, 1) == [("ack", ["ann"])]
        assert commit.outages == 0

    async def test_updates_have_the_current_board_or_the_old_one_after_a_deletion(
        self, queue: FakeQueue, commit: FakeCommit, directory: FakeDirectory
    ) -> None:
        for current in (board(name="Renamed"), None, board(pk=9)):
            directory.current = current
            await publish(queue, ["ann"])
            await wait_for_log(queue, len(commit.applied) + 1)
        renamed, deleted, replaced = (one.board for one in commit.applied)
        assert (renamed.name, deleted, replaced) == ("Renamed", MAIN, MAIN)


class TestQueuePublisher:
    async def test_updates_are_pending_once_the_queue_has_them(self, queue: FakeQueue) -> None:
        publisher = QueuePublisher(cast("Queue", queue), CODEC, BatchLimits())
        running = asyncio.create_task(publisher.run())
        submissions = [submission(MAIN, player) for player in ("ann", "bob")]
        outcomes = await publisher.submit(submissions)
        assert [(one.event, one.status) for one in outcomes] == [(one.event, "pending") for one in submissions]
        assert queue.waiting.qsize() >= 1
        publisher.close()
        await running

    async def test_a_queue_failure_is_raised_and_the_next_update_succeeds(self, queue: FakeQueue) -> None:
        queue.faults.append(codes.QUEUE_UNAVAILABLE.error("not now"))
        publisher = QueuePublisher(cast("Queue", queue), CODEC, BatchLimits())
        running = asyncio.create_task(publisher.run())
        with pytest.raises(Unavailable):
            await publisher.submit([submission(MAIN, "ann")])
        assert [one.status for one in await publisher.submit([submission(MAIN, "ann")])] == ["pending"]
        publisher.close()
        await running
