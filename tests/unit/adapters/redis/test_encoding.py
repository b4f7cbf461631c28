"""Byte order of encoded standings, compared with a plain sort."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoreboard.adapters.redis.encoding import Encoding, player, version
from scoreboard.application.ports.ranking import OrderKey, RankedEntry
from scoreboard.domain.board import INT64_MAX, INT64_MIN
from scoreboard.domain.submission import Standing
from tests.making import board, standing
from tests.properties.test_order import RULES, Plain

INT64 = (
    st.integers(INT64_MIN, INT64_MAX) | st.integers(-2, 2) | st.sampled_from([INT64_MIN, INT64_MAX, 2**53, -(2**53)])
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50) | st.text(
    "aB0é😀", min_size=1, max_size=3
)


@given(rules=RULES, rows=st.dictionaries(NAMES, st.tuples(INT64, INT64), max_size=12))
def test_members_sort_in_the_order_of_the_board(rules: dict[str, Any], rows: dict[str, tuple[int, int]]) -> None:
    of = board(**rules)
    encoding = Encoding(of)
    standings = {name: standing(score)._replace(reached_at=at) for name, (score, at) in rows.items()}
    members = {name: encoding.member(OrderKey(one.score, one.reached_at, name)) for name, one in standings.items()}
    assert sorted(members, key=lambda name: members[name]) == Plain(of, standings).players


@given(rules=RULES, name=NAMES, score=INT64, at=INT64, held=INT64)
def test_encoding_loses_nothing(rules: dict[str, Any], name: str, score: int, at: int, held: int) -> None:
    encoding = Encoding(board(**rules))
    value = encoding.value(Standing(score, at, held, standing(0).event, at))
    member = value[: encoding.width] + player(name)
    assert member == encoding.member(OrderKey(score, at, name))
    assert encoding.entry(7, member, value) == RankedEntry(7, name, score, at)
    assert value[32:] == version(held)
    assert value.isascii()
    assert len(value) == 48


@given(INT64, INT64)
def test_versions_sort_as_numbers(one: int, other: int) -> None:
    assert (version(one) < version(other)) == (one < other)


@pytest.mark.parametrize("score", [INT64_MAX + 1, INT64_MIN - 1])
def test_a_number_beyond_64_bits_is_refused(score: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        Encoding(board()).value(standing(score))
