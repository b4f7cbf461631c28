"""What is RabbitMQ's own, on a real server."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from itertools import count

import aio_pika
import pytest
from structlog.typing import EventDict

from harness.ports import free_port
from harness.servers.processes import frozen
from harness.servers.rabbitmq import Broker
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.rabbitmq import queue as queue_module
from scoreboard.adapters.rabbitmq import reconnecting
from scoreboard.adapters.rabbitmq.queue import RabbitQueue, _Consumer, open_queue
from scoreboard.adapters.rabbitmq.topology import Topology, TopologyMismatch
from scoreboard.application.ports.queue import Delivery, Message
from scoreboard.domain.errors import Unavailable

NUMBERS = count(1)

pytestmark = pytest.mark.slow


@pytest.fixture
async def topology(rabbitmq: Broker) -> AsyncIterator[Topology]:
    made = Topology(f"unit-{os.getpid()}-{next(NUMBERS)}", shards=2, waits_s=(0.05, 0.1))
    yield made
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        for name in (made.exchange, *made.delays):
            await channel.exchange_delete(name)
        for name in (*dict(made.work), *made.delays, made.dead, made.takers):
            await channel.queue_delete(name)


@pytest.fixture
async def queue(rabbitmq: Broker, topology: Topology) -> AsyncIterator[RabbitQueue]:
    async with open_queue(rabbitmq.url, topology) as made:
        yield made


async def one(queue: RabbitQueue) -> Delivery:
    async with asyncio.timeout(BOUND_S):
        (delivery,) = await queue.receive(1)
    return delivery


async def accepted(queue: RabbitQueue, body: bytes) -> bool:
    try:
        await queue.publish([Message(body, "ann")])
    except Unavailable:
        return False
    return True


async def refused(queue: RabbitQueue) -> Unavailable:
    with pytest.raises(Unavailable) as error:
        await queue.publish([Message(b"refused", "ann")])
    assert (error.value.code, error.value.retry_after_s) == ("queue_unavailable", 1)
    return error.value


async def test_while_the_server_is_away_all_but_take_say_so(topology: Topology) -> None:
    async with open_queue(f"amqp://guest:guest@127.0.0.1:{free_port()}/", topology) as queue:
        delivery = Delivery(Message(b"", "ann"), redelivered=False)
        for call in (
            queue.publish([Message(b"", "ann")]),
            queue.ack([delivery]),
            queue.retry(delivery, b""),
            queue.dead_letter(delivery, b"", "poison"),
            queue.list_dead_letters(1),
            queue.requeue("letter", again=True),
            queue.count_waiting(),
        ):
            with pytest.raises(Unavailable) as error:
                await call
            assert error.value.code == "queue_unavailable"
        waiting = asyncio.create_task(queue.receive(1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        waiting.cancel()


async def test_a_password_is_not_logged(topology: Topology, logged: list[EventDict]) -> None:
    async with open_queue(f"amqp://guest:secret@127.0.0.1:{free_port()}/", topology) as queue:
        await refused(queue)
    assert logged
    assert "secret" not in repr(logged)


async def test_an_outage_is_one_line_of_the_log(
    topology: Topology, logged: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as nobody:
        port = nobody.sockets[0].getsockname()[1]
        async with open_queue(f"amqp://guest:guest@127.0.0.1:{port}/", topology) as queue:
            with pytest.raises(Unavailable):
                await queue.publish([Message(b"1", "ann")])
            await eventually(lambda: tries >= 5, "it is tried again")
    assert [entry["purpose"] for entry in logged] == ["declaring", "publishing"]
    assert not caplog.records


async def test_what_was_declared_in_another_way_is_told(rabbitmq: Broker, topology: Topology) -> None:
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        await channel.declare_queue(topology.dead, durable=True)
    with pytest.raises(TopologyMismatch, match=topology.exchange):
        async with open_queue(rabbitmq.url, topology):
            pass


async def test_many_may_declare_at_once(rabbitmq: Broker, topology: Topology) -> None:
    async def used() -> None:
        async with open_queue(rabbitmq.url, topology) as queue:
            await queue.publish([Message(b"here", "ann")])

    await asyncio.gather(*(used() for _ in range(5)))


async def test_a_server_out_of_memory_is_unavailable_and_comes_back(
    rabbitmq: Broker, queue: RabbitQueue, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    await queue.publish([Message(b"before", "ann")])
    await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "absolute", "1")
    try:
        with monkeypatch.context() as impatient:
            impatient.setattr(queue_module, "CALL_S", 1.0)
            assert [await refused(queue) for _ in range(3)]
        before = await one(queue)
        assert before.message.body == b"before"
        await queue.ack([before])  # who takes is not held up
    finally:
        await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "0.9")
    await eventually(lambda: accepted(queue, b"after"), "it takes messages again")
    said = [line["event"] for line in logged if line["event"] in {"queue_blocked", "queue_unblocked"}]
    assert said == ["queue_blocked", "queue_unblocked"]


async def test_a_queue_that_is_deleted_is_made_again(rabbitmq: Broker, topology: Topology, queue: RabbitQueue) -> None:
    waiting = asyncio.create_task(one(queue))
    await queue.publish([Message(b"before", "ann")])
    await queue.ack([await waiting])
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        for name in dict(topology.work):
            await channel.queue_delete(name)
    await eventually(lambda: accepted(queue, b"after"), "it takes messages again")
    assert (await one(queue)).message.body == b"after"


async def test_a_message_that_fails_is_not_redelivered_in_a_circle(rabbitmq: Broker, queue: RabbitQueue) -> None:
    await queue.publish([Message(b"failing", "ann")])
    before = await counters(rabbitmq)
    for _ in range(5):
        delivery = await one(queue)
        assert not delivery.redelivered
        await queue.retry(delivery, b"failing")
    await queue.ack([await one(queue)])
    after = await counters(rabbitmq)
    assert after["messages_redelivered_total"] == before["messages_redelivered_total"]
    assert after["messages_delivered_total"] - before["messages_delivered_total"] == 6


async def counters(rabbitmq: Broker) -> dict[str, int]:
    """The broker's own, of its quorum queues, since it started."""
    told = await asyncio.to_thread(rabbitmq.control, "eval", "rabbit_global_counters:overview().")
    (quorum,) = re.findall(r"\{queue_type,rabbit_quorum_queue\}\]\s*=>\s*#\{([^}]*)\}", told)
    return {name: int(value) for name, value in re.findall(r"(\w+)\s*=>\s*(\d+)", quorum)}


