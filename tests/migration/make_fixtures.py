"""Generator of the stores in `v0.1.0/`: `python -m tests.migration.make_fixtures`.

It uses the HTTP API of the version that is checked out, with a manual clock. The responses of the API from the restored
stores are recorded next to them.
"""

import asyncio
import contextlib
import json
import random
import re
import sqlite3
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from harness.servers import postgres, redis
from harness.service import Running
from scoreboard.domain import event_id
from tests.making import ManualClock
from tests.migration.stores import FOLDER, LATE, WRITTEN_AT, Store, micros, outcomes, pending, read_all, restore, send

KEY = b"no secret: the signing key of test data only"
CENTURY_S = 100 * 366 * 86_400
WIDEST = str(2**63 - 1)

BOARDS: dict[str, list[dict[str, Any]]] = {
    "game": [
        {"board": "points", "regions": ["eu", "us"], "name": "Points of the game"},
        {"board": "sprint", "operator": "best", "direction": "ascending", "ties": "shared", "numbering": "competition"},
        {"board": "record", "operator": "best", "public": False, "max_value": WIDEST, "max_total": WIDEST},
        {"board": "week", "period": "weekly", "time_zone": "Europe/Berlin", "regions": ["eu", "us"]},
        {"board": "day", "period": "daily", "direction": "ascending"},
        {"board": "mood", "operator": "latest", "ties": "latest", "numbering": "dense", "top_n": 3},
        {"board": "lap", "operator": "latest", "direction": "ascending", "period": "weekly"},
        {"board": "later", "consistency": "queued", "priority": "low"},
        {"board": "purse", "min_total": 0, "max_total": 100, "player_values": True},
    ],
    "club": [
        {"board": "points", "period": "monthly"},
        {"board": "archive", "period": "weekly", "regions": ["eu", "us"]},
    ],
}
ACTIONS: dict[str, list[dict[str, Any]]] = {
    "game": [
        {"action": "win", "points": 5},
        {"action": "daily", "points": 10, "per_day": 3},
        {"action": "visit", "points": 1, "cooldown_s": 3_600},
        {"action": "spin", "points": 7, "cooldown_s": 30 * 86_400},
        {"action": "quest", "points": 20, "per_day": 2, "cooldown_s": 600},
    ],
    "club": [{"action": "greet", "points": 2, "per_day": 2}],
}
PLAYERS = ("ann", "bob", "cid", "dan", "eve", "zoë", "O'Hara", "日本", "x-9", "player.10", "gus", "hal")
PROFILES: list[dict[str, Any]] = [
    {"player": "ann", "username": "Ann", "avatar_url": "/ann.png", "email": "ann@example.com", "region": "eu"},
    {"player": "zoë", "username": "Zoë the \"first\"; 'second'", "region": "us"},
    {"player": "quiet", "username": "Never played"},
]


