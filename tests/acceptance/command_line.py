"""The real command line, as processes: commands that end, and commands that are killed."""

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

BOUND_S = 300.0  # no promise about speed: the longest a test waits for what must come
COMMAND = Path(sys.executable).with_name("scoreboard")


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until it holds. AssertionError when it does not within a generous bound."""
    given_up_at = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < given_up_at, f"never came true: {what}"
        time.sleep(0.005)


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

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
        """It failed with this status and one plain line with these words in it; the line."""
        assert self.status == status, self
        lines = self.err.splitlines()
        (line,) = [line for line in lines if line.startswith("scoreboard: ")]
        assert line == lines[-1], "what went wrong stands last"
        assert "Traceback" not in self.err
        assert "\x1b" not in self.err
        assert not self.out
        for word in words:
            assert word in line, line
        return line


class Running:
    """A command that goes on. What it prints is read while it does."""

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

    def says(self, words: str) -> None:
        """Wait until it did."""

        def said() -> bool:
            return words in self.err or self.process.poll() is not None

        until(said, words)
        assert words in self.err, self.err

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> Ended:
        """Ctrl-C, and its end."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> Ended:
        """Wait for its end."""
        status = self.process.wait(BOUND_S)
        return Ended(status, self.out, self.err)


class Served(Running):
    """A `serve` that answers."""

    @property
    def url(self) -> str:
        (line,) = [line for line in self.err.splitlines() if line.startswith("live page ")]
        return line.split()[-1].rstrip("/")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=BOUND_S) as answer:  # noqa: S310 - our own server
            return json.load(answer)

    def standings(self, app: str, board: str) -> list[tuple[str, int]]:
        """Players and scores of a whole board, best first, once it is ranked."""

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
    """A home, a data folder and an environment of its own."""

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
        """Run it to its end."""
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
        """Start it; it does not outlive the block."""
        self._runs += 1
        running = kind(arguments, self.environment, self.home / f"run-{self._runs}.log")
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.kill()

    @contextmanager
    def serving(self, *options: str) -> Iterator[Served]:
        """A `serve` of the data folder, on a free port unless options say which."""
        with self.started("serve", *(options or ("--port", "0")), kind=Served) as running:
            assert isinstance(running, Served)
            running.says("live page ")
            yield running

    def progress(self) -> dict[str, Any]:
        """What the one replay that there was has saved; empty before it has."""
        files = list(self.state.glob("scoreboard/replay/*.json"))
        assert len(files) <= 1
        return json.loads(files[0].read_text()) if files else {}
