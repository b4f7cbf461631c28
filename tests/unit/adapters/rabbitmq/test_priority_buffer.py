import asyncio

from scoreboard.adapters.rabbitmq.priority_buffer import PriorityBuffer
from scoreboard.application.ports.queue import Delivery, Message
from scoreboard.domain.board import Priority


def filled(**counts: int) -> PriorityBuffer:
    tiers = PriorityBuffer()
    names: dict[str, Priority] = {"high": "high", "normal": "normal", "low": "low"}
    for tier, count in counts.items():
        for n in range(count):
            tiers.add(Delivery(Message(b"%d" % n, "ann", names[tier]), redelivered=False))
    return tiers


async def test_a_round_is_eight_four_and_one_the_higher_first() -> None:
    tiers = filled(low=50, normal=50, high=50)
    for _ in range(3):
        found = [delivery.message.priority for delivery in await tiers.next(13)]
        assert found == ["high"] * 8 + ["normal"] * 4 + ["low"]


async def test_one_at_a_time_is_the_same_order() -> None:
    one, many = filled(low=20, normal=20, high=20), filled(low=20, normal=20, high=20)
    singly = [(await one.next(1))[0].message for _ in range(60)]
    assert singly == [delivery.message for delivery in await many.next(60)]


async def test_a_share_that_nobody_wants_goes_to_the_others() -> None:
    tiers = filled(low=10)
    assert [delivery.message.body for delivery in await tiers.next(99)] == [b"%d" % n for n in range(10)]


async def test_a_higher_tier_that_comes_later_is_next() -> None:
    tiers = filled(low=100)
    await tiers.next(5)
    tiers.add(Delivery(Message(b"now", "ann", "high"), redelivered=False))
    assert [delivery.message.body for delivery in await tiers.next(1)] == [b"now"]


async def test_two_that_wait_get_one_each() -> None:
    tiers = PriorityBuffer()
    waiting = [asyncio.create_task(tiers.next(1)) for _ in range(2)]
    await asyncio.sleep(0)
    for body in (b"first", b"second"):
        tiers.add(Delivery(Message(body, "ann"), redelivered=False))
        await asyncio.sleep(0)
    found = await asyncio.gather(*waiting)
    assert sorted(delivery.message.body for (delivery,) in found) == [b"first", b"second"]
