"""Make the stores in `v0.1.0/` with the version that is checked out: `python -m tests.migration.make_fixtures`.

The service runs in this process by a clock that stands still, and its HTTP API is used. What the API then answers from
the restored stores is recorded beside them.
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
from tests.migration.stores import FOLDER, LATE, MADE_AT, Store, answers, micros, outcomes, pending, restored, send

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
class Story:
    """The requests of one store. Those of `kept` are recorded, to be sent again."""

    service: Running
    clock: ManualClock
    kept: list[dict[str, Any]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def at(self, text: str) -> None:
        self.clock.now = micros(text)

    async def update(
        self, board: str, key: str | None = None, role: str = "server", *, becomes: str = "applied", **body: Any
    ) -> None:
        """Send one update, and check what becomes of it. The subject of a player's token is the player."""
        subject = body["player"] if role == "player" else "one"
        found = await self._sent(board, "scores", key, role, subject, body)
        assert found == [becomes], (found, body)

    async def batch(self, board: str, updates: list[dict[str, Any]], key: str | None = None) -> list[str]:
        return await self._sent(board, "scores/batch", key, "server", "one", {"updates": updates})

    async def take_over(self, board: str, entries: list[dict[str, Any]]) -> list[str]:
        return await self._sent(board, "ledger", None, "admin", "one", {"entries": entries})

    async def _sent(self, board: str, to: str, key: str | None, role: str, subject: str, body: Any) -> list[str]:
        app, _, name = board.partition("/")
        path = f"/v1/apps/{app}/boards/{name}/{to}"
        request = {"app": app, "path": path, "role": role, "subject": subject, "key": key, "body": body}
        if key is not None or to == "ledger":
            self.kept.append(request)
        return [status for status, _, _ in await send(self.service, request)]

    def some(self, board: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """Return random updates of a board. Values are few, so that there are ties."""
        name = "score" if board.get("operator") in {"best", "latest"} else "increment"
        made = []
        for n in range(count):
            update: dict[str, Any] = {"player": self.chance.choice(PLAYERS), name: self.chance.randrange(12)}
            if board["board"] == "record":
                update[name] = str(2**62 + update[name])
            if "regions" in board and n % 3:
                update["region"] = self.chance.choice(board["regions"])
            if n % 5 == 0:
                update["metadata"] = {"n": n, "by": "é"}
            made.append(update)
        return made


async def tell(s: Story) -> None:
    """All that is in a store, but for the last update."""
    s.at("2026-11-12T10:00:00Z")  # Thursday of week 46
    await tenants(s)
    await many(s, 8)
    await s.update("game/points", player="ann", action="spin")

    s.at("2026-11-19T13:00:00Z")  # Thursday of week 47
    await many(s, 6)
    for player, times in (("ann", 1), ("cid", 3)):
        for _ in range(times):
            await s.update("game/points", player=player, action="daily")
    await s.update("game/points", player="cid", action="daily", becomes="action_limit")

    s.at("2026-11-20T10:30:00Z")  # 23:30 in Auckland
    await s.update("game/points", player="bob", action="visit")
    for player in ("zoë", "mia", "mia"):
        await s.update("club/points", player=player, action="greet")

    s.at("2026-11-20T11:30:00Z")  # 00:30 of the day after in Auckland
    for action in ("daily", "daily", "visit", "quest"):
        await s.update("game/points", player="ann", action=action)

    s.at(MADE_AT)
    await many(s, 4)
    await limited(s)
    await keyed(s)
    await imported(s)


async def tenants(s: Story) -> None:
    operator = s.service.operator
    for app, zone in (("game", "UTC"), ("club", "Pacific/Auckland")):
        (await operator.post("/v1/apps", {"app": app, "name": f"The {app}", "time_zone": zone})).ok(201)
        for board in BOARDS[app]:
            (await operator.post(f"/v1/apps/{app}/boards", board)).ok(201)
        for action in ACTIONS[app]:
            (await operator.post(f"/v1/apps/{app}/actions", action)).ok(201)
    for profile in PROFILES:
        (await operator.post("/v1/apps/game/players", profile)).ok(201)


async def many(s: Story, count: int) -> None:
    """Random updates of every board, in a batch each."""
    for app, boards in BOARDS.items():
        for board in boards:
            found = await s.batch(f"{app}/{board['board']}", s.some(board, count))
            assert set(found) == {"applied"}, found


async def limited(s: Story) -> None:
    """Uses of limited actions of this day, up to their limits, on different boards; some under keys."""
    await s.update("game/later", player="ann", action="daily", becomes="accepted")  # after two at 11:30
    await s.update("game/points", "limit-1", player="ann", action="daily", becomes="action_limit")
    await s.update(
        "game/later", "limit-2", player="ann", action="daily", becomes="accepted"
    )  # refused, as the event says
    for key in ("daily-1", "daily-2"):
        await s.update("game/points", key, "player", player="bob", action="daily")
    await s.update("game/points", "cooldown-1", "player", player="ann", action="visit", becomes="action_cooldown")
    await s.update("game/points", "cooldown-2", player="ann", action="spin", becomes="action_cooldown")
    for player in ("ann", "bob"):
        await s.update("game/points", player=player, action="quest")
    await s.update("club/points", player="zoë", action="greet")
    await s.update("club/points", player="zoë", action="greet")
    await s.update("club/points", "limit-1", player="zoë", action="greet", becomes="action_limit")


async def keyed(s: Story) -> None:
    """Updates under idempotency keys: applied, refused, in batches, queued, and of a player who is deleted then."""
    await s.update("game/points", "key-1", player="ann", increment=3, region="us", metadata={"level": [1, 2]})
    await s.update("game/points", "key-1", "admin", player="ann", increment=4)  # of another credential
    await s.update("club/points", "key-1", player="ann", increment=5)  # of another app
    await s.update("game/sprint", "key-2", player="bob", score=0)
    await s.update("game/mood", "key-3", player="cid", score=-7)
    await s.update("game/record", "key-4", player="dan", score=WIDEST)
    await s.update("game/week", "key-5", player="zoë", increment=9)
    await s.update("game/day", "key-6", player="日本", increment=-2)
    await s.update("game/purse", "key-7", "player", player="hal", increment=1)
    await s.update("game/later", "key-8", player="eve", increment=1, becomes="accepted")
    await s.update("game/purse", "bound-1", player="ann", increment=1_000, becomes="total_out_of_bounds")
    mixed = [*s.some(BOARDS["game"][-1], 20), {"player": "bob", "increment": -500}, {"player": "cid", "action": "win"}]
    found = await s.batch("game/purse", mixed, "batch-1")
    assert found[-2:] == ["total_out_of_bounds", "applied"], found
    await s.batch("game/points", [{"player": "gus", "increment": 2, "idempotency_key": "item-1"}], "batch-2")
    await s.update("game/points", "spent", player="gone", increment=50)
    (await s.service.operator.delete("/v1/apps/game/players/gone")).ok(204)


async def imported(s: Story) -> None:
    """Entries of another ledger: of a season of long ago, of the last week, and one that is refused."""
    entries = []
    for n in range(24):
        at = micros(("2025-10-09T08:00:00Z", "2026-11-13T09:00:00Z")[n % 2]) + n
        event = event_id.to_text(event_id.make(at, 1_000 + n))
        entries.append({"event": event, "player": PLAYERS[n % 7], "value": n % 4, "region": (None, "eu", "us")[n % 3]})
    refused = {**entries[0], "event": event_id.to_text(event_id.make(micros(MADE_AT) - 5, 9)), "region": "mars"}
    assert (await s.take_over("club/archive", [*entries, refused]))[-2:] == ["applied", "unknown_region"]


async def unranked(service: Running) -> None:
    """Commit an update whose ranking fails, as if the process had ended in between: its note is not acknowledged."""
    update = {"player": LATE, "increment": 77, "region": "us"}
    with patch.object(type(service.service.ranking), "apply", side_effect=RuntimeError("the process ends here")):
        answer = await service.client("server", "game", "one").post("/v1/apps/game/boards/points/scores", update)
    assert answer.ok()["rank"] is None


async def made(store: Store, clock: ManualClock) -> tuple[list[dict[str, Any]], str]:
    """Fill an empty store. Returns the requests that can be sent again, and a token."""
    async with store.running() as service:
        story = Story(service, clock)
        await tell(story)
        token = service.token("admin", "game", ttl_s=CENTURY_S)
    async with store.running("api") as service:
        await unranked(service)
    return story.kept, token


async def recorded(store: Store, requests: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is the same in every store, and what is of this one. Neither changes the store."""
    async with store.running("api") as service:
        of_store: dict[str, Any] = {"pending": sorted(await pending(service)), "events": []}
        common: dict[str, Any] = {"answers": await answers(service), "requests": []}
        for request in requests:
            results = await send(service, request)
            events = [event for _, event, _ in results]
            of_store["events"].append(events)
            told = [[status, replayed] for status, _, replayed in results]
            common["requests"].append(
                {**request, "results": told, "outcomes": await outcomes(service, request["app"], events)}
            )
        assert await answers(service) == common["answers"]
    return common, of_store


def sqlite_dump(store: Store) -> str:
    with contextlib.closing(sqlite3.connect(store.data / "scoreboard.db")) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        lines = [f"PRAGMA page_size = {page};", "PRAGMA journal_mode = WAL;", *connection.iterdump()]
    return "\n".join([*lines, f"PRAGMA user_version = {version};", ""])


async def postgres_dump(store: Store) -> str:
    """Return the statements that any PostgreSQL from 15 on takes: without SET, comments and commands of psql."""
    await store.execute("UPDATE notes SET made_at = '2026-01-01 00:00:00+00'")  # by the clock of the server
    options = ("--inserts", "--rows-per-insert=100", "--no-owner", "--no-privileges", "--no-comments")
    command = [postgres.programs() / "pg_dump", *options, store.given["database_url"]]
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
        requests, token = await made(store, clock)
        dump = sqlite_dump(store) if store.kind == "sqlite" else await postgres_dump(store)
        (FOLDER / f"{store.kind}.sql").write_text(dump, encoding="utf-8")
        again = folder / f"{store.kind}-again"
        again.mkdir()
        given = {"ranking_url": redis.emptied(redis_url)} if store.kind == "postgres" else {}
        of_all, of_store = await recorded(await restored(store.kind, again, clock, **given), requests)
        write(store.kind, of_store)
        common.append(of_all)
    assert common[0] == common[1], "the stores differ"
    write("expected", {"token": token, **common[0]})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made_in, redis.shared(Path(made_in)) as url:
        asyncio.run(main(Path(made_in), url))
