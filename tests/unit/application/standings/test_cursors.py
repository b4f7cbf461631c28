import base64

import pytest

from scoreboard.application.standings.cursors import Cursor, Cursors
from scoreboard.domain.board import INT64_MAX, INT64_MIN
from scoreboard.domain.errors import Invalid
from scoreboard.domain.submission import TableKey
from tests.making import NOON

TABLE = TableKey(1, "2026-11-21", "eu")
CURSORS = Cursors(bytes(32))


def token(player: str = "ann") -> str:
    return CURSORS.encode(Cursor(TABLE, 7, NOON, player))


def assert_refused(text: str, table: TableKey = TABLE, cursors: Cursors = CURSORS) -> None:
    with pytest.raises(Invalid) as refusal:
        cursors.decode(text, table)
    assert refusal.value.code == "invalid_cursor"


@pytest.mark.parametrize("score", [INT64_MIN, -1, 0, 2**53 + 1, INT64_MAX])
@pytest.mark.parametrize("player", ["a", "安" * 50, "a b/c+d=e"])
def test_a_cursor_is_decoded_from_a_token_that_is_safe_in_a_url(score: int, player: str) -> None:
    cursor = Cursor(TABLE, score, NOON, player)
    text = CURSORS.encode(cursor)
    assert CURSORS.decode(text, TABLE) == cursor
    assert all(c.isalnum() or c in "-_" for c in text)


def test_a_token_with_any_changed_bit_is_refused() -> None:
    raw = base64.urlsafe_b64decode(token() + "==")
    for at in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            assert_refused(base64.urlsafe_b64encode(changed).rstrip(b"=").decode())


@pytest.mark.parametrize("text", ["", "x", "A" * 16, "no cursor", "é", "\ud800", "\0", "=", "A" * 10_000])
def test_a_text_that_is_no_token_is_refused(text: str) -> None:
    assert_refused(text)


def test_a_token_cut_short_or_extended_is_refused() -> None:
    text = token()
    for other in (*(text[:n] for n in range(len(text))), text + "AAAA", "AAAA" + text, text + text):
        assert_refused(other)


@pytest.mark.parametrize(
    "other", [TABLE._replace(board=2), TABLE._replace(season="2026-11-22"), TABLE._replace(region="")]
)
def test_a_cursor_of_another_table_is_refused(other: TableKey) -> None:
    assert_refused(token(), other)


def test_a_cursor_of_another_server_is_refused() -> None:
    assert_refused(token(), cursors=Cursors(b"x" * 32))
