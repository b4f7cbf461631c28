"""Command line in processes, which end or are killed."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOUND_S = 300.0  # far longer than any wait takes; tests make no promise about speed
COMMAND = Path(sys.executable).with_name("scoreboard")


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until a condition holds. Raises AssertionError after a generous time."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.005)


@dataclass(frozen=True)
class Ended:
    """Result of a command."""

    status: int
    out: str
    err: str

    def ok(self) -> "Ended":
        assert self.status == 0, self
        assert "Traceback" not in self.err
        return self

    @property
    def json(self) -> Any:
        return json.loads(self.ok().out)

    def failed(self, status: int, *words: str) -> str:
        """Return the error line, after a check of the exit status and of its words."""
        assert self.status == status, self
        lines = self.err.splitlines()
        (line,) = [line for line in lines if line.startswith("scoreboard: ")]
        assert line == lines[-1], "the error is the last line"
        assert "Traceback" not in self.err
        assert "\x1b" not in self.err
        assert not self.out
        for word in words:
            assert word in line, line
        return line


class Running:
    """A running command, whose output can be read at any time."""

    def __init__(self, arguments: Sequence[str | Path], environment: dict[str, str], log: Path) -> None:
        self._log = log
        self._out = log.with_suffix(".out")
        with log.open("wb") as err, self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment
            )

    @property
    def err(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def out(self) -> str:
        return self._out.read_text(errors="replace")

    def wait_for(self, words: str) -> None:
        """Wait until stderr contains these words."""
        until(lambda: words in self.err or self.process.poll() is not None, words)
        assert words in self.err, self.err

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> Ended:
        """Send Ctrl-C and return the result."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> Ended:
        """Wait for the end and return the result."""
        status = self.process.wait(BOUND_S)
        return Ended(status, self.out, self.err)


class Served(Running):
    """A running `serve`."""

    @property
    def url(self) -> str:
        (line,) = [line for line in self.err.splitlines() if line.startswith("live page ")]
        return line.split()[-1].rstrip("/")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=BOUND_S) as response:  # noqa: S310 - our own server
            return json.load(response)

    def standings(self, app: str, board: str) -> list[tuple[str, int]]:
        """Return the players and scores of a board, best first, once it is ranked."""

        def ready() -> bool:
            try:
                self.get("/health/ready")
            except urllib.error.HTTPError as error:
                error.close()
                return False
            return True

        until(ready, "the ranking is loaded")
        page = self.get(f"/v1/apps/{app}/boards/{board}/top?limit=1000")
        assert page["total"] == len(page["entries"])
        return [(entry["player"], entry["score"]) for entry in page["entries"]]


class CommandLine:
    """Command line with its own home, data folder and environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "data"
        self.state = home / "state"
        self._runs = 0
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SCOREBOARD_")}
        self.environment = {
            **plain,
            "HOME": str(home),
            "XDG_STATE_HOME": str(self.state),
            "SCOREBOARD_DATA": str(self.data),
            "NO_COLOR": "1",
            "COLUMNS": "120",
        }

    def run(self, *arguments: str | Path, given: str = "", **environment: str) -> Ended:
        """Run a command and return its result."""
        done = subprocess.run(
            [COMMAND, *arguments],
            input=given.encode(),
            capture_output=True,
            timeout=BOUND_S,
            env={**self.environment, **environment},
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def started(self, *arguments: str | Path, kind: type[Running] = Running) -> Iterator[Running]:
        """Start a command, and kill it at the end of the block."""
        self._runs += 1
        running = kind(arguments, self.environment, self.home / f"run-{self._runs}.log")
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.kill()

    @contextmanager
    def serving(self, *options: str) -> Iterator[Served]:
        """Run `serve` on the data folder, on a free port unless options are given."""
        with self.started("serve", *(options or ("--port", "0")), kind=Served) as running:
            assert isinstance(running, Served)
            running.wait_for("live page ")
            yield running

    def progress(self) -> dict[str, Any]:
        """Return the progress file of the only replay, empty if there is none yet."""
        files = list(self.state.glob("scoreboard/replay/*.json"))
        assert len(files) <= 1
        return json.loads(files[0].read_text()) if files else {}
