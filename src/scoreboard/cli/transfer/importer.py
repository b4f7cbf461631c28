"""Importer: sends rows in batches, and resumes after the last confirmed row."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from itertools import islice

from scoreboard.cli import output
from scoreboard.cli.errors import HINTS, CommandError, UsageError
from scoreboard.cli.transfer.files import display_name
from scoreboard.cli.transfer.progress import Confirmed, ProgressFile, display
from scoreboard.cli.transfer.rows import Row, Source
from scoreboard.cli.transfer.sinks import RowResult, RowSink


@dataclass
class Refusal:
    """Rows that were refused for one reason, and the first of them."""

    rows: int
    line: int
    detail: str


@dataclass
class Importer:
    """Import of a source into a place: an app or a board.

    `speed` is the pace of a replay, None for as fast as possible. `counts` has the rows by status, `refusals` by code.
    """

    source: Source
    sink: RowSink
    progress: ProgressFile
    label: str
    place: str
    speed: float | None = None
    counts: Counter[str] = field(default_factory=Counter)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    confirmed_before: int = 0
    seconds: float = 0.0

    async def run(self, *, restart: bool = False) -> None:
        """Send the rows that are not confirmed yet, or all rows if `restart`."""
        confirmed = Confirmed() if restart else self.progress.load()
        if confirmed.proof is None or not await self.sink.has(confirmed.proof):
            confirmed = Confirmed()  # the app, the board or the data folder was deleted
        if confirmed.last:
            output.note(f"Continuing after row {confirmed.last:,}, the last one that was confirmed.")
        self.confirmed_before = confirmed.rows
        started = time.monotonic()
        try:
            await self._send(confirmed)
        except CommandError as error:
            if isinstance(error, UsageError) and not confirmed.rows:
                raise
            raise CommandError(f"{error}; {_how_to_continue(confirmed)}") from error
        except asyncio.CancelledError:
            output.note(f"Interrupted: {_how_to_continue(confirmed)}.")
            raise
        finally:
            if self.counts:
                self.progress.save(confirmed, now=True)
        self.seconds = time.monotonic() - started

    async def _send(self, confirmed: Confirmed) -> None:
        rows = self.source.rows(after=confirmed.last)
        with display(self.label, self.source.total, confirmed.rows) as show:
            async for batch in batches(rows, self.sink.batch_size, self.speed):
                for row, result in zip(batch, await self.sink.send(batch), strict=True):
                    self._count(row, result)
                    confirmed.proof = result.proof or confirmed.proof
                confirmed.last, confirmed.rows = batch[-1].number, confirmed.rows + len(batch)
                self.progress.save(confirmed)
                show(confirmed.rows)

    def _count(self, row: Row, result: RowResult) -> None:
        self.counts[result.status] += 1
        if result.status == "refused":
            self.refusals.setdefault(result.code, Refusal(0, row.line, result.detail)).rows += 1

    def report(self, *, as_json: bool) -> None:
        """Print the result. Raises CommandError if rows were refused."""
        rows = self.counts.total()
        if as_json:
            output.json(
                {
                    "rows": rows,
                    **{status: self.counts[status] for status in self.sink.statuses},
                    "refused": self.refusals,
                    "confirmed_before": self.confirmed_before,
                    "skipped": self.source.bad,
                    "seconds": round(self.seconds, 3),
                    "rows_per_s": round(rows / self.seconds, 1),
                }
            )
        else:
            name = display_name(self.source.file)
            pace = f"in {self.seconds:,.1f} s, {rows / self.seconds:,.0f} rows/s"
            print(f"Sent {output.count(rows, 'row')} from {name} to {self.place} {pace}.")
            lines = [(self.counts[status], status) for status in self.sink.statuses]
            for code, refusal in sorted(self.refusals.items(), key=lambda item: -item[1].rows):
                lines.append((refusal.rows, f"refused: {code}: {refusal.detail} (first in line {refusal.line:,})"))
            lines.append((self.confirmed_before, "already confirmed, not sent again"))
            lines.append((self.source.bad, "invalid, skipped"))
            for number, text in lines:
                if number or text in self.sink.statuses:
                    print(f"  {number:>12,}  {text}")
        if self.refusals:
            hints = [f" ({HINTS[code]})" for code in self.refusals if code in HINTS]
            text = f"{self.counts['refused']:,} of {output.count(rows, 'row')} refused by the server"
            raise CommandError(text + "".join(hints[:1]))


async def batches(rows: Iterable[Row], size: int, speed: float | None) -> AsyncIterator[list[Row]]:
    """Gather rows into batches of at most `size`, and yield each when it is due.

    The first row is due immediately, and so is a row whose time is before that of the previous row.
    """
    if speed is None:
        remaining = iter(rows)
        while batch := list(islice(remaining, size)):
            yield batch
        return
    now = asyncio.get_running_loop().time
    started, origin = now(), None
    batch = []
    for row in rows:
        if origin is None:
            origin = row.item.time
        due = started + (row.item.time - origin) / speed
        if batch and (due > now() or len(batch) == size):
            yield batch
            batch = []
        if (wait := due - now()) > 0:
            await asyncio.sleep(wait)
        batch.append(row)
    if batch:
        yield batch


def _how_to_continue(confirmed: Confirmed) -> str:
    return f"stopped after row {confirmed.last:,}; to continue, run the same command again; no row counts twice"
