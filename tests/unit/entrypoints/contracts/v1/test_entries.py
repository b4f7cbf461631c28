import pytest

from scoreboard.domain.board import SAFE_INTEGER
from scoreboard.entrypoints.contracts.v1.entries import encode_score, is_wide
from tests.making import board


@pytest.mark.parametrize("bound", [{"max_total": SAFE_INTEGER + 1}, {"min_total": -SAFE_INTEGER - 1}])
def test_scores_are_text_if_a_json_parser_may_round_totals(bound: dict[str, int]) -> None:
    assert not is_wide(board())
    assert is_wide(board(**bound))
    assert (encode_score(board(), 5), encode_score(board(**bound), 5)) == (5, "5")
