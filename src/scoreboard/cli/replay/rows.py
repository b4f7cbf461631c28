"""The rows of a file: CSV with a header or NDJSON, plain or gzip, told apart by what is in it."""

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from scoreboard.cli import files
from scoreboard.cli.errors import UsageError
from scoreboard.domain.board import INT64_MAX, INT64_MIN
from scoreboard.domain.errors import Invalid
from scoreboard.domain.identifiers import check_player

COLUMNS = ("time", "player", "score")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


class Row(NamedTuple):
    """`number` counts the rows that are not blank from 1, bad ones too; `time` is in seconds since 1970."""

    number: int
    time: float
    player: str
    value: int


class BadRow(NamedTuple):
    """`line` is that of the file, unpacked, from 1."""

    number: int
    line: int
    problem: str


@dataclass(frozen=True)
class Survey:
    """What is in a file. `digest` is of its content, unpacked: the same rows packed are the same file."""

    path: Path
    digest: str
    rows: int
    bad: int


def survey(path: Path, *, skip_bad: bool) -> Survey:
    """Read it all once. Raises UsageError for what cannot be read and, unless `skip_bad`, at the first bad row."""
    digest = files.digest(path)
    good = bad = 0
    for row in read(path):
        if isinstance(row, Row):
            good += 1
            continue
        if not skip_bad:
            raise UsageError(f"{path}:{row.line}: {row.problem}; nothing was sent (--skip-bad leaves such rows out)")
        bad += 1
    return Survey(path, digest, good, bad)


def read(path: Path) -> Iterator[Row | BadRow]:
    """Its rows, in order. Raises UsageError for what cannot be read."""
    with files.opened(path) as file:
        lines = _ndjson(file) if files.is_ndjson(file) else _csv(path, file)
        yield from lines


def _csv(path: Path, file: BinaryIO) -> Iterator[Row | BadRow]:
    """A row is a line: no value that is allowed contains a line break."""
    with io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape") as text:
        width, places = _header(path, text.readline())
        number = 0
        for line, content in enumerate(text, 2):
            if not content.strip():
                continue
            number += 1
            fields = files.csv_fields(content)
            if fields is None:
                yield BadRow(number, line, "a quote is not closed, or in the wrong place")
            elif len(fields) != width:
                yield BadRow(number, line, f"{len(fields)} columns where the header has {width}")
            else:
                yield _from_text(number, line, *(fields[place] for place in places))


def _header(path: Path, line: str) -> tuple[int, list[int]]:
    """How many columns there are, and where those that matter stand."""
    columns = [name.strip().lower() for name in files.csv_fields(line) or ()]
    missing = [name for name in COLUMNS if columns.count(name) != 1]
    if missing:
        raise UsageError(f"{path}:1: the header needs one column {missing[0]!r}; it looks like: {','.join(COLUMNS)}")
    return len(columns), [columns.index(name) for name in COLUMNS]


def _from_text(number: int, line: int, time: str, player: str, score: str) -> Row | BadRow:
    try:
        seconds = math.nan if "_" in time else float(time)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        return BadRow(number, line, f"time {time[:60]!r} is not a number of seconds")
    if not _WHOLE.fullmatch(score.strip()):
        return BadRow(number, line, f"score {score[:60]!r} is not a whole number of 64 bits")
    return _checked(number, line, seconds, player, int(score))


class _Line(msgspec.Struct):
    time: float
    player: str
    score: int


def _ndjson(file: BinaryIO) -> Iterator[Row | BadRow]:
    decode = msgspec.json.Decoder(_Line).decode
    number = 0
    for line, text in enumerate(file, 1):
        content = text.removeprefix(b"\xef\xbb\xbf") if line == 1 else text
        if not content.strip():
            continue
        number += 1
        try:
            row = decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield BadRow(number, line, files.plain(error))
        else:
            yield _checked(number, line, row.time, row.player, row.score)


def _checked(number: int, line: int, time: float, player: str, value: int) -> Row | BadRow:
    try:
        check_player(player)
    except Invalid as error:
        return BadRow(number, line, f"player {player[:60]!r}: {error.detail}")
    if not INT64_MIN <= value <= INT64_MAX:
        return BadRow(number, line, "the score is beyond signed 64-bit integers")
    return Row(number, time, player, value)
