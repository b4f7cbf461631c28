"""Waiting for a condition, with a generous bound."""

import asyncio
from collections.abc import Awaitable, Callable

BOUND_S = 120.0  # the longest a test waits for what must come; no promise about speed
PATIENCE = 60.0  # the factor for time-outs of servers, so that a busy machine does not look like an outage


async def eventually(condition: Callable[[], Awaitable[object] | object], what: str = "") -> None:
    """Wait until the condition holds; AssertionError after BOUND_S."""
    loop = asyncio.get_running_loop()
    until = loop.time() + BOUND_S
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return
        assert loop.time() < until, f"never came true: {what or condition}"
        await asyncio.sleep(0.005)
