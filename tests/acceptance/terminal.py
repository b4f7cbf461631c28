"""A terminal of a certain size, as a command meets it and a person reads it."""

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
    """What a command has written to it, and signals to the command."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process = process
        self._ours = ours
        self._written = b""

    @property
    def written(self) -> str:
        return self._written.decode(errors="replace")

    @property
    def frame(self) -> list[str]:
        """The lines of the newest whole screen."""
        frames = self.written.split(HOME)
        return plain(frames[-2] if len(frames) > 1 else "")

    def shows(self, words: str) -> list[str]:
        """Wait until the newest screen has these words in it; its lines."""
        given_up_at = time.monotonic() + BOUND_S
        while not any(words in line for line in self.frame):
            assert self.process.poll() is None, self.written
            assert time.monotonic() < given_up_at, (words, self.frame)
            self._read()
        return self.frame

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def ended(self, signal: int | None = None) -> int:
        """The exit status, after this signal; all that it wrote is read."""
        if signal is not None:
            self.process.send_signal(signal)
        given_up_at = time.monotonic() + BOUND_S
        while self.process.poll() is None:
            assert time.monotonic() < given_up_at, self.written
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
        except OSError:  # how Linux says that the other side is closed
            return False
        self._written += data
        return bool(data)


@contextmanager
def at_terminal(
    cli: CommandLine, *arguments: str, columns: int = 80, lines: int = 24, **more: str
) -> Iterator[Terminal]:
    """A command at a terminal of this size; it does not outlive the block."""
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
    """Its lines without control sequences and spaces at the end."""
    return [line.rstrip() for line in _CONTROL.sub("", text).split("\n")]
