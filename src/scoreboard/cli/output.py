"""Output of commands: tables for people, JSON for programs, notes on stderr."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from scoreboard.cli.errors import CommandError, UsageError

UNLIMITED_WIDTH = 10_000  # without a terminal there is no width to fit, and nothing is cut


def is_terminal() -> bool:
    """Return whether stdout is a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def note(line: str) -> None:
    """Print a remark to stderr, where it does not mix with the result."""
    print(line, file=sys.stderr, flush=True)


def error(line: str) -> None:
    """Print an error as one line to stderr."""
    note("scoreboard: " + " ".join(line.split()))


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 row` or `2,000 rows`."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def require_consent(action: str, *, yes: bool) -> None:
    """Ask before an action that cannot be undone, or require `--yes` in scripts."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this cannot be undone: {action}; to confirm, add --yes")
    question = f"{action[0].upper()}{action[1:]}? This cannot be undone. [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError("cancelled; nothing was changed")


def json(value: object) -> None:
    """Print a value as JSON to stdout."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str = "") -> None:
    """Print one line for each row, or the note `empty` if there is none."""
    if as_json:
        json(rows)
    elif rows:
        headers = (Column(column.replace("_", " "), overflow="fold") for column in columns)
        shown = Table(*headers, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for row in rows:
            shown.add_row(*(_cell(row.get(column)) for column in columns))
        renderable(shown)
    elif empty:
        note(empty)


def record(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one line for each field."""
    if as_json:
        json(fields)
        return
    shown = plain_table(Column(style="bold", no_wrap=True), Column(overflow="fold"))
    for name, value in fields.items():
        shown.add_row(Text(name.replace("_", " ")), _cell(value))
    renderable(shown)


def plain_table(*columns: Column) -> Table:
    """Return a table without a header and borders."""
    return Table(*columns, box=None, show_header=False, pad_edge=False)


def renderable(shown: RenderableType) -> None:
    """Print a rich renderable, as wide as the terminal."""
    width = None if sys.stdout.isatty() else UNLIMITED_WIDTH
    Console(width=width, markup=False, highlight=False, emoji=False).print(shown)


def _cell(value: Any) -> Text:
    if value is None or value == []:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return Text(", ".join(map(str, value)) if isinstance(value, list) else str(value))
