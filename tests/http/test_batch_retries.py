"""Trap 12 for batches: what would refuse an update by now does not refuse the retry of one that counted."""

from dataclasses import replace
from typing import Any

import pytest

from harness.client import Client
from harness.service import Running
from scoreboard.application.ports.rate_limiter import RateLimitStatus

UPDATES: list[dict[str, Any]] = [
    {"player": "a", "action": "win", "idempotency_key": "k1"},
    {"player": "a", "increment": 90, "idempotency_key": "k2"},
]


class Spent:
    """Limits of which nothing is left."""

    async def acquire(self, _key: str, limit: int, _period_s: float, _cost: int = 1) -> RateLimitStatus:
        return RateLimitStatus(limit, 0, 1.0, 1.0)


async def counted(service: Running) -> tuple[str, Client, list[dict[str, Any]]]:
    """A board, a server that sends to it, and the first outcomes of UPDATES there."""
    board = await service.board()
    (await service.operator.post("/v1/apps/game/actions", {"action": "win", "points": 5})).ok(201)
    server = service.client("server", "game")
    results = (await server.post(f"{board}/scores/batch", {"updates": UPDATES})).ok()["results"]
    assert [result["status"] for result in results] == ["applied", "applied"]
    return board, server, results


def replayed(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**result, "replayed": True} for result in results]


async def test_rules_that_changed_since_refuse_no_retry_in_a_batch(service: Running) -> None:
    board, server, first = await counted(service)
    (await service.operator.delete("/v1/apps/game/actions/win")).ok(204)
    (await service.operator.patch(board, {"max_value": 10})).ok()
    fresh = [{**update, "idempotency_key": f"new-{n}"} for n, update in enumerate(UPDATES)]
    answer = (await server.post(f"{board}/scores/batch", {"updates": [*fresh, *UPDATES]})).ok()
    assert [result.get("code") for result in answer["results"][:2]] == ["unknown_action", "value_out_of_bounds"]
    assert answer["results"][2:] == replayed(first)
    other = [{**UPDATES[1], "increment": 91}]
    (result,) = (await server.post(f"{board}/scores/batch", {"updates": other})).ok()["results"]
    assert result["code"] == "key_reused"
    assert (await service.anybody.get(f"{board}/players/a")).ok()["score"] == 95


async def test_the_limit_refuses_no_batch_that_counted_before(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, server, first = await counted(service)
    submit = service.service.submit
    monkeypatch.setattr(submit, "rate_limit", replace(submit.rate_limit, limits=Spent()))
    again = (await server.post(f"{board}/scores/batch", {"updates": UPDATES})).ok()
    assert again["results"] == replayed(first)
    for new in ({"idempotency_key": "new"}, {"idempotency_key": None}):
        updates = [*UPDATES, {**UPDATES[1], **new}]
        (await server.post(f"{board}/scores/batch", {"updates": updates})).refused(429, "rate_limited")
    assert (await service.anybody.get(f"{board}/players/a")).ok()["score"] == 95
