"""The behaviour that is specific to RabbitMQ, on a real server."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count

import aio_pika
import pytest
from structlog.typing import EventDict

from harness.ports import free_port
from harness.servers.processes import frozen
from harness.servers.rabbitmq import TIMEOUTS, Broker, open_queue
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.rabbitmq.queue import RabbitQueue, _Consumer
from scoreboard.adapters.rabbitmq.topology import Topology, TopologyMismatch
from scoreboard.application.ports.queue import Delivery, Message
from scoreboard.domain.errors import Unavailable

NUMBERS = count(1)

pytestmark = pytest.mark.slow


@pytest.fixture
async def topology(rabbitmq: Broker) -> AsyncIterator[Topology]:
    topology = Topology(f"unit-{os.getpid()}-{next(NUMBERS)}", shards=2, waits_s=(0.05, 0.1))
    yield topology
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        for name in (topology.exchange, *topology.delays):
            await channel.exchange_delete(name)
        for name in (*dict(topology.work), *topology.delays, topology.dead, topology.takers):
            await channel.queue_delete(name)


@pytest.fixture
async def queue(rabbitmq: Broker, topology: Topology) -> AsyncIterator[RabbitQueue]:
    async with open_queue(rabbitmq.url, topology) as opened:
        yield opened


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


async def test_while_the_server_is_down_all_methods_but_receive_raise_unavailable(topology: Topology) -> None:
    async with open_queue(f"amqp://guest:guest@127.0.0.1:{free_port()}/", topology) as queue:
        delivery = Delivery(Message(b"", "ann"), redelivered=False)
        for call in (
            queue.publish([Message(b"", "ann")]),
            queue.ack([delivery]),
            queue.retry(delivery, b""),
            queue.dead_letter(delivery, b"", "poison"),
            queue.list_dead_letters(1),
            queue.requeue("letter", again=True),
            queue.count_dead_letters(),
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


async def test_an_outage_is_logged_once(
    topology: Topology, logged: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    attempts = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as nobody:
        port = nobody.sockets[0].getsockname()[1]
        async with open_queue(f"amqp://guest:guest@127.0.0.1:{port}/", topology) as queue:
            with pytest.raises(Unavailable):
                await queue.publish([Message(b"1", "ann")])
            await eventually(lambda: attempts >= 5, "it reconnects")
    assert [entry["purpose"] for entry in logged] == ["declaring", "publishing"]
    assert not caplog.records


async def test_a_queue_with_other_arguments_raises_an_error(rabbitmq: Broker, topology: Topology) -> None:
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        await channel.declare_queue(topology.dead, durable=True)
    with pytest.raises(TopologyMismatch, match=topology.exchange):
        async with open_queue(rabbitmq.url, topology):
            pass


async def test_concurrent_processes_can_declare_the_queues(rabbitmq: Broker, topology: Topology) -> None:
    async def use() -> None:
        async with open_queue(rabbitmq.url, topology) as queue:
            await queue.publish([Message(b"here", "ann")])

    await asyncio.gather(*(use() for _ in range(5)))


async def test_a_server_out_of_memory_is_unavailable_until_it_has_memory(
    rabbitmq: Broker, topology: Topology, logged: list[EventDict]
) -> None:
    timeouts = replace(TIMEOUTS, blocked_s=0.25)
    async with open_queue(rabbitmq.url, topology, timeouts=timeouts) as queue:
        await queue.publish([Message(b"before", "ann")])
        await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "absolute", "1")
        try:
            assert [await refused(queue) for _ in range(3)]
            before = await one(queue)
            assert before.message.body == b"before"
            await queue.ack([before])  # Consumers are not blocked.
        finally:
            await asyncio.to_thread(rabbitmq.control, "set_vm_memory_high_watermark", "0.9")
        await eventually(lambda: accepted(queue, b"after"), "the broker accepts messages again")
    events = [line["event"] for line in logged if line["event"] in {"queue_blocked", "queue_unblocked"}]
    assert events == ["queue_blocked", "queue_unblocked"]


async def test_a_deleted_queue_is_declared_again(rabbitmq: Broker, topology: Topology, queue: RabbitQueue) -> None:
    waiting = asyncio.create_task(one(queue))
    await queue.publish([Message(b"before", "ann")])
    await queue.ack([await waiting])
    async with await aio_pika.connect(rabbitmq.url) as connection, connection.channel() as channel:
        for name in dict(topology.work):
            await channel.queue_delete(name)
    await eventually(lambda: accepted(queue, b"after"), "the broker accepts messages again")
    assert (await one(queue)).message.body == b"after"


async def test_a_retried_message_is_not_redelivered_in_a_loop(rabbitmq: Broker, queue: RabbitQueue) -> None:
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
    """Return the broker's counters of quorum queues since its start."""
    text = await asyncio.to_thread(rabbitmq.control, "eval", "rabbit_global_counters:overview().")
    (quorum,) = re.findall(r"\{queue_type,rabbit_quorum_queue\}\]\s*=>\s*#\{([^}]*)\}", text)
    return {name: int(value) for name, value in re.findall(r"(\w+)\s*=>\s*(\d+)", quorum)}


