"""Retries of batches: an applied update is replayed, even if a check now fails."""

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


class ExhaustedLimiter:
    """A rate limiter whose limits are used up."""

    async def acquire(self, _key: str, limit: int, _period_s: float, _cost: int = 1) -> RateLimitStatus:
        return RateLimitStatus(limit, 0, 1.0, 1.0)


async def apply_updates(service: Running) -> tuple[str, Client, list[dict[str, Any]]]:
    """Create a board and apply UPDATES; return board, client and results."""
    board = await service.board()
    (await service.operator.post("/v1/apps/game/actions", {"action": "win", "points": 5})).ok(201)
    server = service.client("server", "game")
    results = (await server.post(f"{board}/scores/batch", {"updates": UPDATES})).ok()["results"]
    assert [result["status"] for result in results] == ["applied", "applied"]
    return board, server, results


def replayed(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**result, "replayed": True} for result in results]


async def test_a_retried_batch_is_replayed_after_rules_changed(service: Running) -> None:
    board, server, first = await apply_updates(service)
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


async def test_a_retried_batch_is_replayed_over_the_rate_limit(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, server, first = await apply_updates(service)
    submit = service.service.submit
    monkeypatch.setattr(submit, "rate_limit", replace(submit.rate_limit, limits=ExhaustedLimiter()))
    again = (await server.post(f"{board}/scores/batch", {"updates": UPDATES})).ok()
    assert again["results"] == replayed(first)
    for new in ({"idempotency_key": "new"}, {"idempotency_key": None}):
        updates = [*UPDATES, {**UPDATES[1], **new}]
        (await server.post(f"{board}/scores/batch", {"updates": updates})).refused(429, "rate_limited")
    assert (await service.anybody.get(f"{board}/players/a")).ok()["score"] == 95
