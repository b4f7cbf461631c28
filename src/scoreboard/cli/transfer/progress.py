"""Progress of an import: a file with the last confirmed row, and a display.

Without the file, all rows are sent again; none counts twice.
"""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from scoreboard.cli import output

SAVED_EVERY_S = 0.25
LINE_EVERY_S = 5.0


class Confirmed(msgspec.Struct, forbid_unknown_fields=True):
    """Rows that the server confirmed: `rows` of them, up to number `last`.

    `proof` is the id of the last row that took effect. While the server has it, the rest is there too.
    """

    last: int = 0
    rows: int = 0
    proof: str | None = None


class ProgressFile:
    """File that stores which rows are confirmed.

    One belongs to a command, the digest of the rows, and a place on a server. Errors are reported once, and do not
    stop the import. Without a digest nothing is stored.
    """

    def __init__(self, command: str, digest: str | None, place: str, server: str) -> None:
        home = os.environ.get("XDG_STATE_HOME", "")
        base = Path(home) if home.startswith("/") else Path.home() / ".local" / "state"
        server_hash = hashlib.sha256(server.encode()).hexdigest()[:16]
        name = f"{str(digest)[:16]}-{place.replace('/', '-')}-{server_hash}.json"
        self._path = base / "scoreboard" / command / name
        self._stores = digest is not None
        self._saved_at = float("-inf")
        self._failed = False

    def load(self) -> Confirmed:
        """Return the stored state; nothing is confirmed if the file is absent or invalid."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Confirmed)
        except (OSError, msgspec.DecodeError):
            return Confirmed()

    def save(self, confirmed: Confirmed, *, now: bool = False) -> None:
        """Replace the file atomically, a few times a second unless `now`."""
        if not self._stores or (not now and time.monotonic() - self._saved_at < SAVED_EVERY_S):
            return
        self._saved_at = time.monotonic()
        draft = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(confirmed))
            draft.replace(self._path)
        except OSError as error:
            if not self._failed:
                output.note(f"Cannot store progress in {self._path.parent}: {error.strerror}. The import continues.")
            self._failed = True

    def delete(self) -> None:
        """Delete the file, so that the same import starts at the first row."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def display(label: str, total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show progress until the block ends: a bar, or lines without a terminal.

    The block calls the yielded function with the number of rows that are done. `total` is None if it is unknown.
    """
    if not sys.stderr.isatty():
        yield _line_printer(total, done)
        return
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), _RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, completed=done)
        yield lambda rows: progress.update(task, completed=rows)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} rows/s")


def _line_printer(total: int | None, done: int) -> Callable[[int], None]:
    before, printed_at = done, time.monotonic()

    def show(rows: int) -> None:
        nonlocal before, printed_at
        passed = time.monotonic() - printed_at
        if passed < LINE_EVERY_S:
            return
        rate = (rows - before) / passed
        before, printed_at = rows, printed_at + passed
        of = " rows" if total is None else f" of {total:,} rows"
        left = f", {(total - rows) / rate:,.0f} s left" if total is not None and rate else ""
        output.note(f"{rows:,}{of}, {rate:,.0f} rows/s{left}")

    return show
