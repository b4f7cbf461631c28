import asyncio
from collections.abc import Sequence
from itertools import count, pairwise

import pytest

from harness.waiting import BOUND_S, eventually
from scoreboard.application.ports.queue import Delivery, Message, Queue
from scoreboard.domain.board import Priority
from scoreboard.domain.errors import Unavailable
from tests.ports.backends import QueueBackend


def messages(count: int, key: str = "ann", priority: Priority = "normal") -> list[Message]:
    return [Message(f"{key} {priority} {i}".encode(), key, priority) for i in range(count)]


def bodies(deliveries: Sequence[Delivery]) -> list[bytes]:
    return [delivery.message.body for delivery in deliveries]


async def receive(queue: Queue, most: int = 1) -> Sequence[Delivery]:
    async with asyncio.timeout(BOUND_S):
        return await queue.receive(most)


async def receive_and_ack(queue: Queue, count: int) -> list[Delivery]:
    """Receive so many messages, and acknowledge each before more are received."""
    found: list[Delivery] = []
    while len(found) < count:
        some = await receive(queue, count - len(found))
        await queue.ack(some)
        found += some
    return found


async def one(queue: Queue) -> Delivery:
    (delivery,) = await receive(queue)
    return delivery


async def test_a_message_is_received_unchanged(queue: Queue) -> None:
    sent = Message(bytes(range(256)), "Zoë/\n", "high", 3)
    await queue.publish([sent])
    delivery = await one(queue)
    assert (delivery.message, delivery.redelivered) == (sent, False)


async def test_an_empty_body_is_a_message_but_an_empty_list_is_none(queue: Queue) -> None:
    await queue.publish([])
    await queue.publish([Message(b"", "")])
    assert (await one(queue)).message == Message(b"", "")


async def test_a_message_may_have_128_kib(queue: Queue) -> None:
    sent = Message(b"x" * 131_072, "ann")
    await queue.publish([sent])
    assert (await one(queue)).message == sent
    with pytest.raises(ValueError, match="131072"):
        await queue.publish([sent._replace(body=sent.body + b"x")])


async def test_messages_of_a_partition_key_keep_their_order(queue: Queue) -> None:
    by_key = {key: messages(60, key) for key in ("ann", "bob", "zoe")}
    for some in zip(*by_key.values(), strict=True):
        await queue.publish(some)
    found = await receive_and_ack(queue, 180)
    for key, sent in by_key.items():
        assert [d.message for d in found if d.message.partition_key == key] == sent


async def test_messages_of_one_call_keep_their_order(queue: Queue) -> None:
    sent = messages(200)
    await queue.publish(sent)
    assert [d.message for d in await receive_and_ack(queue, 200)] == sent


async def test_a_call_receives_at_most_the_requested_number(queue: Queue) -> None:
    await queue.publish(messages(10))
    first = await receive(queue, 4)
    assert 1 <= len(first) <= 4
    rest = [d for _ in range(10 - len(first)) for d in await receive(queue, 1)]
    assert bodies([*first, *rest]) == [m.body for m in messages(10)]


async def test_a_waiting_consumer_gets_the_next_message(queue: Queue) -> None:
    waiting = asyncio.create_task(receive(queue))
    await asyncio.sleep(0)
    await queue.publish(messages(1))
    assert bodies(await waiting) == [messages(1)[0].body]


async def test_a_cancelled_consumer_loses_nothing(queue: Queue) -> None:
    sent = messages(30)
    found: list[Delivery] = []
    publishing = asyncio.create_task(queue.publish(sent))
    while len(found) < 30:
        waiting = asyncio.create_task(queue.receive(2))
        for _ in range(len(found) % 5):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        found += [] if waiting.cancelled() else waiting.result()
        if len(found) < 30:
            found += await receive(queue, 1)
    await publishing
    assert [d.message for d in found] == sent


