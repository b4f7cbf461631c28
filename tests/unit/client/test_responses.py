import json

import pytest

from scoreboard.client import errors
from scoreboard.client.errors import ScoreboardClientError
from scoreboard.client.requests import Request
from scoreboard.client.responses import Response, decode_response
from scoreboard.client.results import Batch, BatchApplied, BatchRefused, Entry, Outcome

ENTRY = {
    "rank": 1,
    "player": "null",
    "username": "true",
    "avatar_url": "null",
    "score": "9223372036854775807",
    "reached_at": "2026-11-21T05:16:28.801931Z",
}


def answer(status: int, body: object, reason: str = "", **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, reason, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def request(kind: type) -> Request[object]:
    return Request("GET", (), kind)


def test_scores_are_exact_whether_numbers_or_text() -> None:
    for written in ("9223372036854775807", 9223372036854775807):
        entry = decode_response(request(Entry), answer(200, {**ENTRY, "score": written}))
        assert isinstance(entry, Entry)
        assert entry.score == 9223372036854775807


def test_text_stays_text_whatever_it_says() -> None:
    entry = decode_response(request(Entry), answer(200, ENTRY))
    assert isinstance(entry, Entry)
    assert (entry.player, entry.username, entry.avatar_url) == ("null", "true", "null")
    assert entry.reached_at.isoformat() == "2026-11-21T05:16:28.801931+00:00"


def test_what_a_newer_server_adds_is_passed_over() -> None:
    assert isinstance(decode_response(request(Entry), answer(200, {**ENTRY, "team": "red"})), Entry)


def test_a_batch_has_an_outcome_for_each() -> None:
    applied = {"player": "a", "event": "e", "score": 1, "previous_score": None, "changed": True, "replayed": False}
    refused = {"player": "b", "code": "value_out_of_bounds", "detail": "too much"}
    results = [{"status": "applied", **applied}, {"status": "refused", **refused}]
    batch = decode_response(request(Batch), answer(200, {"applied": 1, "refused": 1, "results": results}))
    assert batch == Batch((BatchApplied("a", "e", 1, None, True, False), BatchRefused(**refused)))


def test_an_outcome_says_whether_it_is_a_repetition() -> None:
    body = {"event": "e", "status": "accepted", "outcome": "/v1/..."}
    first = decode_response(request(Outcome), answer(202, body))
    again = decode_response(request(Outcome), answer(202, body, Idempotent_Replayed="true"))
    assert (first, again) == (Outcome("e", "accepted"), Outcome("e", "accepted", replayed=True))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Invalid),
        (401, errors.Unauthenticated),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Refused),
        (413, errors.Invalid),
        (429, errors.RateLimited),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
    ],
)
def test_a_problem_is_an_error_of_its_kind(status: int, kind: type[ScoreboardClientError]) -> None:
    problem = {"title": "t", "status": status, "code": "some_code", "detail": "why", "type": "about:blank"}
    with pytest.raises(ScoreboardClientError) as raised:
        decode_response(request(Entry), answer(status, problem, Retry_After="7"))
    error = raised.value
    assert type(error) is kind
    assert (error.status, error.code, error.detail, error.retry_after_s) == (status, "some_code", "why", 7.0)
    assert str(error) == "some_code: why"


def test_a_refusal_by_something_else_on_the_way() -> None:
    with pytest.raises(errors.Unavailable) as raised:
        decode_response(
            request(Entry), answer(502, b"<html>", "Bad Gateway", Retry_After="Sat, 21 Nov 2026 07:28:00 GMT")
        )
    assert (raised.value.code, raised.value.detail, raised.value.retry_after_s) == (
        "http_502",
        "Bad Gateway",
        None,
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"\xff", b'{"rank": 1.5}'])
def test_what_is_no_answer_to_this_is_said_so(body: bytes) -> None:
    with pytest.raises(errors.UnexpectedResponse, match="is this a Scoreboard server"):
        decode_response(request(Entry), answer(200, body))
