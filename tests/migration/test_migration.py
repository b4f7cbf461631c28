"""Tests of stores that version 0.1.0 wrote (SQLite schema 1, PostgreSQL schema 3)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.client import Client
from harness.servers.redis import emptied
from harness.service import TIMINGS, Running
from harness.waiting import BOUND_S, eventually
from tests.making import ManualClock
from tests.migration.stores import (
    LATE,
    Store,
    differences,
    load_json,
    micros,
    outcomes,
    pending,
    read_all,
    restore,
    send,
)

POINTS = "/v1/apps/game/boards/points"


def within(expected: Any, found: Any) -> Any:
    """Return `found` without the fields that the old version did not have."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return {name: within(value, found[name]) for name, value in expected.items() if name in found}
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [within(*pair) for pair in zip(expected, found, strict=True)]
    return found


async def use(service: Running, action: str, player: str, app: str = "game") -> str:
    """Use an action once; return `applied` or the code of the refusal."""
    path, body = f"/v1/apps/{app}/boards/points/scores", {"player": player, "action": action}
    request = {"app": app, "path": path, "role": "server", "subject": "new", "key": None, "body": body}
    ((status, _, _),) = await send(service, request)
    return str(status)


async def lines(service: Running) -> list[str]:
    """Return the players of the board `points`, best first."""
    return [line["player"] for line in (await service.anybody.get(f"{POINTS}/top?limit=1000")).ok()["entries"]]


async def test_scores_ranks_and_history_are_preserved(old: Store, expected: Any) -> None:
    async with old.running() as service:
        found = await read_all(service)
        assert within(expected["answers"], found) == expected["answers"]
        assert await differences(service) == []


async def test_ledger_totals_and_ranking_agree_after_more_updates(old: Store, expected: Any) -> None:
    async with old.running() as service:
        before = await read_all(service)
        for app, one in expected["answers"].items():
            for name, board in one["boards"].items():
                value = {"increment": 1} if board["rules"]["operator"] == "increment" else {"score": 1}
                region = {"region": "eu"} if board["rules"]["regions"] else {}
                updates = [{"player": player, **value, **region} for player in ("ann", "new")]
                path = f"/v1/apps/{app}/boards/{name}/scores/batch"
                answer = (await service.operator.post(path, {"updates": updates})).ok()
                assert answer["applied"] + answer.get("accepted", 0) == len(updates)
        after = await read_all(service)
        for app, one in before.items():
            for name, board in one["boards"].items():
                assert after[app]["boards"][name]["entries"] == board["entries"] + 2
        assert await differences(service) == []


async def test_a_repeated_request_returns_its_first_outcome(old: Store, expected: Any, clock: ManualClock) -> None:
    clock.now = micros("2026-11-21T12:00:00Z")  # the daily limits are over
    async with old.running() as service:
        before = await read_all(service)
        for request, events in zip(expected["requests"], load_json(old.kind)["events"], strict=True):
            found = await send(service, request)
            assert [[status, replayed] for status, _, replayed in found] == request["results"], request
            assert [event for _, event, _ in found] == events, request
            assert await outcomes(service, request["app"], events) == request["outcomes"], request
        assert await read_all(service) == before


async def test_an_idempotency_key_is_refused_with_another_body(old: Store, expected: Any) -> None:
    async with old.running() as service:
        for request in expected["requests"]:
            if request["key"] is not None and "updates" not in request["body"]:
                ((code, _, _),) = await send(service, {**request, "body": {**request["body"], "metadata": "other"}})
                assert code == "key_reused", request


async def test_daily_limits_hold_until_the_end_of_the_day(old: Store, clock: ManualClock) -> None:
    """Days are those of the time zone of the app; earlier uses count."""
    async with old.running() as service:
        for player, left in (("ann", 0), ("bob", 1), ("cid", 3)):
            assert [await use(service, "daily", player) for _ in range(left)] == ["applied"] * left
            assert await use(service, "daily", player) == "action_limit"
        clock.now = micros("2026-11-20T23:59:59Z")
        assert await use(service, "daily", "ann") == "action_limit"
        clock.now = micros("2026-11-21T00:00:00Z")
        for player in ("ann", "bob"):
            assert [await use(service, "daily", player) for _ in range(3)] == ["applied"] * 3
            assert await use(service, "daily", player) == "action_limit"


