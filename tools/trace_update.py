"""`python -m tools.trace_update`: print the path of one update, by layer and file.

The service runs embedded in this process, with one WebSocket subscriber. Some increments without an idempotency key
are traced by `sys.setprofile`, from the request to the subscriber's message. Only code under `src/` counts. Functions
that not every increment calls (a timer, a full cache) are left out. Comprehensions belong to the function that
contains them.
"""

import asyncio
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import aiohttp

import scoreboard
from harness.service import running

SOURCE = Path(scoreboard.__file__).parent
ROUNDS = 5
INSIDE = ("<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>")


class Step(NamedTuple):
    """A function, by its file below `src/scoreboard`."""

    file: str
    function: str

    @property
    def layer(self) -> str:
        return self.file.partition("/")[0]


class Trace:
    """The steps of one update, in order of their first call in each thread."""

    def __init__(self) -> None:
        self.calls: list[Step] = []
        self._steps: dict[CodeType, Step | None] = {}
        self._recording = False

    @contextmanager
    def recording(self) -> Iterator[list[Step]]:
        self.calls = []
        self._recording = True
        try:
            yield self.calls
        finally:
            self._recording = False

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        if self._recording and event == "call":
            code = frame.f_code
            if code not in self._steps:
                self._steps[code] = _step(code)
            step = self._steps[code]
            if step is not None:
                self.calls.append(step)


def _step(code: CodeType) -> Step | None:
    path = Path(code.co_filename)
    if not path.is_relative_to(SOURCE) or code.co_name in INSIDE:
        return None
    return Step(str(path.relative_to(SOURCE)), code.co_qualname)


async def trace_update() -> list[Step]:
    """Return the steps that every traced update takes, in order of their first call."""
    trace = Trace()
    threading.setprofile(trace.profile)
    sys.setprofile(trace.profile)
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with running(Path(folder) / "data") as service:
                return await _traced(service, trace)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def _traced(service: Any, trace: Trace) -> list[Step]:
    board = await service.board()
    server = service.client("server", "game")
    (await server.post(f"{board}/scores", {"player": "ann", "increment": 1})).ok()
    rounds: list[list[Step]] = []
    async with service.http.ws_connect(f"{service.url}/v1/live") as page:
        await page.send_json({"type": "subscribe", "app": "game", "board": "main"})
        await _score(page, 1)
        for score in range(2, ROUNDS + 2):
            await asyncio.sleep(0.1)  # the pause after a message is over
            with trace.recording() as calls:
                (await server.post(f"{board}/scores", {"player": "ann", "increment": 1})).ok()
                await _score(page, score)
            rounds.append(calls)
    every = set(rounds[0]).intersection(*rounds)
    return [step for step in rounds[-1] if step in every]


async def _score(page: aiohttp.ClientWebSocketResponse, score: int) -> None:
    """Wait for the board that shows this score."""
    async for message in page:
        top = message.json()
        if top["type"] == "top" and top["entries"][0]["score"] == score:
            return


def by_layer(calls: list[Step]) -> dict[str, tuple[int, int]]:
    """Count files and functions of each layer."""
    steps = dict.fromkeys(calls)
    layers = dict.fromkeys(step.layer for step in steps)
    return {
        layer: (
            len({step.file for step in steps if step.layer == layer}),
            len([step for step in steps if step.layer == layer]),
        )
        for layer in layers
    }


def main() -> None:
    calls = asyncio.run(trace_update())
    for layer, (files, functions) in by_layer(calls).items():
        print(f"{layer}: {files} files, {functions} functions")
        by_file: dict[str, list[str]] = {}
        for step in dict.fromkeys(calls):
            if step.layer == layer:
                by_file.setdefault(step.file, []).append(step.function)
        for file, functions_of_file in by_file.items():
            print(f"  {file}: {', '.join(functions_of_file)}")
    changes = sum(before.file != after.file for before, after in pairwise(calls))
    steps = set(calls)
    print(f"in all: {len({step.file for step in steps})} files, {len(steps)} functions, {changes} changes of file")


if __name__ == "__main__":
    main()