@dataclass
class Scenario:
    """The requests of one store. Requests in `kept` are recorded for a repetition."""

    service: Running
    clock: ManualClock
    kept: list[dict[str, Any]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def at(self, text: str) -> None:
        self.clock.now = micros(text)

    async def update(
        self, board: str, key: str | None = None, role: str = "server", *, outcome: str = "applied", **body: Any
    ) -> None:
        """Send one update and check its outcome, as the player with the role player."""
        subject = body["player"] if role == "player" else "one"
        found = await self._send(board, "scores", key, role, subject, body)
        assert found == [outcome], (found, body)

    async def batch(self, board: str, updates: list[dict[str, Any]], key: str | None = None) -> list[str]:
        return await self._send(board, "scores/batch", key, "server", "one", {"updates": updates})

    async def import_entries(self, board: str, entries: list[dict[str, Any]]) -> list[str]:
        return await self._send(board, "ledger", None, "admin", "one", {"entries": entries})

    async def _send(self, board: str, to: str, key: str | None, role: str, subject: str, body: Any) -> list[str]:
        app, _, name = board.partition("/")
        path = f"/v1/apps/{app}/boards/{name}/{to}"
        request = {"app": app, "path": path, "role": role, "subject": subject, "key": key, "body": body}
        if key is not None or to == "ledger":
            self.kept.append(request)
        return [status for status, _, _ in await send(self.service, request)]

    def random_updates(self, board: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """Return random updates of a board, from few values so that there are ties."""
        name = "score" if board.get("operator") in {"best", "latest"} else "increment"
        updates = []
        for n in range(count):
            update: dict[str, Any] = {"player": self.chance.choice(PLAYERS), name: self.chance.randrange(12)}
            if board["board"] == "record":
                update[name] = str(2**62 + update[name])
            if "regions" in board and n % 3:
                update["region"] = self.chance.choice(board["regions"])
            if n % 5 == 0:
                update["metadata"] = {"n": n, "by": "é"}
            updates.append(update)
        return updates


async def send_history(s: Scenario) -> None:
    """Send all requests of a store except the last update."""
    s.at("2026-11-12T10:00:00Z")  # Thursday of week 46
    await create_tenants(s)
    await send_random_batches(s, 8)
    await s.update("game/points", player="ann", action="spin")

    s.at("2026-11-19T13:00:00Z")  # Thursday of week 47
    await send_random_batches(s, 6)
    for player, times in (("ann", 1), ("cid", 3)):
        for _ in range(times):
            await s.update("game/points", player=player, action="daily")
    await s.update("game/points", player="cid", action="daily", outcome="action_limit")

    s.at("2026-11-20T10:30:00Z")  # 23:30 in Auckland
    await s.update("game/points", player="bob", action="visit")
    for player in ("zoë", "mia", "mia"):
        await s.update("club/points", player=player, action="greet")

    s.at("2026-11-20T11:30:00Z")  # 00:30 of the day after in Auckland
    for action in ("daily", "daily", "visit", "quest"):
        await s.update("game/points", player="ann", action=action)

    s.at(WRITTEN_AT)
    await send_random_batches(s, 4)
    await use_limited_actions(s)
    await send_keyed_updates(s)
    await import_ledger(s)


async def create_tenants(s: Scenario) -> None:
    operator = s.service.operator
    for app, zone in (("game", "UTC"), ("club", "Pacific/Auckland")):
        (await operator.post("/v1/apps", {"app": app, "name": f"The {app}", "time_zone": zone})).ok(201)
        for board in BOARDS[app]:
            (await operator.post(f"/v1/apps/{app}/boards", board)).ok(201)
        for action in ACTIONS[app]:
            (await operator.post(f"/v1/apps/{app}/actions", action)).ok(201)
    for profile in PROFILES:
        (await operator.post("/v1/apps/game/players", profile)).ok(201)


async def send_random_batches(s: Scenario, count: int) -> None:
    """Send a batch of random updates to every board."""
    for app, boards in BOARDS.items():
        for board in boards:
            found = await s.batch(f"{app}/{board['board']}", s.random_updates(board, count))
            assert set(found) == {"applied"}, found


async def use_limited_actions(s: Scenario) -> None:
    """Use limited actions up to their limits, on several boards, some with keys."""
    await s.update("game/later", player="ann", action="daily", outcome="accepted")  # after two at 11:30
    await s.update("game/points", "limit-1", player="ann", action="daily", outcome="action_limit")
    await s.update(
        "game/later", "limit-2", player="ann", action="daily", outcome="accepted"
    )  # refused, according to its event
    for key in ("daily-1", "daily-2"):
        await s.update("game/points", key, "player", player="bob", action="daily")
    await s.update("game/points", "cooldown-1", "player", player="ann", action="visit", outcome="action_cooldown")
    await s.update("game/points", "cooldown-2", player="ann", action="spin", outcome="action_cooldown")
    for player in ("ann", "bob"):
        await s.update("game/points", player=player, action="quest")
    await s.update("club/points", player="zoë", action="greet")
    await s.update("club/points", player="zoë", action="greet")
    await s.update("club/points", "limit-1", player="zoë", action="greet", outcome="action_limit")


async def send_keyed_updates(s: Scenario) -> None:
    """Send updates with keys: applied, refused, batched, queued, of a deleted player."""
    await s.update("game/points", "key-1", player="ann", increment=3, region="us", metadata={"level": [1, 2]})
    await s.update("game/points", "key-1", "admin", player="ann", increment=4)  # from another credential
    await s.update("club/points", "key-1", player="ann", increment=5)  # in another app
    await s.update("game/sprint", "key-2", player="bob", score=0)
    await s.update("game/mood", "key-3", player="cid", score=-7)
    await s.update("game/record", "key-4", player="dan", score=WIDEST)
    await s.update("game/week", "key-5", player="zoë", increment=9)
    await s.update("game/day", "key-6", player="日本", increment=-2)
    await s.update("game/purse", "key-7", "player", player="hal", increment=1)
    await s.update("game/later", "key-8", player="eve", increment=1, outcome="accepted")
    await s.update("game/purse", "bound-1", player="ann", increment=1_000, outcome="total_out_of_bounds")
    mixed = [
        *s.random_updates(BOARDS["game"][-1], 20),
        {"player": "bob", "increment": -500},
        {"player": "cid", "action": "win"},
    ]
    found = await s.batch("game/purse", mixed, "batch-1")
    assert found[-2:] == ["total_out_of_bounds", "applied"], found
    await s.batch("game/points", [{"player": "gus", "increment": 2, "idempotency_key": "item-1"}], "batch-2")
    await s.update("game/points", "spent", player="gone", increment=50)
    (await s.service.operator.delete("/v1/apps/game/players/gone")).ok(204)


async def import_ledger(s: Scenario) -> None:
    """Import entries of an old season and of the last week, and one that is refused."""
    entries = []
    for n in range(24):
        at = micros(("2025-10-09T08:00:00Z", "2026-11-13T09:00:00Z")[n % 2]) + n
        event = event_id.to_text(event_id.make(at, 1_000 + n))
        entries.append({"event": event, "player": PLAYERS[n % 7], "value": n % 4, "region": (None, "eu", "us")[n % 3]})
    refused = {**entries[0], "event": event_id.to_text(event_id.make(micros(WRITTEN_AT) - 5, 9)), "region": "mars"}
    assert (await s.import_entries("club/archive", [*entries, refused]))[-2:] == ["applied", "unknown_region"]


async def commit_unranked(service: Running) -> None:
    """Commit an update without ranking it, as if the process had ended between."""
    update = {"player": LATE, "increment": 77, "region": "us"}
    with patch.object(type(service.service.ranking), "apply", side_effect=RuntimeError("the process ends here")):
        answer = await service.client("server", "game", "one").post("/v1/apps/game/boards/points/scores", update)
    assert answer.ok()["rank"] is None


async def fill(store: Store, clock: ManualClock) -> tuple[list[dict[str, Any]], str]:
    """Fill an empty store; return its repeatable requests and a token."""
    async with store.running() as service:
        scenario = Scenario(service, clock)
        await send_history(scenario)
        token = service.token("admin", "game", ttl_s=CENTURY_S)
    async with store.running("api") as service:
        await commit_unranked(service)
    return scenario.kept, token


async def record(store: Store, requests: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the common and the specific responses of a store, unchanged by this."""
    async with store.running("api") as service:
        specific: dict[str, Any] = {"pending": sorted(await pending(service)), "events": []}
        common: dict[str, Any] = {"answers": await read_all(service), "requests": []}
        for request in requests:
            results = await send(service, request)
            events = [event for _, event, _ in results]
            specific["events"].append(events)
            summary = [[status, replayed] for status, _, replayed in results]
            common["requests"].append(
                {**request, "results": summary, "outcomes": await outcomes(service, request["app"], events)}
            )
        assert await read_all(service) == common["answers"]
    return common, specific


def sqlite_dump(store: Store) -> str:
    with contextlib.closing(sqlite3.connect(store.data / "scoreboard.db")) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        lines = [f"PRAGMA page_size = {page};", "PRAGMA journal_mode = WAL;", *connection.iterdump()]
    return "\n".join([*lines, f"PRAGMA user_version = {version};", ""])


async def postgres_dump(store: Store) -> str:
    """Return statements for PostgreSQL 15 and later, without psql commands."""
    await store.execute("UPDATE notes SET made_at = '2026-01-01 00:00:00+00'")  # dated by the clock of PostgreSQL
    options = ("--inserts", "--rows-per-insert=100", "--no-owner", "--no-privileges", "--no-comments")
    command = [postgres.programs() / "pg_dump", *options, store.settings["database_url"]]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    return "\n".join([line for line in lines if line and not line.startswith(("--", "SET ", "\\"))] + [""])


def write(name: str, content: Any) -> None:
    """Write JSON, with a list or object of plain values on one line."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    flat = re.sub(r"[\[{][^\[\]{}]*[\]}]", lambda found: re.sub(r"\n\s*", " ", found[0]), text)
    (FOLDER / f"{name}.json").write_text(flat + "\n", encoding="utf-8")


async def main(folder: Path, redis_url: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "token.key").write_bytes(KEY)
    shared = {"database_url": await postgres.fresh_database(), "ranking_url": redis_url}
    common = []
    clock = ManualClock()
    for store in (Store("sqlite", folder / "sqlite", clock), Store("postgres", folder / "postgres", clock, shared)):
        store.data.mkdir(mode=0o700)
        (store.data / "token.key").write_bytes(KEY)
        requests, token = await fill(store, clock)
        dump = sqlite_dump(store) if store.kind == "sqlite" else await postgres_dump(store)
        (FOLDER / f"{store.kind}.sql").write_text(dump, encoding="utf-8")
        again = folder / f"{store.kind}-again"
        again.mkdir()
        given = {"ranking_url": redis.emptied(redis_url)} if store.kind == "postgres" else {}
        of_all, specific = await record(await restore(store.kind, again, clock, **given), requests)
        write(store.kind, specific)
        common.append(of_all)
    assert common[0] == common[1], "the stores differ"
    write("expected", {"token": token, **common[0]})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary, redis.shared(Path(temporary)) as url:
        asyncio.run(main(Path(temporary), url))
