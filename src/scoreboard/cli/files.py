"""Files of rows: CSV with a header or NDJSON, plain or gzip, told apart by what is in them."""

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import msgspec

from scoreboard.cli.errors import UsageError

GZIP_MAGIC = b"\x1f\x8b"
CHUNK_BYTES = 1 << 20

_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.+?)`")
_EXPECTED = re.compile(r"Expected `(.+?)`( matching regex)?.*?(?: - at `\$\.(.+?)`)?$", re.DOTALL)
_CHOICE = re.compile(r"Invalid enum value (.+) - at `\$\.(.+?)`", re.DOTALL)
_WANTED = {"int": "a whole number", "int | str": "a whole number", "float": "a number", "str": "text"}
_WANTED |= {"bool": "true or false", "array": "a list", "object": "a JSON object"}


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """What is in it, unpacked. Raises UsageError for what cannot be read."""
    try:
        if not path.is_file():
            raise UsageError(f"{path} is not there" if not path.exists() else f"{path} is not a plain file")
        with path.open("rb") as packed, damage_told(str(path)):
            yield unpacked(packed)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error


def unpacked(packed: io.BufferedReader) -> io.BufferedReader:
    if packed.peek(2)[:2] != GZIP_MAGIC:
        return packed
    return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=packed)), CHUNK_BYTES)


@contextmanager
def damage_told(name: str) -> Iterator[None]:
    """UsageError for a packed file that is not whole."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{name} is damaged: {str(error) or 'it ends too early'}") from error


def digest(path: Path) -> str:
    """Of its content, unpacked: the same rows packed are the same file."""
    found = hashlib.sha256()
    with opened(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def is_ndjson(file: io.BufferedReader) -> bool:
    return file.peek(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def csv_fields(line: str) -> list[str] | None:
    """The fields of a line, None when its quotes make no sense. No value that is allowed contains a line break."""
    line = line.rstrip("\r\n")
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return None


def plain(error: Exception) -> str:
    """What is wrong with a row, for people."""
    if not isinstance(error, msgspec.ValidationError):
        return "this is not a JSON object in UTF-8"
    text = str(error)
    if field := _FIELD.match(text):
        return f"{field[2]!r} is missing" if field[1] == "missing required" else f"there is no {field[2]!r} here"
    if choice := _CHOICE.match(text):
        return f"{choice[2]!r} cannot be {choice[1]}"
    if expected := _EXPECTED.match(text):
        wanted, pattern, place = expected.groups()
        return f"{repr(place) if place else 'it'} is not {_WANTED['int'] if pattern else _WANTED.get(wanted, wanted)}"
    return text.replace("`", "'")
