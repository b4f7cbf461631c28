"""Rows: a struct as a line of CSV or NDJSON, and back, exactly."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from scoreboard.cli import files
from scoreboard.cli.errors import UsageError
from scoreboard.cli.transfer.collection import Collection

Format: TypeAlias = Literal["ndjson", "csv"]
LISTS, JSON = {"regions"}, {"metadata"}  # columns of more than plain text
BETWEEN = ";"  # the values of a list in one cell; ids do not contain it
# What a spreadsheet takes for the beginning of a formula, at least in some languages. An apostrophe before it makes it
# text again; what begins with an apostrophe gets one more, so that reading takes exactly one away.
FORMULA = "=+-@\t\r＝＋－＠'"
_NUMBER = re.compile(r"-?[0-9]+")


class Row(NamedTuple):
    """`line` is that of the file, unpacked, from 1. `given` are the names of what stands there."""

    number: int
    line: int
    thing: Any
    given: frozenset[str]


class BadRow(NamedTuple):
    line: int
    problem: str


# Writing


def header(columns: Sequence[str], form: Format) -> bytes:
    return b"" if form == "ndjson" else _line(columns)


def written(things: Sequence[msgspec.Struct], form: Format) -> bytes:
    if form == "ndjson":
        return b"".join(msgspec.json.encode(thing) + b"\n" for thing in things)
    return b"".join(_line([_cell(getattr(thing, name)) for name in thing.__struct_fields__]) for thing in things)


def _line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    match value:
        case None | msgspec.UNSET:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return BETWEEN.join(value)
        case msgspec.Raw():
            return guarded(bytes(value).decode())
        case str():
            return guarded(value)
    return str(value)


def guarded(text: str) -> str:
    """Text that no spreadsheet runs; numbers stay numbers."""
    return f"'{text}" if text[:1] and text[0] in FORMULA and not _NUMBER.fullmatch(text) else text


def unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in FORMULA else cell


# Reading


def read(name: str, file: io.BufferedReader, collection: Collection) -> Iterator[Row | BadRow]:
    """The rows of a file, in order; blank lines are no rows. Raises UsageError for a header that makes no sense."""
    if not file.peek(1):
        return
    decode = msgspec.json.Decoder(collection.row, strict=False).decode
    fields, first = (_ndjson_fields, 1) if files.is_ndjson(file) else (_csv_fields(name, file, collection), 2)
    number = 0
    for line, content in enumerate(file, first):
        if not content.strip():
            continue
        number += 1
        try:
            given = fields(content.removeprefix(b"\xef\xbb\xbf") if line == 1 else content)
            yield Row(number, line, decode(_encode(given)), frozenset(given))
        except _NoRow as error:
            yield BadRow(line, str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            yield BadRow(line, files.plain(error))


_Fields: TypeAlias = dict[str, msgspec.Raw]
_encode = msgspec.json.Encoder().encode
_ndjson_fields = msgspec.json.Decoder(_Fields).decode


class _NoRow(Exception):
    pass


def _csv_fields(name: str, file: io.BufferedReader, collection: Collection) -> Callable[[bytes], _Fields]:
    """What reads a line, by the header."""
    columns = _header(name, file, collection)

    def fields(line: bytes) -> _Fields:
        cells = files.csv_fields(line.decode())
        if cells is None:
            raise _NoRow("a quote is not closed, or in the wrong place")
        if len(cells) != len(columns):
            raise _NoRow(f"{len(cells)} columns where the header has {len(columns)}")
        values = {column: _value(column, cell, collection) for column, cell in zip(columns, cells, strict=True)}
        return {column: value for column, value in values.items() if value is not None}

    return fields


def _header(name: str, file: io.BufferedReader, collection: Collection) -> list[str]:
    try:
        line = file.readline().decode("utf-8-sig")
    except UnicodeDecodeError:
        line = ""
    columns = [column.strip() for column in files.csv_fields(line) or ()]
    wrong = [column for column in columns if column not in collection.columns or columns.count(column) > 1]
    if wrong or collection.word not in columns:
        problem = f"no column {wrong[0]!r} belongs there" if wrong else f"it has no column {collection.word!r}"
        raise UsageError(
            f"{name}:1: this is no header of {collection.plural}: {problem}; "
            f"columns are: {','.join(collection.columns)}"
        )
    return columns


def _value(column: str, cell: str, collection: Collection) -> msgspec.Raw | None:
    """As JSON; None for an empty cell where there is always something, which so stays as it is."""
    if column in LISTS:
        return msgspec.Raw(_encode([part.strip() for part in cell.split(BETWEEN) if part.strip()]))
    if not cell:
        return msgspec.Raw(b"null") if column in collection.nullable else None
    text = unguarded(cell)
    return msgspec.Raw(text.encode() if column in JSON else _encode(text))
