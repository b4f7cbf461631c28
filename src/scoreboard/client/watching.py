"""A live board over connections that come and go."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable

from scoreboard.client.live import Lost, State, Subscription
from scoreboard.client.results import LiveTop
from scoreboard.client.transport import Transport

log = logging.getLogger("scoreboard.client")


async def watch(
    transport: Transport, subscription: Subscription, tell: Callable[[State], None]
) -> AsyncGenerator[LiveTop, None]:
    """Each newer board, for ever. `tell` hears how the connection is. Raises what the server refuses for good."""
    while True:
        live_since: float | None = None
        tell(State("connecting"))
        try:
            async with contextlib.aclosing(await transport.live()) as socket:
                for text in subscription.opening(transport.token()):
                    await socket.send(text)
                while True:
                    heard = subscription.received(await socket.receive(promptly=live_since is None))
                    if heard is not None and live_since is None:
                        live_since = time.monotonic()
                        tell(State("live"))
                    if isinstance(heard, LiveTop):
                        yield heard
        except Lost as lost:
            waiting = subscription.lost(str(lost), 0.0 if live_since is None else time.monotonic() - live_since)
        tell(waiting)
        await asyncio.sleep(waiting.in_s)


def logged(board: str) -> Callable[[State], None]:
    """Tells the log, where nobody else wants to hear it."""

    def tell(state: State) -> None:
        if state.name == "waiting":
            log.warning("the live board %s: %s; trying again in %.1f s", board, state.reason, state.in_s)

    return tell
