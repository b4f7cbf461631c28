"""Processes that are stopped, as if the machine gave them no time."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.waiting import BOUND_S


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Neither it runs nor any process below it: a server takes connections, and answers nothing."""
    stopped: list[int] = []
    try:
        for one in _tree(pid):
            stop(one)
            stopped.append(one)
        yield
    finally:
        for one in stopped:
            os.kill(one, signal.SIGCONT)


def _tree(pid: int) -> Iterator[int]:
    """Each before those below it: one that has stopped starts no more."""
    yield pid
    for child in children(pid):
        yield from _tree(child)


def stop(pid: int) -> None:
    """Returns when every thread of it has stopped: on a busy machine one may answer after the signal was sent."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + BOUND_S
    while not all(_state(thread) in "TZX" for thread in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < end, f"{pid} does not stop"
        time.sleep(0.001)


def runs(pid: int) -> bool:
    """A dead one, which waits for whoever inherited it, does not."""
    return _state(Path(f"/proc/{pid}")) not in "ZX"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _state(task: Path) -> str:
    """A letter, as in proc(5)."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
