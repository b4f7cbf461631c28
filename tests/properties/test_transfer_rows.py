"""Rows of export and import are read as written, and are safe in spreadsheets."""

import csv
import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoreboard.cli.resources import BOARDS, PLAYERS
from scoreboard.cli.transfer import rows
from scoreboard.cli.transfer.collections import LEDGER, RowType, rows_of
from scoreboard.cli.transfer.rows import FORMULA, Format, Row, protect, unprotect
from scoreboard.entrypoints.contracts.v1 import schema

printable = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20) | st.builds(
    str.__add__,
    st.sampled_from([*FORMULA.replace("\t\r", ""), "'=", "''", '"', ",", ";", " "]),
    st.text("=+-@';,\" a0", max_size=4),
)
maybe = st.none() | printable
json = st.recursive(
    st.none() | st.booleans() | st.integers() | printable,
    lambda s: st.lists(s) | st.dictionaries(printable, s),
    max_leaves=5,
)


def write_and_read(items: list[msgspec.Struct], kind: RowType, form: Format) -> list[object]:
    content = rows.header(kind.columns, form) + rows.lines(items, form)
    found = list(rows.read("file", io.BufferedReader(io.BytesIO(content)), kind))
    assert all(isinstance(row, Row) for row in found), found
    return [row.item for row in found if isinstance(row, Row)]


forms = pytest.mark.parametrize("form", ["csv", "ndjson"])


@forms
@given(players=st.lists(st.builds(schema.Player, printable, printable, maybe, maybe, maybe)))
def test_players_are_read_as_they_were_written(players: list[msgspec.Struct], form: Format) -> None:
    assert write_and_read(players, rows_of(PLAYERS), form) == players


@forms
@given(
    entries=st.lists(
        st.builds(
            schema.LedgerEntry,
            event=st.uuids().map(str),
            player=printable,
            value=st.integers(-(2**63), 2**63 - 1),
            region=st.none() | st.just("eu"),
            metadata=st.just(msgspec.UNSET) | json.map(lambda value: msgspec.Raw(msgspec.json.encode(value))),
        )
    )
)
def test_entries_are_read_as_they_were_written(entries: list[schema.LedgerEntry], form: Format) -> None:
    def essence(entry: object) -> tuple[object, ...]:
        assert isinstance(entry, schema.LedgerEntry)
        metadata = None if entry.metadata is msgspec.UNSET else bytes(entry.metadata)
        return entry.event, entry.player, int(entry.value), entry.region, metadata

    assert [essence(one) for one in write_and_read([*entries], LEDGER, form)] == [essence(one) for one in entries]


@forms
def test_boards_are_read_as_they_were_written(form: Format) -> None:
    made = schema.Board(
        board="b", name="=1+1", operator="best", regions=["eu", "us"], public=False, min_value=-5, max_value="9" * 19
    )
    (found,) = write_and_read([made], rows_of(BOARDS), form)
    assert isinstance(found, schema.Board)
    assert int(found.min_value or 0) == -5
    found.min_value = -5
    assert found == made


@given(printable)
def test_no_text_cell_starts_like_a_formula(text: str) -> None:
    cell = protect(text)
    assert unprotect(cell) == text
    assert cell[0] not in FORMULA.replace("'", "") or cell.lstrip("-").isdecimal()


def test_names_of_players_are_text_in_every_cell() -> None:
    """Cover CSV injection in the cell, and in cells that start after a separator."""
    hostile = ["=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "＝1+1", "a,=1+1", 'a";=1+1', "'=1"]
    content = rows.lines([schema.Player(text, text, None, text, None) for text in hostile], "csv")
    for line in csv.reader(io.StringIO(content.decode())):
        assert len(line) == len(rows_of(PLAYERS).columns)
        assert all(not cell or cell[0] not in "=+-@＝" for cell in line)
