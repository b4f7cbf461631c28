import asyncio

from scoreboard.adapters.rabbitmq.priority_buffer import PriorityBuffer
from scoreboard.adapters.rabbitmq.topology import PRIORITIES
from scoreboard.application.ports.queue import Delivery, Message


def filled(**counts: int) -> PriorityBuffer:
    buffer = PriorityBuffer()
    for priority in PRIORITIES:
        for n in range(counts.get(priority, 0)):
            buffer.add(Delivery(Message(b"%d" % n, "ann", priority), redelivered=False))
    return buffer


async def test_a_round_is_eight_high_four_normal_and_one_low() -> None:
    buffer = filled(low=50, normal=50, high=50)
    for _ in range(3):
        found = [delivery.message.priority for delivery in await buffer.next(13)]
        assert found == ["high"] * 8 + ["normal"] * 4 + ["low"]


async def test_the_order_does_not_depend_on_the_batch_size() -> None:
    one, many = filled(low=20, normal=20, high=20), filled(low=20, normal=20, high=20)
    singly = [(await one.next(1))[0].message for _ in range(60)]
    assert singly == [delivery.message for delivery in await many.next(60)]


async def test_an_unused_share_goes_to_the_other_priorities() -> None:
    buffer = filled(low=10)
    assert [delivery.message.body for delivery in await buffer.next(99)] == [b"%d" % n for n in range(10)]


async def test_a_later_message_of_a_higher_priority_is_next() -> None:
    buffer = filled(low=100)
    await buffer.next(5)
    buffer.add(Delivery(Message(b"now", "ann", "high"), redelivered=False))
    assert [delivery.message.body for delivery in await buffer.next(1)] == [b"now"]


async def test_two_waiting_callers_get_one_message_each() -> None:
    buffer = PriorityBuffer()
    waiting = [asyncio.create_task(buffer.next(1)) for _ in range(2)]
    await asyncio.sleep(0)
    for body in (b"first", b"second"):
        buffer.add(Delivery(Message(body, "ann"), redelivered=False))
        await asyncio.sleep(0)
    found = await asyncio.gather(*waiting)
    assert sorted(delivery.message.body for (delivery,) in found) == [b"first", b"second"]
