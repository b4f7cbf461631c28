import json

import pytest

from scoreboard.client import errors
from scoreboard.client.live import STABLE_S, ConnectionLost, State, Subscription, error_of_close
from scoreboard.client.results import Change, LiveTop

LIVE = State("live")


@pytest.fixture
def subscription() -> Subscription:
    return Subscription("game", "main", None, None)


def top(epoch: str, offset: int, **more: object) -> str:
    message: dict[str, object] = {
        "app": "game",
        "board": "main",
        "season": "all",
        "region": None,
        "total": 1,
        "entries": [],
    }
    at = "2026-11-21T05:16:30.627683Z"
    return json.dumps({"type": "top", **message, "epoch": epoch, "offset": offset, "at": at, **more})


def subscribed(*, recovered: bool) -> str:
    return json.dumps({"type": "subscribed", "app": "game", "board": "main", "recovered": recovered, "epoch": "a"})


def error(code: str) -> str:
    return json.dumps({"type": "error", "code": code, "detail": "why", "app": "game"})


def test_a_first_connection_asks_for_the_whole_board(subscription: Subscription) -> None:
    (asked,) = map(json.loads, subscription.opening_messages(None))
    assert asked == {"type": "subscribe", "app": "game", "board": "main", "region": None, "season": None}


def test_the_token_goes_first(subscription: Subscription) -> None:
    first, second = map(json.loads, subscription.opening_messages("t"))
    assert first == {"type": "authenticate", "token": "t"}
    assert second["type"] == "subscribe"


def test_it_goes_on_where_it_was(subscription: Subscription) -> None:
    subscription.receive(top("a", 7))
    (asked,) = map(json.loads, subscription.opening_messages(None))
    assert asked["position"] == {"epoch": "a", "offset": 7}
    assert subscription.receive(subscribed(recovered=True)) == LIVE, "and has the newest already"


def test_within_an_epoch_it_never_goes_back(subscription: Subscription) -> None:
    assert subscription.receive(subscribed(recovered=False)) is None, "the board follows"
    heard = [subscription.receive(top(*position)) for position in [("a", 3), ("a", 3), ("a", 2), ("a", 4), ("b", 1)]]
    assert [one.offset if isinstance(one, LiveTop) else one for one in heard] == [3, LIVE, LIVE, 4, 1]


def test_changes_are_told_where_there_are_any(subscription: Subscription) -> None:
    changes = [{"player": "hana", "rank": 1, "previous_rank": None, "score": "9223372036854775807"}]
    first, second = subscription.receive(top("a", 1)), subscription.receive(top("a", 2, changes=changes))
    assert isinstance(first, LiveTop)
    assert isinstance(second, LiveTop)
    assert (first.changes, second.changes) == (None, (Change("hana", 1, None, 2**63 - 1),))


def test_what_it_does_not_know_is_passed_over(subscription: Subscription) -> None:
    assert [subscription.receive(f'{{"type":"{kind}"}}') for kind in ("authenticated", "pong", "news")] == [None] * 3


@pytest.mark.parametrize("text", ["", "hello", "{}", '{"type":"top"}', '{"type":7}'])
def test_who_speaks_otherwise_is_no_scoreboard(subscription: Subscription, text: str) -> None:
    with pytest.raises(errors.UnexpectedResponse):
        subscription.receive(text)


def test_refusals_end_it_unless_they_pass(subscription: Subscription) -> None:
    with pytest.raises(errors.NotFound, match="board_not_found: why"):
        subscription.receive(error("board_not_found"))
    with pytest.raises(ConnectionLost, match="ranking_warming"):
        subscription.receive(error("ranking_warming"))


@pytest.mark.parametrize("code", [1000, 1001, 1006, 4000, 4003, 4499, None])
def test_close_codes_after_which_to_come_back(code: int | None) -> None:
    assert isinstance(error_of_close(code, "why"), ConnectionLost)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1009, errors.UnexpectedResponse),
        (4500, errors.UnexpectedResponse),
        (4501, errors.Unauthenticated),
        (4999, errors.UnexpectedResponse),
    ],
)
def test_close_codes_after_which_not_to(code: int, kind: type[Exception]) -> None:
    assert isinstance(error_of_close(code, "why"), kind)


def test_waits_grow_until_a_connection_was_a_good_one(
    monkeypatch: pytest.MonkeyPatch, subscription: Subscription
) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    waits = [subscription.next_wait("gone", live_s).in_s for live_s in (0, 0, 1, STABLE_S, 0)]
    assert waits == [1.0, 2.0, 4.0, 1.0, 2.0]
    assert [subscription.next_wait("gone", 0).in_s for _ in range(20)][-1] == 30.0
    assert subscription.next_wait("gone", 0).reason == "gone"
