"""Files of rows: CSV with a header or NDJSON, plain or gzip."""

import csv
import gzip
import hashlib
import io
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import msgspec

from scoreboard.cli.errors import UsageError

STANDARD = "-"  # stdin or stdout instead of a file
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
CHUNK_BYTES = 1 << 20

_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.+?)`")
_EXPECTED = re.compile(r"Expected `(.+?)`( matching regex)?.*?(?: - at `\$\.(.+?)`)?$", re.DOTALL)
_CHOICE = re.compile(r"Invalid enum value (.+) - at `\$\.(.+?)`", re.DOTALL)
_TYPE_NAMES = {"int": "a whole number", "int | str": "a whole number", "float": "a number", "str": "text"}
_TYPE_NAMES |= {"bool": "true or false", "array": "a list", "object": "a JSON object"}


def display_name(file: str) -> str:
    """Return the name of a file for messages."""
    return "stdin" if file == STANDARD else file


@contextmanager
def open_rows(file: str) -> Iterator[io.BufferedReader]:
    """Open a file or stdin and unpack it. Raises UsageError if it cannot be read."""
    name, path = display_name(file), Path(file)
    try:
        if file == STANDARD:
            yield _unpack(cast("io.BufferedReader", sys.stdin.buffer))
            return
        if not path.is_file():
            raise UsageError(f"{file} is not a regular file" if path.exists() else f"{file} does not exist")
        with path.open("rb") as packed:
            yield _unpack(packed)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(f"{name} is damaged: {str(error) or 'it ends too early'}") from error
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror or error}") from error


def digest(file: str) -> str:
    """Return the digest of the unpacked content, which gzip does not change."""
    with open_rows(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def is_ndjson(file: io.BufferedReader) -> bool:
    """Return whether the content begins with an object."""
    return file.peek(64).removeprefix(BOM).lstrip().startswith(b"{")


def split_csv(line: str) -> list[str] | None:
    """Return the cells of a line, None if its quotes are wrong."""
    line = line.rstrip("\r\n")
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return None


def explain(error: Exception) -> str:
    """Return what is wrong with a row, in words for people."""
    if type(error) is ValueError:
        return str(error)
    if not isinstance(error, msgspec.ValidationError):
        is_text = not isinstance(error, UnicodeDecodeError)
        return "the line is not a JSON object in UTF-8" if is_text else "the line is not UTF-8"
    text = str(error)
    if field := _FIELD.match(text):
        return f"{field[2]!r} is missing" if field[1] == "missing required" else f"unknown field {field[2]!r}"
    if choice := _CHOICE.match(text):
        return f"{choice[2]!r} cannot be {choice[1]}"
    if expected := _EXPECTED.match(text):
        kind, pattern, field_name = expected.groups()
        name = repr(field_name) if field_name else "the row"
        return f"{name} must be {_TYPE_NAMES['int'] if pattern else _TYPE_NAMES.get(kind, kind)}"
    return text.replace("`", "'")


def _unpack(packed: io.BufferedReader) -> io.BufferedReader:
    if packed.peek(2)[:2] != GZIP_MAGIC:
        return packed
    return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=packed)), CHUNK_BYTES)
