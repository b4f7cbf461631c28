"""Client for programs without asyncio.

Each method runs the method of AsyncScoreboard in an event loop on a separate thread, so that both clients are one.
"""

import functools
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from scoreboard.client.aio import AsyncScoreboard
from scoreboard.client.loop_thread import LoopThread

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    method: Callable[Concatenate[AsyncScoreboard, P], Coroutine[Any, Any, T]],
) -> "Callable[Concatenate[Scoreboard, P], T]":
    """Return a method that waits for the result."""

    def call(self: "Scoreboard", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.run(method, self._scoreboard, *args, **kwargs)

    functools.update_wrapper(call, method)
    return call


def _iterating(
    method: Callable[Concatenate[AsyncScoreboard, P], AsyncGenerator[T, None]],
) -> "Callable[Concatenate[Scoreboard, P], Generator[T, None, None]]":
    """Return a generator that waits for each item."""

    def call(self: "Scoreboard", /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        items = method(self._scoreboard, *args, **kwargs)
        try:
            while item := self._thread.run(_next, items):
                yield item[0]
        finally:
            if not self._thread.stopped:
                self._thread.run(items.aclose)

    functools.update_wrapper(call, method)
    return call


async def _next(items: AsyncGenerator[T, None]) -> tuple[T] | None:
    """Return the next item in a tuple, as it may be falsy, and None at the end."""
    try:
        return (await anext(items),)
    except StopAsyncIteration:
        return None


class Scoreboard:
    """Client of one app, with the methods of AsyncScoreboard. Use it as a context manager, or close it.

    Threads can share a client. After a fork, each process needs its own. `on_state` of `watch` runs on the thread of
    the client, where the client must not be called.
    """

    def __init__(
        self,
        url: str | Callable[[], str | None],
        *,
        app: str,
        token: str | Callable[[], str | None] | None = None,
        timeout_s: float = 10.0,
        retry_for_s: float = 30.0,
    ) -> None:
        self._scoreboard = AsyncScoreboard(url, app=app, token=token, timeout_s=timeout_s, retry_for_s=retry_for_s)
        self._thread = LoopThread("scoreboard-client", self._scoreboard.close)
        self._end = weakref.finalize(self, self._thread.stop)

    def __repr__(self) -> str:
        return repr(self._scoreboard).removeprefix("Async")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections and end its thread. The client cannot be used again."""
        self._end()

    update = _blocking(AsyncScoreboard.update)
    update_many = _blocking(AsyncScoreboard.update_many)
    event = _blocking(AsyncScoreboard.event)
    top = _blocking(AsyncScoreboard.top)
    entries = _iterating(AsyncScoreboard.entries)
    standing = _blocking(AsyncScoreboard.standing)
    around = _blocking(AsyncScoreboard.around)
    query = _blocking(AsyncScoreboard.query)
    watch = _iterating(AsyncScoreboard.watch)