class TestAtLeastOnce:
    async def test_an_acknowledged_message_is_not_redelivered(self, queues: QueueBackend) -> None:
        queue = await queues.open()
        await queue.publish(messages(3))
        await receive_and_ack(queue, 3)
        await queues.leave(queue)
        again = await queues.open()
        await again.publish([Message(b"new", "ann")])
        assert (await one(again)).message.body == b"new"

    async def test_unacknowledged_messages_are_redelivered_in_order(self, queues: QueueBackend) -> None:
        queue = await queues.open()
        await queue.publish(messages(5))
        first = await one(queue)
        second = await one(queue)
        await queue.ack([second])
        await queues.leave(queue)
        again = await queues.open()
        found = await receive_and_ack(again, 4)
        assert bodies(found) == [m.body for m in (messages(5)[0], *messages(5)[2:])]
        assert found[0].redelivered
        assert first.message == found[0].message

    async def test_a_repeated_acknowledgement_changes_nothing(self, queue: Queue) -> None:
        await queue.publish(messages(2))
        first = await one(queue)
        await queue.ack([first, first])
        await queue.ack([first])
        await queue.retry(first, b"again")
        await queue.dead_letter(first, b"dead", "done already")
        await queue.ack([await one(queue)])
        assert await queue.list_dead_letters(10) == []
        assert await queue.count_waiting() == 0

    @pytest.mark.slow
    async def test_a_server_that_is_killed_loses_nothing(self, queues: QueueBackend) -> None:
        queue = await queues.open()
        await queue.publish(messages(40))
        before = await receive(queue, 10)
        await queue.dead_letter(before[0], b"dead", "poison")
        await queues.restart()
        await eventually(lambda: reachable(queue), "the queue is reachable again")
        await queue.ack(before)  # of a closed connection: they are redelivered
        await queue.publish([Message(b"after", "ann")])
        found: set[bytes] = set()
        while b"after" not in found:
            some = await receive(queue, 10)
            await queue.ack(some)
            found |= set(bodies(some))
        assert {m.body for m in messages(40)[1:]} <= found
        assert [one.message.body for one in await queue.list_dead_letters(5)] == [b"dead"]

    @pytest.mark.slow
    async def test_messages_confirmed_while_the_server_is_killed_are_not_lost(self, queues: QueueBackend) -> None:
        queue = await queues.open()
        confirmed: set[bytes] = set()

        async def publish(key: str) -> None:
            for n in count():
                body = f"{key} {n}".encode()
                try:
                    await queue.publish([Message(body, key)])
                except Unavailable:
                    return
                confirmed.add(body)

        publishing = [asyncio.create_task(publish(str(key))) for key in range(50)]
        await eventually(lambda: len(confirmed) > 500, "many are confirmed")
        await queues.restart()
        await asyncio.gather(*publishing)
        await eventually(lambda: reachable(queue), "the queue is reachable again")
        found: set[bytes] = set()
        while not confirmed <= found:
            some = await receive(queue, 50)
            await queue.ack(some)
            found |= set(bodies(some))


async def reachable(queue: Queue) -> bool:
    try:
        await queue.count_waiting()
        await queue.publish([])
        await queue.ack([])
    except Unavailable:
        return False
    return True


class TestPriorities:
    async def test_a_higher_priority_overtakes_a_lower_one(self, queue: Queue) -> None:
        await queue.publish(messages(300, priority="low"))
        first = await one(queue)
        await queue.publish(messages(1, priority="high"))
        await queue.ack([first])
        place = 0
        while (delivery := await one(queue)).message.priority != "high":
            await queue.ack([delivery])
            place += 1
        assert place < 64  # of the 299 earlier messages, a few were already in flight

    async def test_every_priority_gets_its_share(self, queue: Queue) -> None:
        for each in (20, 300):
            for priority in ("low", "normal", "high"):
                await queue.publish(messages(each, priority=priority))
            if each == 20:
                await receive_and_ack(queue, 60)  # a consumer of every queue is running then
        priorities = [delivery.message.priority for delivery in await receive_and_ack(queue, 300)]
        assert priorities.count("high") > priorities.count("low") > 0
        assert "normal" in priorities


class TestRetries:
    async def test_a_retry_has_the_next_attempt_and_a_new_body(self, queue: Queue) -> None:
        await queue.publish([Message(b"0", "ann", "high")])
        for attempt in range(5):
            delivery = await one(queue)
            assert delivery.message == Message(b"%d" % attempt, "ann", "high", attempt)
            await queue.retry(delivery, b"%d" % (attempt + 1))

    async def test_a_retry_does_not_delay_later_messages(self, queue: Queue) -> None:
        await queue.publish(messages(2))
        await queue.retry(await one(queue), b"again")
        assert [d.message.attempt for d in await receive_and_ack(queue, 2)] == [0, 1]

    async def test_a_retry_survives_its_sender(self, queues: QueueBackend) -> None:
        queue = await queues.open()
        await queue.publish(messages(1))
        await queue.retry(await one(queue), b"again")
        await queues.leave(queue)
        found = await receive_and_ack(await queues.open(), 1)
        assert [d.message for d in found] == [Message(b"again", "ann", attempt=1)]


