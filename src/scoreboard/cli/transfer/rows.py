"""Rows of files: structs as lines of CSV or NDJSON, written and read exactly."""

import csv
import functools
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from scoreboard.cli.errors import CommandError, UsageError
from scoreboard.cli.transfer import files
from scoreboard.cli.transfer.collections import RowType

Format: TypeAlias = Literal["ndjson", "csv"]
LISTS, JSON = {"regions"}, {"metadata"}  # columns that have more than plain text
SEPARATOR = ";"  # between the values of a list in one cell; ids do not contain it
# Spreadsheets take text that starts with one of these for a formula, at least in some languages. An apostrophe before
# it prevents that. Text that starts with an apostrophe gets one more, so that reading removes exactly one.
FORMULA = "=+-@\t\r＝＋－＠'"
_NUMBER = re.compile(r"-?[0-9]+")
_encoder = msgspec.json.Encoder()


class Row(NamedTuple):
    """Row of a file with its fields.

    `number` counts rows from 1, without blank lines. `line` counts all lines. `given` are the fields in the file.
    """

    number: int
    line: int
    item: Any
    given: frozenset[str]


class BadRow(NamedTuple):
    """A row that cannot be used."""

    line: int
    problem: str


@dataclass(frozen=True)
class Source:
    """File or stdin with rows of one kind.

    `digest` and `total` are None for stdin, which can be read only once. `bad` counts rows that are skipped.
    """

    file: str
    kind: RowType
    digest: str | None = None
    total: int | None = None
    bad: int = 0

    def rows(self, after: int) -> Iterator[Row]:
        """Read the rows after number `after` in order.

        Raises CommandError at a bad row of stdin.
        """
        for row in _read_file(self.file, self.kind):
            if isinstance(row, BadRow):
                if self.digest is None:
                    raise CommandError(f"stdin:{row.line}: {row.problem}")
            elif row.number > after:
                yield row


def check(file: str, kind: RowType, *, skip_bad: bool | None = None) -> Source:
    """Read a file completely, before anything is sent.

    Raises UsageError at the first bad row, unless `skip_bad`. None stands for commands without this option.
    """
    if file == files.STANDARD:
        return Source(file, kind)
    total = bad = 0
    for row in _read_file(file, kind):
        if isinstance(row, Row):
            total += 1
        elif skip_bad:
            bad += 1
        else:
            hint = " (--skip-bad skips such rows)" if skip_bad is False else ""
            raise UsageError(f"{file}:{row.line}: {row.problem}; nothing was sent{hint}")
    return Source(file, kind, files.digest(file), total, bad)


def header(columns: Sequence[str], form: Format) -> bytes:
    """Return the header of a file, which NDJSON does not have."""
    return b"" if form == "ndjson" else _to_csv([columns])


def lines(items: Sequence[msgspec.Struct], form: Format) -> bytes:
    """Return one line for each item."""
    if form == "ndjson":
        return _encoder.encode_lines(items)
    return _to_csv([_to_cell(getattr(item, name)) for name in item.__struct_fields__] for item in items)


def _to_csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _to_cell(value: object) -> str:
    """Return a value as a cell: text as it is, and most else as JSON."""
    if value is None or value is msgspec.UNSET:
        return ""
    if isinstance(value, list):
        return SEPARATOR.join(value)
    return protect(value if isinstance(value, str) else _encoder.encode(value).decode())


def protect(text: str) -> str:
    """Return text that spreadsheets do not take for a formula. Numbers stay numbers."""
    return f"'{text}" if text[:1] and text[0] in FORMULA and not _NUMBER.fullmatch(text) else text


def unprotect(cell: str) -> str:
    """Return the text that `protect` was given."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in FORMULA else cell


def _read_file(file: str, kind: RowType) -> Iterator[Row | BadRow]:
    with files.open_rows(file) as opened:
        yield from read(files.display_name(file), opened, kind)


def read(name: str, file: io.BufferedReader, kind: RowType) -> Iterator[Row | BadRow]:
    """Read all rows but blank lines. Raises UsageError for an invalid header."""
    if not file.peek(1) and kind.parse_cell is None:
        return
    decode = msgspec.json.Decoder(kind.struct, strict=kind.parse_cell is not None).decode
    is_ndjson = files.is_ndjson(file)
    fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode if is_ndjson else _csv_fields(name, file, kind)
    number = 0
    for line, content in enumerate(file, 1 if is_ndjson else 2):
        if not content.strip():
            continue
        number += 1
        try:
            given = fields(content.removeprefix(files.BOM) if line == 1 else content)
            yield Row(number, line, decode(_encoder.encode(given)), frozenset(given))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            yield BadRow(line, files.explain(error))


def _csv_fields(name: str, file: io.BufferedReader, kind: RowType) -> Callable[[bytes], dict[str, Any]]:
    """Read the header and return a function that reads a line."""
    columns = _read_header(name, file, kind)
    parse = kind.parse_cell or functools.partial(_parse_cell, kind.nullable)

    def fields(line: bytes) -> dict[str, Any]:
        cells = files.split_csv(line.decode())
        if cells is None:
            raise ValueError("a quote is not closed, or is in the wrong place")
        if len(cells) != len(columns):
            raise ValueError(f"the number of columns is {len(cells)}, but the header has {len(columns)}")
        values = {column: parse(column, cell) for column, cell in zip(columns, cells, strict=True) if column}
        return {column: value for column, value in values.items() if value is not None}

    return fields


def _read_header(name: str, file: io.BufferedReader, kind: RowType) -> list[str]:
    """Return the columns. An empty name stands for a column to ignore."""
    try:
        line = file.readline().decode("utf-8-sig")
    except UnicodeDecodeError:
        line = ""
    columns = [column.strip() for column in files.split_csv(line) or ()]
    if kind.parse_cell is not None:
        columns = [column.lower() if column.lower() in kind.columns else "" for column in columns]
    required = (kind.key,) if kind.parse_cell is None else kind.columns
    problems = [f"unknown column {column!r}" for column in columns if column and column not in kind.columns]
    problems += [f"missing column {column!r}" for column in required if column not in columns]
    problems += [f"duplicate column {column!r}" for column in kind.columns if columns.count(column) > 1]
    if problems:
        allowed = ",".join(kind.columns)
        raise UsageError(f"{name}:1: invalid header for {kind.plural}: {problems[0]}; allowed columns: {allowed}")
    return columns


def _parse_cell(nullable: frozenset[str], column: str, cell: str) -> msgspec.Raw | None:
    """Return a cell as JSON.

    An empty cell clears a nullable field. Otherwise it is None and changes nothing.
    """
    if column in LISTS:
        return msgspec.Raw(_encoder.encode([part.strip() for part in cell.split(SEPARATOR) if part.strip()]))
    if not cell:
        return msgspec.Raw(b"null") if column in nullable else None
    text = unprotect(cell)
    return msgspec.Raw(text.encode() if column in JSON else _encoder.encode(text))
