"""Processes that are frozen, as on an overloaded machine."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.waiting import BOUND_S


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Freeze a process tree; a frozen server accepts connections but never answers."""
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
    """Yield each process before its children, because a stopped one cannot start more."""
    yield pid
    for child in children(pid):
        yield from _tree(child)


def stop(pid: int) -> None:
    """Stop a process, and wait for each of its threads.

    On a busy machine a thread may still answer after the signal was sent.
    """
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + BOUND_S
    while not all(_state(thread) in "TZX" for thread in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < end, f"{pid} does not stop"
        time.sleep(0.001)


def runs(pid: int) -> bool:
    """Return False for a process that is gone or a zombie."""
    return _state(Path(f"/proc/{pid}")) not in "ZX"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _state(task: Path) -> str:
    """Return the letter of proc(5)."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
