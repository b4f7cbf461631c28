"""Sources of rows: files, which are read completely before anything is sent, and stdin."""

from collections.abc import Iterator
from dataclasses import dataclass

from scoreboard.cli.errors import CommandError, UsageError
from scoreboard.cli.transfer import files, rows
from scoreboard.cli.transfer.collections import RowType
from scoreboard.cli.transfer.rows import BadRow, Row


@dataclass(frozen=True)
class Source:
    """Rows of one kind. `digest` and `total` are None for stdin, which can be read only once.

    `bad` counts rows that cannot be used and are skipped.
    """

    file: str
    kind: RowType
    digest: str | None = None
    total: int | None = None
    bad: int = 0

    @property
    def name(self) -> str:
        return "stdin" if self.file == files.STANDARD else self.file

    def rows(self, after: int) -> Iterator[Row]:
        """Read the rows after number `after` in order. Raises CommandError at a bad row of stdin."""
        for row in _read(self.file, self.kind):
            if isinstance(row, BadRow):
                if self.digest is None:
                    raise CommandError(f"{self.name}:{row.line}: {row.problem}")
            elif row.number > after:
                yield row


def check(file: str, kind: RowType, *, skip_bad: bool | None = None) -> Source:
    """Read a file completely. Raises UsageError at the first bad row, unless `skip_bad`.

    None stands for commands without this option.
    """
    if file == files.STANDARD:
        return Source(file, kind)
    total = bad = 0
    for row in _read(file, kind):
        if isinstance(row, Row):
            total += 1
        elif skip_bad:
            bad += 1
        else:
            hint = " (--skip-bad skips such rows)" if skip_bad is False else ""
            raise UsageError(f"{file}:{row.line}: {row.problem}; nothing was sent{hint}")
    return Source(file, kind, files.digest(file), total, bad)


def _read(file: str, kind: RowType) -> Iterator[Row | BadRow]:
    with files.open_rows(file) as opened:
        yield from rows.read("stdin" if file == files.STANDARD else file, opened, kind)
