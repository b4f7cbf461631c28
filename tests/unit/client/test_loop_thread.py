"""Work of plain programs in an event loop of its own."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from scoreboard.client.loop_thread import LoopThread


class Ends:
    """Counts how often it was asked to end."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def thread(ends: Ends) -> Iterator[LoopThread]:
    thread = LoopThread("test", ends)
    yield thread
    thread.stop()


async def name_of_thread() -> str:
    return threading.current_thread().name


async def broken() -> None:
    raise KeyError("why")


def test_work_is_done_elsewhere_and_its_result_comes_back(thread: LoopThread) -> None:
    assert thread.run(name_of_thread) == "test"
    with pytest.raises(KeyError, match="why"):
        thread.run(broken)


def test_nothing_is_started_before_it_is_needed(thread: LoopThread, ends: Ends) -> None:
    before = threading.active_count()
    thread.stop()
    assert (threading.active_count(), ends.count) == (before, 0)


def test_after_the_stop_nothing_runs(thread: LoopThread, ends: Ends) -> None:
    thread.run(name_of_thread)
    thread.stop()
    thread.stop()
    assert ends.count == 1
    with pytest.raises(RuntimeError, match="is closed"):
        thread.run(name_of_thread)


def test_a_stop_ends_work_that_others_wait_for(thread: LoopThread) -> None:
    began = threading.Event()
    raised: list[BaseException] = []

    async def endless() -> None:
        began.set()
        await asyncio.Event().wait()

    def waiting() -> None:
        try:
            thread.run(endless)
        except RuntimeError as error:
            raised.append(error)

    waiter = threading.Thread(target=waiting)
    waiter.start()
    began.wait()
    thread.stop()
    waiter.join()
    assert [str(error) for error in raised] == ["this client was closed during the call"]


def test_an_interrupt_cancels_the_work_and_waits_for_its_end(thread: LoopThread) -> None:
    ended = threading.Event()

    async def endless() -> None:
        try:
            await asyncio.sleep(0.05)  # the caller waits by then
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        thread.run(endless)
    assert ended.is_set()


def test_its_own_thread_cannot_wait_for_itself(thread: LoopThread) -> None:
    async def inner() -> None:
        thread.run(name_of_thread)

    with pytest.raises(RuntimeError, match="own thread"):
        thread.run(inner)


def test_a_forked_process_is_told_to_make_its_own(thread: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    thread.run(name_of_thread)
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: 0)
        with pytest.raises(RuntimeError, match="one in each process"):
            thread.run(name_of_thread)
    assert thread.run(name_of_thread) == "test"
