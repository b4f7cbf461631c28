"""Importer: sends rows in batches, and continues after the last confirmed row when it is run again."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from scoreboard.cli import output
from scoreboard.cli.errors import HINTS, CommandError, UsageError
from scoreboard.cli.transfer import pace
from scoreboard.cli.transfer.progress import Confirmed, ProgressFile, display
from scoreboard.cli.transfer.rows import Row
from scoreboard.cli.transfer.source import Source


class RowResult(NamedTuple):
    """Result of one row: a status of its sink, or `refused` with a code and a detail.

    `proof` is the id under which the server has the row.
    """

    status: str
    proof: str | None = None
    code: str = ""
    detail: str = ""


class RowSink(Protocol):
    """Destination of rows. Sending a row again changes nothing."""

    batch_size: int
    statuses: tuple[str, ...]

    async def send(self, rows: Sequence[Row]) -> list[RowResult]:
        """Send rows and return their results in order. Raises CommandError if the server does not respond."""
        ...

    async def has(self, proof: str) -> bool:
        """Return whether the server still has the row with this id."""
        ...


@dataclass
class Refusal:
    """Rows that were refused for one reason, and the first of them."""

    rows: int
    line: int
    detail: str


@dataclass
class Summary:
    """Result of an import: rows by status, refusals by code."""

    confirmed_before: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: dict[str, Refusal] = field(default_factory=dict)
    proof: str | None = None
    seconds: float = 0.0

    def add(self, row: Row, result: RowResult) -> None:
        self.counts[result.status] += 1
        self.proof = result.proof or self.proof
        if result.status == "refused":
            self.refused.setdefault(result.code, Refusal(0, row.line, result.detail)).rows += 1


@dataclass(frozen=True)
class Importer:
    """Import of a source into an app or a board.

    `progress` is None for stdin. `speed` is the pace of a replay, None for as fast as possible.
    """

    source: Source
    sink: RowSink
    progress: ProgressFile | None
    label: str
    speed: float | None = None

    async def run(self, *, restart: bool = False) -> Summary:
        """Send the rows that are not confirmed yet, or all rows if `restart`."""
        confirmed = Confirmed() if restart else await self._load_confirmed()
        if confirmed.last:
            output.note(f"Continuing after row {confirmed.last:,}, which was confirmed before.")
        summary = Summary(confirmed.rows)
        started = time.monotonic()
        try:
            await self._send(confirmed, summary)
        except CommandError as error:
            if isinstance(error, UsageError) and not confirmed.rows:
                raise
            raise CommandError(f"{error}; {_how_to_continue(confirmed)}") from error
        except asyncio.CancelledError:
            output.note(f"Interrupted: {_how_to_continue(confirmed)}.")
            raise
        finally:
            if self.progress is not None and summary.counts:
                self.progress.save(confirmed, now=True)
        summary.seconds = time.monotonic() - started
        return summary

    async def _load_confirmed(self) -> Confirmed:
        """Return the stored progress, unless the app, board or data folder was deleted since then."""
        confirmed = Confirmed() if self.progress is None else self.progress.load()
        return confirmed if confirmed.proof is not None and await self.sink.has(confirmed.proof) else Confirmed()

    async def _send(self, confirmed: Confirmed, summary: Summary) -> None:
        rows = self.source.rows(after=confirmed.last)
        with display(self.label, self.source.total, confirmed.rows) as show:
            async for batch in pace.batches(rows, self.sink.batch_size, self.speed):
                for row, result in zip(batch, await self.sink.send(batch), strict=True):
                    summary.add(row, result)
                confirmed.last, confirmed.rows = batch[-1].number, confirmed.rows + len(batch)
                confirmed.proof = summary.proof or confirmed.proof
                if self.progress is not None:
                    self.progress.save(confirmed)
                show(confirmed.rows)

    def report(self, summary: Summary, place: str, *, as_json: bool) -> None:
        """Print the summary. Raises CommandError if rows were refused."""
        rows = summary.counts.total()
        if as_json:
            output.json(
                {
                    "rows": rows,
                    **{status: summary.counts[status] for status in self.sink.statuses},
                    "refused": summary.refused,
                    "confirmed_before": summary.confirmed_before,
                    "skipped": self.source.bad,
                    "seconds": round(summary.seconds, 3),
                    "rows_per_s": round(rows / summary.seconds, 1),
                }
            )
        else:
            print(
                f"Sent {output.count(rows, 'row')} of {self.source.name} to {place} in {summary.seconds:,.1f} s, "
                f"{rows / summary.seconds:,.0f} rows/s."
            )
            lines = [(summary.counts[status], status) for status in self.sink.statuses]
            for code, refusal in sorted(summary.refused.items(), key=lambda item: -item[1].rows):
                lines.append((refusal.rows, f"refused: {code}: {refusal.detail} (first in line {refusal.line:,})"))
            lines.append((summary.confirmed_before, "confirmed before, not sent again"))
            lines.append((self.source.bad, "bad, skipped"))
            for number, text in lines:
                if number or text in self.sink.statuses:
                    print(f"  {number:>12,}  {text}")
        if summary.refused:
            hints = [f" ({HINTS[code]})" for code in summary.refused if code in HINTS]
            text = f"{summary.counts['refused']:,} of {output.count(rows, 'row')} refused by the server"
            raise CommandError(text + "".join(hints[:1]))


def _how_to_continue(confirmed: Confirmed) -> str:
    return f"stopped after row {confirmed.last:,}; to continue, run the same command again; no row counts twice"
