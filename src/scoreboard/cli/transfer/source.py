"""Source: where the rows of an import come from: a file, looked through before anything is sent, or stdin."""

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

from scoreboard.cli import files
from scoreboard.cli.errors import CommandError, UsageError
from scoreboard.cli.transfer import rows
from scoreboard.cli.transfer.collection import Collection
from scoreboard.cli.transfer.export import STANDARD
from scoreboard.cli.transfer.rows import BadRow, Row


@dataclass(frozen=True)
class Source:
    """`digest` and `total` are None for stdin, which can be read only once."""

    file: str
    collection: Collection
    digest: str | None
    total: int | None

    @property
    def name(self) -> str:
        return "stdin" if self.file == STANDARD else self.file

    def rows(self) -> Iterator[Row]:
        """In order. Raises CommandError at a row that makes no sense: those before it were given."""
        for row in _read(self.file, self.collection):
            if isinstance(row, BadRow):
                raise CommandError(f"{self.name}:{row.line}: {row.problem}")
            yield row

    def batches(self, size: int, after: int) -> Iterator[list[Row]]:
        """The rows past number `after`, so many at a time, none twice in one batch."""
        every = (row for row in self.rows() if row.number > after)
        while batch := list(islice(every, size)):
            yield from _without_repeats(batch, self.collection.word)


def surveyed(file: str, collection: Collection) -> Source:
    """Raises UsageError for a file that cannot be read, or has a row that makes no sense."""
    if file == STANDARD:
        return Source(file, collection, None, None)
    total = 0
    for row in _read(file, collection):
        if isinstance(row, BadRow):
            raise UsageError(f"{file}:{row.line}: {row.problem}; nothing was sent")
        total += 1
    return Source(file, collection, files.digest(Path(file)), total)


def _read(file: str, collection: Collection) -> Iterator[Row | BadRow]:
    if file == STANDARD:
        with files.damage_told("stdin"):
            yield from rows.read("stdin", files.unpacked(cast("io.BufferedReader", sys.stdin.buffer)), collection)
        return
    with files.opened(Path(file)) as opened:
        yield from rows.read(file, opened, collection)


def _without_repeats(batch: list[Row], word: str) -> Iterator[list[Row]]:
    part: dict[object, Row] = {}
    for row in batch:
        if getattr(row.thing, word) in part:
            yield list(part.values())
            part = {}
        part[getattr(row.thing, word)] = row
    yield list(part.values())
