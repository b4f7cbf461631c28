import copy
import pickle

import pytest

from scoreboard.client import errors
from scoreboard.client.errors import ScoreboardClientError, error_of_live, error_of_status


def test_errors_survive_the_way_to_another_process() -> None:
    error = error_of_status(429, "rate_limited", "too fast", 1.5)
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own
        assert type(same) is errors.RateLimited
        assert (same.status, same.code, same.detail, same.retry_after_s) == (429, "rate_limited", "too fast", 1.5)
        assert str(same) == "rate_limited: too fast"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("board_not_found", errors.NotFound),
        ("region_not_found", errors.NotFound),
        ("token_missing", errors.Unauthenticated),
        ("wrong_app", errors.Forbidden),
        ("invalid_season", errors.Invalid),
        ("ranking_warming", errors.Unavailable),
        ("subscription_ended", errors.Refused),
    ],
)
def test_a_live_connection_has_codes_only(code: str, kind: type[ScoreboardClientError]) -> None:
    error = error_of_live(code, "why")
    assert type(error) is kind
    assert (error.status, error.code) == (None, code)