class TestDeadLetters:
    async def test_dead_letters_are_listed_oldest_first_and_stay(self, queue: Queue) -> None:
        await queue.publish([message._replace(priority="low", attempt=2) for message in messages(5)])
        for i in range(5):
            await queue.dead_letter(await one(queue), b"dead %d" % i, f"reason {i}")
        for most in (5, 2, 9):
            letters = await queue.list_dead_letters(most)
            assert [letter.message for letter in letters] == [
                Message(b"dead %d" % i, "ann", "low", 2) for i in range(min(most, 5))
            ]
            assert [letter.reason for letter in letters] == [f"reason {i}" for i in range(min(most, 5))]
            assert all(a.since <= b.since for a, b in pairwise(letters))
            assert len({letter.id for letter in letters}) == len(letters)
        assert await queue.count_waiting() == 0

    async def test_a_requeued_dead_letter_is_a_new_message_or_dropped(self, queue: Queue) -> None:
        await queue.publish(messages(3))
        for _ in range(3):
            delivery = await one(queue)
            await queue.dead_letter(delivery, delivery.message.body, "poison")
        first, second, third = await queue.list_dead_letters(5)
        assert await queue.requeue(second.id, again=True)
        assert await queue.requeue(third.id, again=False)
        assert not await queue.requeue(second.id, again=True)
        assert not await queue.requeue("nobody", again=False)
        assert await queue.list_dead_letters(5) == [first]
        assert (await one(queue)).message == messages(3)[1]

    async def test_dead_letters_survive_their_sender(self, queues: QueueBackend) -> None:
        queue = await queues.open()
        await queue.publish(messages(1))
        await queue.dead_letter(await one(queue), b"dead", "poison")
        await queues.leave(queue)
        assert [letter.reason for letter in await (await queues.open()).list_dead_letters(1)] == ["poison"]


class TestManyProcesses:
    async def test_each_message_goes_to_one_process(self, queues: QueueBackend) -> None:
        first, second = await queues.open(), await queues.open()
        sent = [message for key in "abcdefgh" for message in messages(30, key)]
        found: list[bytes] = []

        async def work(queue: Queue) -> None:
            while True:
                some = await queue.receive(7)
                await queue.ack(some)
                found.extend(bodies(some))

        workers = [asyncio.create_task(work(queue)) for queue in (first, second)]
        await first.publish(sent[:120])
        await second.publish(sent[120:])
        await eventually(lambda: len(found) >= len(sent), "all are received")
        for worker in workers:
            worker.cancel()
        assert sorted(found) == sorted(message.body for message in sent)

    async def test_another_process_gets_the_messages_of_one_that_ended(self, queues: QueueBackend) -> None:
        first, second = await queues.open(), await queues.open()
        await first.publish(messages(20))
        await receive(first, 5)
        other = asyncio.create_task(receive_and_ack(second, 20))
        await queues.leave(first)
        assert bodies(await other) == [message.body for message in messages(20)]


class TestServerFaults:
    async def test_a_message_without_a_route_is_refused_and_the_route_is_restored(
        self, queues: QueueBackend, queue: Queue
    ) -> None:
        await queue.publish(messages(1))
        await queues.unbind()
        with pytest.raises(Unavailable) as refused:
            await queue.publish(messages(1))
        assert refused.value.code == "queue_unavailable"

        async def accepted() -> bool:
            try:
                await queue.publish([Message(b"after", "ann")])
            except Unavailable:
                return False
            return True

        await eventually(accepted, "the route is restored")
        assert bodies(await receive_and_ack(queue, 2)) == [messages(1)[0].body, b"after"]

    async def test_messages_in_flight_are_not_counted_as_waiting(self, queue: Queue) -> None:
        assert await queue.count_waiting() == 0
        await queue.publish(messages(100))
        assert await queue.count_waiting() == 100
        some = [d for _ in range(3) for d in await receive(queue)]
        await eventually(lambda: counted(queue, 97), "messages in flight do not count")
        await queue.retry(some[0], b"later")
        await queue.dead_letter(some[1], b"dead", "poison")
        await queue.ack(some[2:])
        await eventually(lambda: counted(queue, 98), "a retry counts")


async def counted(queue: Queue, count: int) -> bool:
    return await queue.count_waiting() == count


async def test_dead_letters_are_counted(queue: Queue) -> None:
    assert await queue.count_dead_letters() == 0
    await queue.publish(messages(2))
    for delivery in [await one(queue), await one(queue)]:
        await queue.dead_letter(delivery, delivery.message.body, "why")

    async def both() -> bool:
        return await queue.count_dead_letters() == 2

    await eventually(both, "both are counted")
    assert await queue.count_waiting() == 0
