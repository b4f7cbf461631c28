"""Pseudo-terminal of a given size, and the text on it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.command_line import BOUND_S, COMMAND, CommandLine

HOME, OWN_SCREEN, OLD_SCREEN, CURSOR = "\x1b[H", "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """Terminal with the output of a command, which can be resized and signalled."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process = process
        self._ours = ours
        self._written = b""

    @property
    def written(self) -> str:
        return self._written.decode(errors="replace")

    @property
    def frame(self) -> list[str]:
        """Lines of the newest complete screen."""
        frames = self.written.split(HOME)
        return plain(frames[-2] if len(frames) > 1 else "")

    def shows(self, words: str) -> list[str]:
        """Wait until the newest screen contains these words, and return its lines."""
        deadline = time.monotonic() + BOUND_S
        while not any(words in line for line in self.frame):
            assert self.process.poll() is None, self.written
            assert time.monotonic() < deadline, (words, self.frame)
            self._read()
        return self.frame

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait(self, signal: int | None = None) -> int:
        """Send a signal, read the rest of the output, and return the exit status."""
        if signal is not None:
            self.process.send_signal(signal)
        deadline = time.monotonic() + BOUND_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.written
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 0.05)
        if not ready:
            return False
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # Linux reports a closed other side like this
            return False
        self._written += data
        return bool(data)


@contextmanager
def at_terminal(
    cli: CommandLine, *arguments: str, columns: int = 80, lines: int = 24, **more: str
) -> Iterator[Terminal]:
    """Run a command at a terminal, and kill it at the end of the block."""
    ours, theirs = pty.openpty()
    sized = {name: value for name, value in cli.environment.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**sized, "TERM": "xterm-256color", **more},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def plain(text: str) -> list[str]:
    """Return the lines of a text without control sequences and trailing spaces."""
    return [line.rstrip() for line in _CONTROL.sub("", text).split("\n")]
