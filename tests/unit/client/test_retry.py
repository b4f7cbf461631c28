import pytest

from scoreboard.client.errors import ScoreboardClientError, TransportError, UnexpectedResponse, error_of_status
from scoreboard.client.retry import is_retryable


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (TransportError("no_response", ""), True),
        (error_of_status(429, "rate_limited", ""), True),
        (error_of_status(503, "overloaded", ""), True),
        (error_of_status(500, "internal", ""), False),
        (error_of_status(502, "http_502", ""), False),
        (error_of_status(400, "invalid_body", ""), False),
        (error_of_status(401, "token_expired", ""), False),
        (error_of_status(409, "value_out_of_bounds", ""), False),
        (UnexpectedResponse("unexpected_answer", "", 200), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: ScoreboardClientError, again: bool) -> None:
    assert is_retryable(error) is again
