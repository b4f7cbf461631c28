"""Processes that start on one core, take orders, and are always stopped by pid."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import msgspec

from bench import cpu, wire

ROOT = Path(__file__).resolve().parent.parent
Message = TypeVar("Message")


class BenchError(Exception):
    """The reason why something cannot be measured."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free."""
    with socket.create_server((wire.HOST, 0)) as probe:
        return int(probe.getsockname()[1])


class Process:
    """A child process pinned to one core, in a session that Ctrl-C does not reach."""

    def __init__(
        self,
        command: Sequence[str],
        core: int,
        log: Path,
        *,
        pipes: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as output, cpu.pinned(core):
            self.child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self.child.pid

    def family(self) -> list[int]:
        """Return the process and its descendants."""
        return cpu.family(self.pid)

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-1500:]

    def stop(self, patience: float = 30.0) -> None:
        """Send SIGTERM; after `patience` seconds send SIGKILL to it and its descendants."""
        if self.child.poll() is None:
            family = self.family()
            self.child.terminate()
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                for pid in family:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(30.0 if kind is None else 5.0)


class Server(Process):
    """A process that serves HTTP on `port` and prints to its log."""

    def __init__(
        self, command: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port = port
        self.started = time.monotonic()
        super().__init__(command, cpu.SERVER_CORE, log, pipes=False, environment=environment)

    def wait(self, path: str, seconds: float) -> float:
        """Wait at most `seconds` until `path` is 200. Return the seconds since its start."""
        while time.monotonic() - self.started < seconds:
            if self.child.poll() is not None:
                raise BenchError(f"{self.child.args!r} ended with {self.child.returncode}:\n{self.tail()}")
            with suppress(OSError):
                if wire.call(self.port, "GET", path, timeout=seconds)[0] == 200:
                    return time.monotonic() - self.started
            time.sleep(0.01)
        raise BenchError(f"{path} was not 200 within {seconds:.0f} s:\n{self.tail()}")


class Worker(Process):
    """A module of the benchmark that takes orders and reports as JSON lines."""

    def __init__(self, module: str, log: Path) -> None:
        super().__init__([sys.executable, "-m", module], cpu.LOAD_CORE, log)

    def send(self, order: wire.Load | wire.Preload | wire.Open | wire.Fire | wire.Drain | wire.Lag) -> None:
        """Send an order."""
        if not self.child.stdin:
            raise BenchError("no pipe to the worker")
        self.child.stdin.write(msgspec.json.encode(order) + b"\n")
        self.child.stdin.flush()

    def receive(self, kind: type[Message]) -> Message:
        """Wait for its report."""
        text = self.child.stdout.readline() if self.child.stdout else b""
        if not text:
            raise BenchError(f"{self.child.args!r} ended:\n{self.tail()}")
        return msgspec.json.decode(text, type=kind)