async def test_a_message_can_be_acknowledged_before_all_queues_are_consumed(
    rabbitmq: Broker, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    resume = asyncio.Event()
    consume = _Consumer.consume

    async def delayed(consumer: _Consumer, name: str, prefetch: int) -> None:
        if name.endswith(".low"):
            await resume.wait()
        await consume(consumer, name, prefetch)

    monkeypatch.setattr(_Consumer, "consume", delayed)
    async with open_queue(rabbitmq.url, topology) as queue:
        await queue.publish([Message(b"early", "ann", "high"), Message(b"sent again", "bob", "high")])
        first, second = await one(queue), await one(queue)
        await queue.ack([first])
        await queue.retry(second, b"again")
        resume.set()
        assert (await one(queue)).message.body == b"again"
    async with open_queue(rabbitmq.url, topology) as other:
        assert [(await one(other)).message.body, await other.count_waiting()] == [b"again", 0]


async def test_a_message_is_redelivered_after_a_failed_ack(queue: RabbitQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    await queue.publish([Message(b"unacknowledged", "ann")])
    delivery = await one(queue)

    async def not_sent(*_: object, **__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as stuck:
        stuck.setattr("aiormq.channel.Channel.basic_ack", not_sent)
        with pytest.raises(Unavailable):
            await queue.ack([delivery])
    again = await one(queue)
    assert (again.message.body, again.redelivered) == (b"unacknowledged", True)
    await queue.ack([again])


async def test_closing_ends_all_tasks(rabbitmq: Broker, topology: Topology) -> None:
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
    overreceived_by = 0
    while (delivery := await one(queue)).message.body != b"now":
        await queue.ack([delivery])
        overreceived_by += 1
    assert overreceived_by < 100
    assert await queue.count_waiting() > 9_000


async def test_a_new_process_gets_its_share_of_the_queues(rabbitmq: Broker, topology: Topology) -> None:
    """The broker gives each queue to the first consumer, which leaves some under load."""
    received: list[set[str]] = [set(), set()]
    keys = [str(n) for n in range(20)]

    async def work(queue: RabbitQueue, own: set[str]) -> None:
        while True:
            some = await queue.receive(10)
            await queue.ack(some)
            own.update(delivery.message.partition_key for delivery in some)

    async with open_queue(rabbitmq.url, topology, rebalance_s=0.1) as first:
        workers = [asyncio.create_task(work(first, received[0]))]
        await first.publish([Message(b"x", key) for key in keys])
        await eventually(lambda: received[0] == set(keys), "the first process receives all keys")
        async with open_queue(rabbitmq.url, topology, rebalance_s=0.1) as second:
            workers.append(asyncio.create_task(work(second, received[1])))

            async def shared() -> bool:
                await first.publish([Message(b"x", key) for key in keys])
                return bool(received[1])

            await eventually(shared, "the second process receives some")
            received[0].clear()
            received[1].clear()

            async def both() -> bool:
                await first.publish([Message(b"x", key) for key in keys])
                return received[0] | received[1] == set(keys) and bool(received[0]) and bool(received[1])

            await eventually(both, "each process receives a part")
            for worker in workers:
                worker.cancel()


@pytest.mark.slow
async def test_only_the_first_calls_wait_for_a_server_that_does_not_respond(
    rabbitmq: Broker, topology: Topology
) -> None:
    timeouts = replace(TIMEOUTS, call_s=1.0, connect_s=1.0)
    async with open_queue(rabbitmq.url, topology, timeouts=timeouts) as queue:
        await eventually(lambda: accepted(queue, b"before"), "the broker accepts messages")
        with frozen(rabbitmq.pid):
            await refused(queue)
            await eventually(lambda: fails_at_once(queue), "calls no longer wait")
        await eventually(lambda: accepted(queue, b"after"), "the broker accepts messages again")


async def fails_at_once(queue: RabbitQueue) -> bool:
    publishing = asyncio.create_task(queue.publish([Message(b"refused", "ann")]))
    await asyncio.sleep(0.05)
    failed = publishing.done()
    await asyncio.gather(publishing, return_exceptions=True)
    return failed
