"""Live boards that reconnect."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable

from scoreboard.client.live import ConnectionLost, State, Subscription
from scoreboard.client.results import LiveTop
from scoreboard.client.transport import Transport

log = logging.getLogger("scoreboard.client")


async def watch(
    transport: Transport, subscription: Subscription, on_state: Callable[[State], None]
) -> AsyncGenerator[LiveTop, None]:
    """Yield each newer board until cancelled. Raises errors that a reconnect would not fix."""
    while True:
        live_since: float | None = None
        on_state(State("connecting"))
        try:
            async with contextlib.aclosing(await transport.live()) as socket:
                for text in subscription.opening_messages(transport.token()):
                    await socket.send(text)
                while True:
                    received = subscription.receive(await socket.receive(promptly=live_since is None))
                    if received is not None and live_since is None:
                        live_since = time.monotonic()
                        on_state(State("live"))
                    if isinstance(received, LiveTop):
                        yield received
        except ConnectionLost as lost:
            waiting = subscription.next_wait(str(lost), 0.0 if live_since is None else time.monotonic() - live_since)
        on_state(waiting)
        await asyncio.sleep(waiting.in_s)


def log_state(board: str) -> Callable[[State], None]:
    """Return a function that logs lost connections of a board."""

    def on_state(state: State) -> None:
        if state.name == "waiting":
            log.warning("the live board %s: %s; trying again in %.1f s", board, state.reason, state.in_s)

    return on_state
