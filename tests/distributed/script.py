"""A script of calls, and their answers without times, ids, epochs and offsets."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.client import Answer
from harness.service import Running
from scoreboard.application.ports.authentication import Role

VARIABLE_HEADERS = {"Date", "Content-Length", "RateLimit-Remaining", "RateLimit-Reset"}
PATTERNS = (
    ("instant", rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    ("event", rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"),
    ("season", rb'(?<=["_/= ])\d{4}-(\d\d-\d\d|W\d\d|\d\d)(?=["& ])'),
    ("epoch", rb'(?<="epoch":")[^"]*'),
    ("offset", rb'(?<="offset":)\d+'),
    ("cursor", rb'(?<="next_cursor":")[^"]*'),
    ("wait", rb"(?<=try again in )[0-9.]+(?= s)"),
)


@dataclass
class Script:
    """A run of the script. `lines` are the calls and their answers."""

    service: Running
    lines: list[str] = field(default_factory=list)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: Role | None = "admin",
        app: str | None = None,
        player: str = "somebody",
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        app = app or ("*" if role == "admin" else "game")
        who = self.service.anybody if role is None else self.service.client(role, app, player)
        answer = await who.call(method, path, body, raw=raw, headers=headers)
        shown = sorted(f"{name}: {value}" for name, value in answer.headers.items() if name not in VARIABLE_HEADERS)
        asked = f"{method} {path} {body if raw is None else raw!r} {role} {app} {player} {headers or ''}"
        text = plain("\n".join(shown).encode() + b"\n" + answer.raw)
        self.lines.append(f"{plain(asked.encode())}\n{answer.status} {text}")
        return answer


def plain(text: bytes) -> str:
    for name, pattern in PATTERNS:
        text = re.sub(pattern, f"<{name}>".encode(), text)
    text = re.sub(rb"'If-None-Match': '[^']*'", b"If-None-Match: <tag>", text)
    text = re.sub(rb'(?i)ETag: "[^"]*"', b"Etag: <tag>", text)
    text = re.sub(rb"cursor=[^& ]+", b"cursor=<cursor>", text)
    return re.sub(rb"Retry-After: [0-9]+", b"Retry-After: <wait>", text).decode()


OPERATORS = ("increment", "best", "latest")
DIRECTIONS = ("descending", "ascending")
TIES = ("earliest", "latest", "shared")
NUMBERINGS = ("ordinal", "competition", "dense")
GAME = "/v1/apps/game"
VALUES = (("ann", 30), ("bob", 10), ("cid", 30), ("dan", 20), ("ann", 0), ("bob", 10), ("eve", -5), ("cid", 30))


async def play(service: Running) -> list[str]:
    """Run the whole script. Return the calls and their answers."""
    script = Script(service)
    for act in (tenants, rules, reads, updates, keys, actions, seasons, wide, history, refusals, deletions):
        await act(script)
    return script.lines


async def tenants(s: Script) -> None:
    await s.call("GET", "/v1/apps")
    await s.call("POST", "/v1/apps", {"app": "game", "name": "A game", "time_zone": "Europe/Berlin"})
    await s.call("POST", "/v1/apps", {"app": "other"})
    await s.call("POST", "/v1/apps", {"app": "game"})
    await s.call("PATCH", GAME, {"name": "The game"})
    await s.call("PATCH", GAME, {"time_zone": "Nowhere/Else"})
    await s.call("GET", GAME)
    await s.call("GET", "/v1/apps")
    await s.call("GET", "/v1/apps/nothing")
    for player in ("zoë", "Ann", "ann", "日本"):
        await s.call("POST", f"{GAME}/players", {"player": player, "username": f"{player} the first"})
    await s.call("POST", f"{GAME}/players", {"player": "ann"})
    await s.call("PATCH", f"{GAME}/players/ann", {"avatar_url": "/a.png", "email": "ann@example.com", "region": "eu"})
    await s.call("PATCH", f"{GAME}/players/ann", {"email": None})
    await s.call("PATCH", f"{GAME}/players/ann", {"username": ""})
    await s.call("GET", f"{GAME}/players/ann")
    await s.call("GET", f"{GAME}/players?limit=2")
    await s.call("GET", f"{GAME}/players?limit=2&after=ann")
    for after in ("%00", "ann%00", "%ED%A0%80"):
        await s.call("GET", f"{GAME}/players?after={after}")
    await s.call("GET", f"{GAME}/players", app="other")


async def rules(s: Script) -> None:
    """Update boards of every operator, direction, tie rule and numbering."""
    for operator, direction, ties, numbering in itertools.product(OPERATORS, DIRECTIONS, TIES, NUMBERINGS):
        name = f"{operator[0]}-{direction[0]}-{ties[0]}-{numbering[0]}"
        given = {"operator": operator, "direction": direction, "ties": ties, "numbering": numbering}
        await s.call("POST", f"{GAME}/boards", {"board": name, **given})
        field = "increment" if operator == "increment" else "score"
        for player, value in VALUES:
            await s.call("POST", f"{GAME}/boards/{name}/scores", {"player": player, field: value}, role="server")
        await s.call("GET", f"{GAME}/boards/{name}/top")
        await s.call("GET", f"{GAME}/boards/{name}/players/cid")
        await s.call("GET", f"{GAME}/boards/{name}/players/dan/around?radius=1")


async def reads(s: Script) -> None:
    board = f"{GAME}/boards/read"
    rules = {"board": "read", "numbering": "competition", "regions": ["eu", "us"], "top_n": 3, "name": "Read"}
    await s.call("POST", f"{GAME}/boards", rules)
    await s.call("GET", f"{board}/top")
    await s.call("GET", f"{board}/players/ann")
    await s.call("GET", f"{board}/players/nobody")
    players = [{"player": f"p{n:02}", "increment": n // 2} for n in range(20)]
    players += [{"player": f"é{n}", "increment": 100, "region": ("eu", "us")[n % 2]} for n in range(4)]
    await s.call("POST", f"{board}/scores/batch", {"updates": players}, role="server")
    await s.call("POST", f"{board}/scores", {"player": "ann", "increment": 4}, role="server")
    await s.call("GET", board)
    for query in ("", "?limit=5", "?region=eu", "?region=us&limit=1", "?region=mars", "?limit=0", "?limit=1001"):
        await s.call("GET", f"{board}/top{query}", role=None)
    for query in ("?limit=x", "?season=all", "?season=2026-01", "?cursor=x", "?unknown=1"):
        await s.call("GET", f"{board}/top{query}", role=None)
    page = await s.call("GET", f"{board}/top?limit=7")
    while cursor := page.ok()["next_cursor"]:
        page = await s.call("GET", f"{board}/top?limit=7&cursor={cursor}")
    tag = (await s.call("GET", f"{board}/top")).headers["ETag"]
    await s.call("GET", f"{board}/top", headers={"If-None-Match": tag})
    for player in ("p00", "p01", "p19", "ann", "%C3%A90", "nobody", "zo%C3%AB"):
        await s.call("GET", f"{board}/players/{player}")
        await s.call("GET", f"{board}/players/{player}/around?radius=2")
    await s.call("GET", f"{board}/players/%C3%A90?region=eu")
    await s.call("GET", f"{board}/players/%C3%A90?region=us")
    await s.call("GET", f"{board}/players/p00/around?radius=101")
    await s.call("GET", f"{board}/players/p10/around?radius=100")
    wanted = {"players": ["p03", "nobody", "ann", "p03", "é1"]}
    await s.call("POST", f"{board}/players/query", wanted, role=None)
    await s.call("POST", f"{board}/players/query?region=us", wanted, role=None)
    await s.call("POST", f"{board}/players/query", {"players": ["\0", "p03"]}, role=None)
    await s.call("POST", f"{board}/players/query", {"players": []}, role=None)
    await s.call("PATCH", f"{GAME}/players/p19", {"username": "The nineteenth"})
    await s.call("GET", f"{board}/top?limit=10")
    await s.call("PATCH", board, {"top_n": 2, "public": False, "name": "Not for all"})
    await s.call("GET", f"{board}/top", role=None)
    await s.call("GET", f"{board}/top", role="player")
    await s.call("GET", f"{board}/top", role="player", app="other")


async def updates(s: Script) -> None:
    board = f"{GAME}/boards/update"
    await s.call("POST", f"{GAME}/boards", {"board": "update", "min_value": -10, "max_value": 50, "max_total": 60})
    for body in (
        {"player": "ann", "increment": 50, "metadata": {"level": 3, "é": [1, 2.5, None]}},
        {"player": "ann", "increment": 1, "metadata": {"nul": "\0", "pair": "😀", "vast": 10**400}},
        {"player": "ann", "increment": 11},
        {"player": "ann", "increment": 10},
        {"player": "ann", "increment": "-5"},
        {"player": "ann", "increment": 51},
        {"player": "bob", "increment": 0},
        {"player": "bob", "score": 1},
        {"player": "bob"},
        {"player": "bob", "increment": 1, "region": "eu"},
        {"player": "", "increment": 1},
        {"player": "x" * 51, "increment": 1},
        {"player": "bob", "increment": 1.5},
        {"player": "bob", "increment": 1, "metadata": "x" * 3_000},
        {"player": "日本", "increment": 7},
        {"increment": 7},
    ):
        await s.call("POST", f"{board}/scores", body, role="server")
    for preference in ("respond-async", "wait=5", "return=minimal"):
        answer = await s.call(
            "POST", f"{board}/scores", {"player": "cid", "increment": 1}, headers={"Prefer": preference}
        )
        await s.call("GET", f"{GAME}/events/{answer.body['event']}")
        await s.call("GET", f"{GAME}/events/{answer.body['event']}", role="player", player="ann")
        await s.call("GET", f"/v1/apps/other/events/{answer.body['event']}")
    await s.call("POST", f"{board}/scores", {"player": "ann", "increment": 1}, role="player", player="ann")
    await s.call("POST", f"{board}/scores", {"player": "bob", "increment": 1}, role="player", player="ann")
    await s.call("PATCH", board, {"player_values": True, "max_value": 5})
    await s.call("POST", f"{board}/scores", {"increment": 5}, role="player", player="dan")
    await s.call("POST", f"{board}/scores", {"increment": 6}, role="player", player="dan")
    await s.call("POST", f"{board}/scores", {"increment": 1}, role="server", app="other")
    await s.call("POST", f"{board}/scores", {"increment": 1}, role=None)
    batch = [{"player": "ann", "increment": 1}, {"player": "", "increment": 1}, {"player": "ann", "increment": 99}]
    batch += [{"player": "ann", "increment": 3}, {"increment": 1, "score": 2}, {"player": "new", "increment": -10}]
    await s.call("POST", f"{board}/scores/batch", {"updates": batch}, role="server")
    await s.call("POST", f"{board}/scores/batch", {"updates": batch}, role="player")
    await s.call("POST", f"{board}/scores/batch", {"updates": []}, role="server")
    await s.call("PATCH", board, {"consistency": "queued", "priority": "high"})
    await s.call("POST", f"{board}/scores", {"player": "eve", "increment": 2}, role="server")
    await s.call("GET", f"{board}/top?limit=100")


async def keys(s: Script) -> None:
    board = f"{GAME}/boards/keys"
    await s.call("POST", f"{GAME}/boards", {"board": "keys"})
    one = {"player": "ann", "increment": 1}
    for body, name in (
        *((one, "k1"), (one, "k1"), ({**one, "increment": 2}, "k1"), (one, "k2"), (one, "k1")),
        *((one, ""), (one, "x" * 256), (one, "é"), ({"player": "ann", "increment": 2**53}, "k3")),
        ({"player": "ann", "increment": 5}, "k3"),
    ):
        await s.call("POST", f"{board}/scores", body, role="server", headers={"Idempotency-Key": name})
    key = {"Idempotency-Key": "k1"}
    await s.call("POST", f"{board}/scores", one, role="server", player="another", headers=key)
    await s.call("POST", f"{GAME}/boards/update/scores", one, role="server", headers=key)
    batch = {"updates": [one, one, {**one, "idempotency_key": "k2"}, {**one, "idempotency_key": "k1", "player": "bob"}]}
    for _ in range(2):
        headers = {"Idempotency-Key": "whole"}
        await s.call("POST", f"{board}/scores/batch", batch, role="server", headers=headers)
    await s.call("GET", f"{board}/top")


async def actions(s: Script) -> None:
    board = f"{GAME}/boards/keys"
    for action in (
        {"action": "coin", "points": 5, "per_day": 2},
        {"action": "gift", "points": 7, "cooldown_s": 3600},
        {"action": "vast", "points": 2**60},
        {"action": "coin", "points": 1},
        {"action": "Bad", "points": 1},
        {"action": "none", "points": 1, "per_day": 0},
    ):
        await s.call("POST", f"{GAME}/actions", action)
    for name in ("coin", "coin", "coin", "gift", "gift", "vast", "nothing"):
        await s.call("POST", f"{board}/scores", {"action": name}, role="player", player="dan")
    await s.call("POST", f"{board}/scores", {"action": "gift", "player": "eve"}, role="player", player="dan")
    key = {"Idempotency-Key": "gift"}
    for _ in range(2):
        body = {"action": "gift", "player": "eve"}
        await s.call("POST", f"{board}/scores", body, role="server", headers=key)
    await s.call("PATCH", f"{GAME}/actions/coin", {"points": 50, "per_day": None})
    await s.call("POST", f"{board}/scores", {"action": "coin"}, role="player", player="dan")
    await s.call("GET", f"{GAME}/actions")
    await s.call("DELETE", f"{GAME}/actions/coin")
    await s.call("GET", f"{GAME}/actions/coin")
    await s.call("POST", f"{board}/scores", {"action": "coin"}, role="player", player="dan")
    await s.call("GET", f"{board}/players/dan")


async def seasons(s: Script) -> None:
    for period, past in (("daily", "2020-01-01"), ("weekly", "2020-W01"), ("monthly", "2020-01")):
        board = f"{GAME}/boards/{period}"
        rules = {"board": period, "period": period, "time_zone": "Pacific/Auckland", "regions": ["eu"]}
        await s.call("POST", f"{GAME}/boards", rules)
        await s.call("POST", f"{board}/scores", {"player": "ann", "increment": 3, "region": "eu"})
        await s.call("POST", f"{board}/scores", {"player": "bob", "increment": 4})
        for query in ("", "?region=eu", "?season=current", f"?season={past}", "?season=all", "?season=x"):
            await s.call("GET", f"{board}/top{query}")
        await s.call("GET", f"{board}/players/ann?season={past}")
        await s.call("GET", f"{board}/players/ann?region=eu")


async def wide(s: Script) -> None:
    """Use scores that a JSON number cannot represent exactly."""
    board = f"{GAME}/boards/wide"
    bounds = {name: str(sign * (2**63 - 1)) for name, sign in (("max_value", 1), ("max_total", 1), ("min_value", -1))}
    await s.call("POST", f"{GAME}/boards", {"board": "wide", **bounds, "min_total": str(-(2**63))})
    for player, value in (("a", 2**63 - 1), ("b", 2**63 - 2), ("c", -(2**63) + 1), ("a", 1), ("d", 2**63), ("c", -1)):
        await s.call("POST", f"{board}/scores", {"player": player, "increment": str(value)})
    await s.call("POST", f"{board}/scores", {"player": "c", "increment": -1})
    await s.call("GET", f"{board}/top")
    for player in "abcd":
        await s.call("GET", f"{board}/players/{player}")


async def history(s: Script) -> None:
    board = f"{GAME}/boards/update"
    first = await s.call("GET", f"{board}/ledger?limit=3")
    await s.call("GET", f"{board}/ledger?limit=3&after={first.ok()['next_after']}")
    await s.call("GET", f"{board}/ledger?after=x")
    whole = await s.call("GET", f"{board}/ledger")
    await s.call("POST", f"{GAME}/boards", {"board": "copy"})
    await s.call("POST", f"{GAME}/boards/copy/ledger", {"entries": whole.ok()["entries"]})
    await s.call("POST", f"{GAME}/boards/copy/ledger", {"entries": whole.ok()["entries"][:2]})
    await s.call("GET", f"{GAME}/boards/copy/top")
    await s.call("GET", f"{GAME}/boards/copy/ledger")
    await s.call("POST", f"{GAME}/boards/copy/rebuild")
    await s.call("GET", f"{GAME}/boards/copy/top")


async def refusals(s: Script) -> None:
    scores = f"{GAME}/boards/keys/scores"
    for raw in (b"", b"{", b"[]", b"1", b'{"unknown":1}', b'{"player":"\xff","increment":1}', b'{"increment":1e999}'):
        await s.call("POST", scores, raw=raw)
    await s.call("POST", scores, raw=b'{"player":"\\u0000","increment":1}')
    await s.call("POST", scores, raw=b'{"player":"\\ud800","increment":1}')
    await s.call("POST", scores, {"increment": 1}, headers={"Content-Type": "text/plain"})
    await s.call("POST", scores, {"increment": 1}, headers={"Authorization": "Bearer x"})
    for board in (
        *({"board": "Bad"}, {"board": "keys"}, {"board": "b", "top_n": 0}, {"board": "b", "operator": "x"}),
        *({"board": "b", "regions": ["a", "a"]}, {"board": "b", "min_value": 2, "max_value": 1}),
        {"board": "b", "time_zone": "x"},
    ):
        await s.call("POST", f"{GAME}/boards", board)
    for method, path in (
        *(("GET", "/nothing"), ("PUT", GAME), ("GET", f"{GAME}/boards/none"), ("GET", f"{GAME}/boards/none/top")),
        *(("GET", f"{GAME}/events/x"), ("GET", f"{GAME}/events/01900000-0000-7000-8000-000000000000")),
        *(("DELETE", f"{GAME}/boards/none"), ("DELETE", f"{GAME}/players/none"), ("GET", f"{GAME}/players/none")),
        *(("GET", f"{GAME}/boards/%FF/top"), ("GET", f"{GAME}/boards/keys/players/%00"), ("POST", f"{GAME}/none")),
    ):
        await s.call(method, path)
    await s.call("POST", "/v1/apps", {"app": "third"}, role="server")
    await s.call("POST", "/v1/apps", {"app": "third"}, role="admin", app="game")


async def deletions(s: Script) -> None:
    """Delete objects, and create new ones under their ids."""
    board = f"{GAME}/boards/keys"
    again = {"player": "ann", "increment": 1}
    await s.call("DELETE", f"{GAME}/players/ann")
    await s.call("GET", f"{board}/top")
    await s.call("GET", f"{GAME}/boards/read/players/ann")
    await s.call("POST", f"{board}/scores", again, role="server", headers={"Idempotency-Key": "k1"})
    await s.call("POST", f"{board}/scores", again, role="server")
    await s.call("GET", f"{board}/players/ann")
    await s.call("GET", f"{board}/ledger")
    event = (await s.call("POST", f"{board}/scores", again, role="server")).ok()["event"]
    await s.call("DELETE", board)
    await s.call("GET", f"{board}/top")
    await s.call("GET", f"{GAME}/events/{event}")
    await s.call("POST", f"{GAME}/boards", {"board": "keys", "direction": "ascending", "operator": "best"})
    await s.call("GET", f"{board}/top")
    again = {"player": "ann", "score": 1}
    await s.call("POST", f"{board}/scores", again, role="server", headers={"Idempotency-Key": "k1"})
    await s.call("POST", f"{board}/scores", again, role="server")
    await s.call("GET", f"{board}/top")
    await s.call("GET", f"{GAME}/boards")
    await s.call("DELETE", GAME)
    await s.call("GET", GAME)
    await s.call("GET", f"{board}/top")
    await s.call("POST", "/v1/apps", {"app": "game"})
    await s.call("GET", f"{GAME}/boards")
    await s.call("GET", f"{GAME}/players")
    await s.call("POST", f"{GAME}/boards", {"board": "keys"})
    await s.call("GET", f"{board}/top")