async def test_what_comes_while_other_queues_are_not_consumed_yet_can_be_done_with(
    rabbitmq: Broker, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = asyncio.Event()
    consume = _Consumer.consume

    async def held(taking: _Consumer, name: str, fetch_ahead: int) -> None:
        if name.endswith(".low"):
            await on.wait()
        await consume(taking, name, fetch_ahead)

    monkeypatch.setattr(_Consumer, "consume", held)
    async with open_queue(rabbitmq.url, topology) as queue:
        await queue.publish([Message(b"early", "ann", "high"), Message(b"sent again", "bob", "high")])
        first, second = await one(queue), await one(queue)
        await queue.ack([first])
        await queue.retry(second, b"again")
        on.set()
        assert (await one(queue)).message.body == b"again"
    async with open_queue(rabbitmq.url, topology) as other:
        assert [(await one(other)).message.body, await other.count_waiting()] == [b"again", 0]


async def test_what_cannot_be_acknowledged_comes_again(queue: RabbitQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    await queue.publish([Message(b"unheard", "ann")])
    delivery = await one(queue)

    async def not_sent(*_: object, **__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as stuck:
        stuck.setattr("aiormq.channel.Channel.basic_ack", not_sent)
        with pytest.raises(Unavailable):
            await queue.ack([delivery])
    again = await one(queue)
    assert (again.message.body, again.redelivered) == (b"unheard", True)
    await queue.ack([again])


async def test_closing_leaves_nothing_running(rabbitmq: Broker, topology: Topology) -> None:
    before = asyncio.all_tasks()
    async with open_queue(rabbitmq.url, topology) as queue:
        await queue.publish([Message(b"x", "ann")])
        await queue.dead_letter(await one(queue), b"x", "poison")
        assert len(await queue.list_dead_letters(1)) == 1
        waiting = asyncio.create_task(queue.receive(1))
    waiting.cancel()
    await eventually(lambda: asyncio.all_tasks() <= before, "all tasks have ended")


@pytest.mark.slow
async def test_a_high_update_overtakes_ten_thousand_low_ones(queue: RabbitQueue) -> None:
    await queue.publish([Message(b"low", str(n), "low") for n in range(10_000)])
    await queue.ack([await one(queue)])
    await queue.publish([Message(b"now", "ann", "high")])
    overtaken_by = 0
    while (delivery := await one(queue)).message.body != b"now":
        await queue.ack([delivery])
        overtaken_by += 1
    assert overtaken_by < 100
    assert await queue.count_waiting() > 9_000


async def test_a_process_that_joins_gets_its_share(rabbitmq: Broker, topology: Topology) -> None:
    """The broker gives every queue to who came first; under load that one passes some on."""
    taken: list[set[str]] = [set(), set()]
    lanes = [str(n) for n in range(20)]

    async def work(queue: RabbitQueue, mine: set[str]) -> None:
        while True:
            some = await queue.receive(10)
            await queue.ack(some)
            mine.update(delivery.message.partition_key for delivery in some)

    async with open_queue(rabbitmq.url, topology, share_every_s=0.1) as first:
        workers = [asyncio.create_task(work(first, taken[0]))]
        await first.publish([Message(b"x", lane) for lane in lanes])
        await eventually(lambda: taken[0] == set(lanes), "the first has them all")
        async with open_queue(rabbitmq.url, topology, share_every_s=0.1) as second:
            workers.append(asyncio.create_task(work(second, taken[1])))

            async def shared() -> bool:
                await first.publish([Message(b"x", lane) for lane in lanes])
                return bool(taken[1])

            await eventually(shared, "the second has some")
            taken[0].clear()
            taken[1].clear()

            async def both() -> bool:
                await first.publish([Message(b"x", lane) for lane in lanes])
                return taken[0] | taken[1] == set(lanes) and bool(taken[0]) and bool(taken[1])

            await eventually(both, "each has its part")
            for worker in workers:
                worker.cancel()


@pytest.mark.slow
async def test_a_server_that_does_not_answer_is_waited_for_once(
    rabbitmq: Broker, queue: RabbitQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await queue.publish([Message(b"before", "ann")])
    with frozen(rabbitmq.pid), monkeypatch.context() as impatient:
        impatient.setattr(queue_module, "CALL_S", 1.0)
        impatient.setattr(reconnecting, "CONNECT_S", 1.0)
        await refused(queue)
        await eventually(lambda: not_waiting(queue), "nobody waits any more")
    await eventually(lambda: accepted(queue, b"after"), "it takes messages again")


async def not_waiting(queue: RabbitQueue) -> bool:
    """It is refused before anything else is run that was due later."""
    putting = asyncio.create_task(queue.publish([Message(b"refused", "ann")]))
    await asyncio.sleep(0.05)
    done = putting.done()
    await asyncio.gather(putting, return_exceptions=True)
    return done
