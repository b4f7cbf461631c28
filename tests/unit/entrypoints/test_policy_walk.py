"""Every route of the server enforces its row of the policy table.

The routes are those of the server, so new ones are included.
"""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from harness.client import Answer, Client
from harness.service import Running, endpoints, running
from scoreboard.application.identity.policy import POLICY, Requirement
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Principal
from scoreboard.entrypoints.http.endpoint import Endpoint

Outcome = Literal["allowed", "unauthenticated", "forbidden", "hidden"]

PAST = "01900000-0000-7000-8000-000000000000"
FORBIDDEN = {"wrong_app", "scope_missing", "wrong_player", "server_only", "operator_only"}
PRINCIPALS: Mapping[str, Principal | None] = {
    "nobody": None,
    "player": principal_of("player", "game", "ann"),
    "other player": principal_of("player", "game", "bob"),
    "server": principal_of("server", "game", "one"),
    "admin": principal_of("admin", "game", "one"),
    "admin of another app": principal_of("admin", "another", "one"),
    "operator": principal_of("admin", "*", "one"),
}
BODIES: Mapping[str, Any] = {
    "updateScore": {"player": "ann", "increment": 1},
    "updateScores": {"updates": [{"player": "ann", "increment": 1}]},
    "queryPlayers": {"players": ["ann"]},
    "importEntries": {"entries": [{"event": PAST, "player": "ann", "value": 1}]},
    "createApp": {"app": "new"},
    "createBoard": {"board": "new"},
    "createAction": {"action": "new", "points": 1},
    "createPlayer": {"player": "new"},
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path / "data") as started:
        yield started


def expected(rule: Requirement, who: Principal | None, *, public: bool) -> Outcome:
    """Return the outcome of a request for the player `ann` by the policy table."""
    if rule.permission is None or (public and rule.public_boards):
        return "allowed"
    if who is None:
        return "unauthenticated"
    if who.app != "*" and (who.app != "game" or rule.operator):
        return "forbidden"
    if rule.permission not in who.permissions or (rule.trusted and who.role == "player"):
        return "forbidden"
    if rule.others != "allowed" and who.role == "player" and who.subject != "ann":
        return rule.others
    return "allowed"


def outcome(answer: Answer, rule: Requirement) -> Outcome:
    code = answer.code if answer.raw and answer.status >= 400 else ""
    if answer.status == 401:
        return "unauthenticated"
    if code in FORBIDDEN or (answer.status == 403 and not code):
        return "forbidden"
    return "hidden" if rule.others == "hidden" and answer.status == 404 else "allowed"


async def send(client: Client, endpoint: Endpoint, ids: Mapping[str, str], **headers: str) -> Answer:
    path = re.sub(r"\{(\w+)\}", lambda brace: ids[brace[1]], endpoint.path)
    method = "HEAD" if endpoint.name == "streamTop" else endpoint.method  # a GET of a stream would not end
    body = BODIES.get(endpoint.name, {} if endpoint.body else None)
    return await client.call(method, path, body, headers=headers)


def deletions_last(endpoint: Endpoint) -> tuple[bool, int]:
    return endpoint.method == "DELETE", -len(endpoint.path)


async def test_every_row_of_the_table_has_a_route(service: Running) -> None:
    rows = {endpoint.policy for endpoint in endpoints(service)}
    assert rows == set(POLICY)


def test_every_row_that_needs_a_permission_describes_it() -> None:
    assert [name for name, rule in POLICY.items() if bool(rule.access) != (rule.permission is not None)] == []


async def test_every_route_enforces_its_row(service: Running) -> None:
    boards = {await service.board(name, public=name == "open", player_values=True): name for name in ("open", "closed")}
    await service.board(app="another")
    operator = service.operator
    (await operator.post("/v1/apps/game/actions", {"action": "win", "points": 1})).ok(201)
    (await operator.post("/v1/apps/game/players", {"player": "ann"})).ok(201)
    events = [(await operator.post(f"{board}/scores", BODIES["updateScore"])).ok()["event"] for board in boards]
    clients = {
        name: Client(service.http, service.url, None if who is None else service.service.issuer.sign(who, 600))
        for name, who in PRINCIPALS.items()
    }
    ids = {"app": "game", "player": "ann", "action": "win", "letter": "x", "event": events[0]}
    ids |= {"version": "0123456789abcdef", "file": "index.html", "module": "connection.js"}
    checked = 0
    for endpoint in sorted(endpoints(service), key=deletions_last):
        rule = POLICY[endpoint.policy]
        of_board = "{board}" in endpoint.path
        for board in boards.values() if of_board else ["open"]:
            public = board == "open"
            answer = await send(clients["nobody"], endpoint, {**ids, "board": board}, Authorization="Bearer a.b.c")
            wanted = "allowed" if rule.permission is None else "unauthenticated"
            assert outcome(answer, rule) == wanted, (endpoint.name, "malformed token", answer.raw)
            for name, client in clients.items():
                answer = await send(client, endpoint, {**ids, "board": board})
                wanted = expected(rule, PRINCIPALS[name], public=public)
                assert outcome(answer, rule) == wanted, (endpoint.name, name, board, answer.status, answer.raw)
                checked += 1
    assert checked > 300