async def test_daily_limits_hold_in_a_time_zone_ahead(old: Store, clock: ManualClock) -> None:
    async with old.running() as service:
        assert await use(service, "greet", "zoë", "club") == "action_limit"
        assert await use(service, "greet", "mia", "club") == "applied"  # two uses were before midnight in Auckland
        clock.now = micros("2026-11-21T10:59:59Z")
        assert await use(service, "greet", "zoë", "club") == "action_limit"
        assert await use(service, "greet", "mia", "club") == "applied"
        assert await use(service, "greet", "mia", "club") == "action_limit"
        clock.now = micros("2026-11-21T11:00:00Z")
        assert await use(service, "greet", "zoë", "club") == "applied"


async def test_cooldowns_hold_until_their_end(old: Store, clock: ManualClock) -> None:
    async with old.running() as service:
        assert await use(service, "visit", "ann") == "action_cooldown"  # used at 11:30
        assert await use(service, "visit", "bob") == "applied"  # used at 10:30
        assert await use(service, "visit", "dan") == "applied"
        assert await use(service, "quest", "ann") == "action_limit"
        assert await use(service, "quest", "bob") == "action_cooldown"
        clock.now = micros("2026-11-20T12:09:59Z")
        assert await use(service, "quest", "bob") == "action_cooldown"
        clock.now = micros("2026-11-20T12:10:01Z")
        assert await use(service, "quest", "bob") == "applied"
        clock.now = micros("2026-11-20T12:29:59Z")
        assert await use(service, "visit", "ann") == "action_cooldown"
        assert await use(service, "quest", "bob") == "action_limit"
        clock.now = micros("2026-11-20T12:30:01Z")
        assert await use(service, "visit", "ann") == "applied"


async def test_a_cooldown_of_many_days_is_kept(old: Store, clock: ManualClock) -> None:
    """The 30 days began on 2026-11-12 at 10:00. Retention runs at each start."""
    for day in ("2026-11-20T12:00:01Z", "2026-12-01T00:00:00Z", "2026-12-12T09:59:59Z"):
        clock.now = micros(day)
        async with old.running() as service:
            assert await use(service, "spin", "ann") == "action_cooldown", day
    clock.now = micros("2026-12-12T10:00:01Z")
    async with old.running() as service:
        assert await use(service, "spin", "ann") == "applied"


async def test_pending_projections_are_ranked(old: Store) -> None:
    async with old.running("api") as service:
        expected = set(load_json(old.kind)["pending"])
        assert f"game points all world {LATE}" in expected
        assert expected <= await pending(service)
    async with old.running() as service:

        async def acknowledged() -> bool:
            return not await pending(service)

        await eventually(acknowledged, "the repair acknowledges what it ranked")
        assert LATE in await lines(service)
        assert await differences(service) == []


@pytest.mark.slow
async def test_a_pending_projection_is_ranked_in_redis(tmp_path: Path, redis_url: str, clock: ManualClock) -> None:
    """The ranking is rebuilt without one player, as the old version had left it."""
    # A shorter wait would let the drift check rank the player.
    timings = replace(TIMINGS, drift_recheck_s=2 * BOUND_S)
    old = await restore("postgres", tmp_path, clock, ranking_url=emptied(redis_url), timings=timings)
    await old.migrate()
    await old.execute(
        "CREATE TABLE aside AS SELECT * FROM standings WHERE player_id = 'late';"
        "DELETE FROM standings WHERE player_id = 'late'"
    )
    async with old.running("api") as service:
        assert (await service.operator.post(f"{POINTS}/rebuild", None)).ok()["rank_state"] == "exact"
        assert LATE not in await lines(service)
    await old.execute("INSERT INTO standings SELECT * FROM aside; DROP TABLE aside")
    async with old.running() as service:

        async def ranked() -> bool:
            return LATE in await lines(service)

        await eventually(ranked, "the repair ranks the player")


async def test_a_token_of_the_old_version_is_accepted(old: Store, expected: Any) -> None:
    async with old.running() as service:
        client = Client(service.http, service.url, expected["token"])
        assert (await client.get("/v1/apps/game")).ok()["app"] == "game"
        (await client.get("/v1/apps/club")).refused(403, "wrong_app")


async def test_a_second_migration_changes_nothing(old: Store, expected: Any) -> None:
    await old.migrate()
    async with old.running("api"):
        pass
    before = await old.content()
    assert await old.migrate() == []
    async with old.running("api") as service:
        assert within(expected["answers"], await read_all(service)) == expected["answers"]
    assert await old.content() == before
