"""A role with consumers that record.

`python consuming.py FOLDER NAMES ROLE --data DATA --port PORT` starts it. NAMES is a comma-separated list of consumers.
Each adds a line to FOLDER/NAME for each event, and returns when the line is on disk. A consumer whose name begins with
"flaky" often fails before or after that.
"""

import argparse
import asyncio
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path

import uvloop

from scoreboard.application.ports.outbox import ScoreUpdated
from scoreboard.bootstrap.mounting import PARTS
from scoreboard.bootstrap.serve import serve
from scoreboard.bootstrap.settings import load

FAILS = 0.3  # of the calls, before or after the events are recorded


class Recorder:
    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._fails = FAILS if name.startswith("flaky") else 0.0
        self._chance = random.Random()

    async def handle(self, events: Sequence[ScoreUpdated]) -> None:
        self._perhaps_fail()
        lines = "".join(json.dumps((one.event.hex(), one.player, one.score, one.version)) + "\n" for one in events)
        await asyncio.to_thread(self._record, lines.encode())
        self._perhaps_fail()

    def _perhaps_fail(self) -> None:
        if self._chance.random() < self._fails / 2:
            raise ConnectionError("the other side hung up")

    def _record(self, lines: bytes) -> None:
        os.write(self._file, lines)
        os.fsync(self._file)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("names")
    arguments.add_argument("role")
    arguments.add_argument("--data", type=Path)
    arguments.add_argument("--port", type=int)
    given = arguments.parse_args()
    consumers = [Recorder(name, given.folder / name) for name in given.names.split(",")]
    parts = PARTS if given.role == "serve" else frozenset({given.role})
    settings = load(os.environ, data=given.data, port=given.port)
    uvloop.run(serve(settings, parts=parts, consumers=consumers))


if __name__ == "__main__":
    main()
