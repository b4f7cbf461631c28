"""How far a long command is: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from scoreboard.cli import show

LINE_EVERY_S = 5.0


class Display(Protocol):
    def at(self, rows: int) -> None:
        """So many rows are done, of all."""
        ...


@contextmanager
def displayed(doing: str, total: int | None, done: int = 0) -> Iterator[Display]:
    """Shows how far it is until the context ends. `done` rows were so before; `total` is None while nobody knows."""
    if not sys.stderr.isatty():
        yield _Lines(total, done)
        return
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Bar(progress, total, done)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} rows/s")


class _Bar:
    def __init__(self, progress: Progress, total: int | None, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total, completed=done)

    def at(self, rows: int) -> None:
        self._progress.update(self._task, completed=rows)


class _Lines:
    def __init__(self, total: int | None, done: int) -> None:
        self._total = total
        self._last = done, time.monotonic()

    def at(self, rows: int) -> None:
        before, then = self._last
        passed = time.monotonic() - then
        if passed < LINE_EVERY_S:
            return
        self._last = rows, then + passed
        rate = (rows - before) / passed
        show.note(f"{rows:,}{self._of(rows, rate)}")

    def _of(self, rows: int, rate: float) -> str:
        if self._total is None:
            return f" rows, {rate:,.0f} rows/s"
        left = f", {(self._total - rows) / rate:,.0f} s left" if rate else ""
        return f" of {self._total:,} rows, {rate:,.0f} rows/s{left}"
