import pytest

from scoreboard.client.errors import ScoreboardClientError, TransportError, UnexpectedResponse, error_of_status
from scoreboard.client.retry import Backoff, is_retryable

BACKOFF = Backoff(first_s=0.5, longest_s=4.0)


def test_waits_are_drawn_from_a_range_that_doubles_up_to_the_longest() -> None:
    longest = [BACKOFF.pause_s(failures, jitter=1.0) for failures in (1, 2, 3, 4, 5, 10_000)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert [BACKOFF.pause_s(failures, jitter=0.0) for failures in (1, 5)] == [0.0, 0.0], "full jitter"


def test_chance_is_drawn_anew_each_time() -> None:
    drawn = {BACKOFF.pause_s(3) for _ in range(100)}
    assert len(drawn) > 90
    assert 0 <= min(drawn) < max(drawn) <= 2.0


def test_a_wait_is_never_shorter_than_the_server_asks_for() -> None:
    assert BACKOFF.pause_s(1, retry_after_s=7.0, jitter=0.0) == 7.0
    assert BACKOFF.pause_s(1, retry_after_s=7.0, jitter=1.0) == 7.5, "and still not the same for all"


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
