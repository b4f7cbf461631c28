"""An event loop on a thread of its own, for code that does not run in one."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class LoopThread:
    """Started when there is first something to run: until then its process may fork. `at_end` is the last that runs."""

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
        """What the work returns or raises. An interrupt, such as Ctrl-C, cancels the work and waits for its end."""
        task: list[asyncio.Task[T]] = []
        ended = threading.Event()

        async def working() -> T:
            return await work(*args, **kwargs)

        def begin() -> None:
            task.append(self._loop.create_task(working()))
            task[0].add_done_callback(lambda _: ended.set())

        def cancel() -> None:  # comes after `begin`, if the interrupt let that be scheduled
            task[0].cancel() if task else ended.set()

        try:
            self._schedule(begin)
            ended.wait()
        except RuntimeError:  # nothing was begun
            raise
        except BaseException:
            self._schedule(cancel)
            ended.wait()
            raise
        if task[0].cancelled():
            raise RuntimeError("this client was closed meanwhile")
        return task[0].result()

    def stop(self) -> None:
        """Cancel all work and end the thread; nothing runs after that."""
        with self._lock:
            self.stopped = True
            if self._thread is None or self._process != os.getpid() or not self._thread.is_alive():
                return
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _schedule(self, callback: Callable[[], None]) -> None:
        with self._lock:  # what is scheduled before the stop is run before it
            self._start()
            self._loop.call_soon_threadsafe(callback)

    def _start(self) -> None:
        if self.stopped:
            raise RuntimeError("this client is closed")
        if self._thread is None:
            self._process = os.getpid()
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()
        if self._thread is threading.current_thread():
            raise RuntimeError("this client cannot be called from its own thread")
        if self._process != os.getpid():
            raise RuntimeError("this client was used before the process forked; make one in each process")
        self._ready.wait()

    def _serve(self) -> None:
        asyncio.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stopping.wait()
        await self._at_end()
