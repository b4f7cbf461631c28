"""What commands print: tables for people, JSON for machines, a line for what went wrong. Colours on a terminal only."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

WIDE = 10_000  # where no terminal sets a width, nothing is cut


def is_terminal() -> bool:
    """Whether stdout is a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def note(line: str) -> None:
    """A line beside the result, such as what to do next: to stderr, where it is in no program's way."""
    print(line, file=sys.stderr, flush=True)


def error(line: str) -> None:
    note("scoreboard: " + " ".join(line.split()))


def counted(number: int, word: str, words: str | None = None) -> str:
    """So many of them: 1 row, 2,000 rows."""
    return f"{number:,} {word if number == 1 else words or f'{word}s'}"


def document(value: object) -> None:
    """JSON on stdout."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def things(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, as_json: bool) -> None:
    """One row a thing."""
    if as_json:
        document(list(rows))
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    if table.row_count:
        renderable(table)


def thing(fields: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing, a line a field."""
    if as_json:
        document(fields)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(Text(name.replace("_", " ")), _cell(value))
    renderable(table)


def renderable(shown: RenderableType) -> None:
    """As wide as the terminal, and uncut where there is none."""
    _console().print(shown)


def statements(rows: Iterable[tuple[str, str, str, str | None]], styles: Mapping[str, str]) -> None:
    """One row each of a state, in its style, a word, a sentence, and what to do about it."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for state, word, sentence, remedy in rows:
        table.add_row(Text(state, style=styles[state]), word, Text(sentence))
        if remedy is not None:
            table.add_row("", "", Text(f"-> {remedy}"))
    _console().print(table)


def confirmed(question: str) -> bool:
    """What a person at the terminal answers; no, unless it is yes."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDE, markup=False, highlight=False, emoji=False)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(", ".join(map(str, value))) if value else Text("-", style="dim")
    return Text(str(value))
