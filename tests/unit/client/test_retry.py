import pytest

from scoreboard.client.errors import NoAnswer, NotScoreboard, ScoreboardClientError, of_status
from scoreboard.client.retry import may_be_tried_again


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (NoAnswer("no_answer", ""), True),
        (of_status(429, "rate_limited", ""), True),
        (of_status(503, "overloaded", ""), True),
        (of_status(500, "internal", ""), False),
        (of_status(502, "http_502", ""), False),
        (of_status(400, "invalid_body", ""), False),
        (of_status(401, "token_expired", ""), False),
        (of_status(409, "value_out_of_bounds", ""), False),
        (NotScoreboard("unexpected_answer", "", 200), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: ScoreboardClientError, again: bool) -> None:
    assert may_be_tried_again(error) is again
