"""Event loop on a separate thread, for code without asyncio."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LoopThread:
    """Thread with an event loop, started by the first call, so that the process may fork before it.

    `at_end` runs last.
    """

    def __init__(self, name: str, at_end: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._at_end = at_end
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self.stopped = False

    def run(self, work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of a coroutine. An interrupt such as Ctrl-C cancels it and waits for its end."""
        task: list[asyncio.Task[T]] = []
        ended = threading.Event()

        async def working() -> T:
            return await work(*args, **kwargs)

        def begin() -> None:
            task.append(self._loop.create_task(working()))
            task[0].add_done_callback(lambda _: ended.set())

        def cancel() -> None:  # runs after `begin`, if that was scheduled before the interrupt
            task[0].cancel() if task else ended.set()

        try:
            self._schedule(begin)
            ended.wait()
        except RuntimeError:  # nothing was started
            raise
        except BaseException:
            self._schedule(cancel)
            ended.wait()
            raise
        if task[0].cancelled():
            raise RuntimeError("this client was closed during the call")
        return task[0].result()

    def stop(self) -> None:
        """Cancel all calls and end the thread."""
        with self._lock:
            self.stopped = True
            if self._thread is None or self._process != os.getpid() or not self._thread.is_alive():
                return
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _schedule(self, callback: Callable[[], None]) -> None:
        with self._lock:  # callbacks that are scheduled before the stop run before it
            self._start()
            self._loop.call_soon_threadsafe(callback)

    def _start(self) -> None:
        if self.stopped:
            raise RuntimeError("this client is closed")
        if self._thread is None:
            self._process = os.getpid()
            self._thread = threading.Thread(
                target=lambda: asyncio.run(self._until_stopped()), name=self._name, daemon=True
            )
            self._thread.start()
        if self._thread is threading.current_thread():
            raise RuntimeError("this client cannot be called from its own thread; use AsyncScoreboard there")
        if self._process != os.getpid():
            raise RuntimeError("this client was used before the process forked; create one in each process")
        self._ready.wait()

    async def _until_stopped(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stopping.wait()
        await self._at_end()
