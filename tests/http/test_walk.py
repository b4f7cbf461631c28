"""Invalid requests to every route: each is refused, and changes nothing.

The routes are those of the service, so new ones are included.
"""

import gzip
import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness.client import Answer, Client
from harness.service import Running, endpoints
from harness.wire import wire
from scoreboard.entrypoints.http.endpoint import Endpoint

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
IDS = {"app": "game", "board": "main", "player": "alice", "action": "quest", "event": "", "letter": "x"}
IDS |= {"version": "0123456789abcdef", "file": "index.html", "module": "connection.js"}
ENDLESS = "streamTop"
PAST = "01900000-0000-7000-8000-000000000000"

BODIES = {
    "empty": b"",
    "no json": b"{",
    "text": b'"text"',
    "number": b"1",
    "null": b"null",
    "list": b"[]",
    "two values": b"{}{}",
    "unknown field": b'{"unknown_field": 1}',
    "deep": b"[" * 60_000,
    "deep object": b'{"metadata":' * 4_000,
    "invalid utf-8": b'{"player": "\xff", "increment": 1}',
    "invalid utf-8 in raw metadata": b'{"player": "a", "increment": 1, "metadata": "\xff"}',
    "lone surrogate": b'{"player": "\\ud800", "increment": 1}',
    "nul": b'{"player": "\\u0000", "username": "\\u0000", "board": "\\u0000", "app": "\\u0000", "increment": 1}',
    "utf-16": '{"player": "a", "increment": 1}'.encode("utf-16"),
    "nan": b'{"player": "a", "increment": NaN}',
    "infinity": b'{"player": "a", "increment": 1e999}',
    "fraction": b'{"player": "a", "increment": 1.5}',
    "boolean": b'{"player": "a", "increment": true}',
    "digits": b'{"player": "a", "increment": ' + b"9" * 5_000 + b"}",
    "too great": b'{"player": "a", "increment": 9007199254740992}',
    "beyond 64 bits": b'{"player": "a", "increment": 18446744073709551616}',
    "text of many digits": b'{"player": "a", "increment": "' + b"9" * 30 + b'"}',
    "text that is no number": b'{"player": "a", "increment": "1e3"}',
    "no player's id": b'{"player": "", "increment": 1}',
    "long id": b'{"player": "' + b"x" * 51 + b'", "increment": 1}',
    "two values at once": b'{"player": "a", "increment": 1, "score": 1}',
    "no value": b'{"player": "a"}',
    "wrong types": b'{"player": 1, "app": 1, "board": 1, "action": 1, "name": 1, "username": 1, "points": "x"}',
    "nulls": b'{"player": null, "app": null, "board": null, "action": null, "name": null, "points": null}',
}
QUERIES = (
    "limit=0",
    "limit=-1",
    "limit=1001",
    "limit=x",
    "limit=1.5",
    "limit=" + "9" * 5_000,
    "limit=",
    "limit=1&limit=2",
    "radius=0",
    "radius=101",
    "radius=x",
    "cursor=x",
    "cursor=%FF",
    "season=x",
    "season=%00",
    "region=mars",
    "unknown=1",
    "&".join(f"x{n}=1" for n in range(30)),
    "%FF=1",
    "after=%FF",
)
SEGMENTS = ("none", "%FF", "%00", "%ED%A0%80", "x" * 4_000, "a%2Fb", "%", "%zz", "..", "GAME", "%E2%80%8B", "'--", "*")
EVENTS = ("x", "%FF", "0" * 36, "00000000-0000-4000-8000-000000000000", "00000000-0000-7000-8000-000000000000", "é")


def address(operation: Endpoint, **ids: str) -> str:
    values = {**IDS, **ids}
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], operation.path)


@pytest.fixture
async def game(service: Running) -> Client:
    """Return the operator of a service with a board, an action and a player."""
    board = await service.board(regions=["eu"])
    operator = service.operator
    (await operator.post("/v1/apps/game/actions", {"action": "quest", "points": 5})).ok(201)
    (await operator.post("/v1/apps/game/players", {"player": "alice"})).ok(201)
    answer = await operator.post(f"{board}/scores", {"player": "alice", "increment": 5, "region": "eu"})
    IDS["event"] = answer.ok()["event"]
    return operator


async def state(service: Running) -> list[Any]:
    paths = ("boards/main/top", "boards/main", "boards", "actions", "players", "boards/main/top?region=eu")
    seen = [(await service.operator.get(f"/v1/apps/game/{path}")).ok() for path in paths]
    return [await service.records(), *seen, (await service.operator.get("/v1/apps")).ok()]


def check(answer: Answer, *statuses: int, what: object = "") -> None:
    assert answer.status in statuses, (what, answer.status, answer.raw[:300])
    assert answer.code, what
    assert answer.code != "internal_error"


async def test_an_unsupported_method_is_refused_with_the_supported_ones(service: Running, game: Client) -> None:
    before = await state(service)
    supported: dict[str, set[str]] = {}
    for operation in endpoints(service):
        supported.setdefault(address(operation), set()).add(operation.method)
    for path, methods in supported.items():
        for method in METHODS:
            if method in methods or (method == "HEAD" and "GET" in methods):
                continue
            if path.endswith("/players/query") and method in {"GET", "HEAD"}:
                continue  # the standing of a player with this id
            answer = await game.call(method, path)
            if method == "OPTIONS":
                assert answer.status == 204
            elif method == "HEAD":
                assert answer.status == 405
            else:
                answer.refused(405, "method_not_allowed")
            assert methods <= {*answer.headers["Allow"].split(", ")}
    assert await state(service) == before


async def test_an_invalid_body_is_refused_everywhere(service: Running, game: Client) -> None:
    before = await state(service)
    for operation in endpoints(service):
        if operation.body is None:
            continue
        for name, body in BODIES.items():
            if operation.name == "createPlayer" and name == "no value":
                continue  # valid there
            answer = await game.call(operation.method, address(operation), raw=body)
            check(answer, 400, 409, 413, what=(operation.name, name))
            assert answer.status != 409 or "great" in name or "64" in name or "digits" in name, (operation.name, name)
    assert await state(service) == before


async def test_the_items_of_a_batch_follow_the_same_rules(service: Running, game: Client) -> None:
    before = await state(service)
    for name, body in BODIES.items():
        answer = await game.call("POST", "/v1/apps/game/boards/main/scores/batch", raw=b'{"updates":[' + body + b"]}")
        if answer.status == 200:
            assert (answer.body["applied"], answer.body["refused"]) == (0, 1), name
        else:
            check(answer, 400, 413, what=name)
    assert await state(service) == before


async def test_a_body_of_another_media_type_or_size_is_refused_everywhere(service: Running, game: Client) -> None:
    before = await state(service)
    for operation in endpoints(service):
        if operation.body is None:
            continue
        path = address(operation)
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", "x"):
            answer = await game.call(operation.method, path, raw=b"{}", headers={"Content-Type": media_type})
            answer.refused(415, "unsupported_media_type")
        if operation.name not in {"updateScores", "importEntries"}:  # which accept larger bodies
            answer = await game.call(operation.method, path, raw=b'{"player": "' + b"x" * 70_000 + b'"}')
            answer.refused(413, "body_too_big")
    assert await state(service) == before


async def test_a_compressed_body_is_refused_everywhere_before_it_is_sent(service: Running, game: Client) -> None:
    # This includes unknown addresses, and routes without a body.
    before = await state(service)
    bomb = gzip.compress(bytes(10_000_000))
    asked = {(endpoint.method, address(endpoint)) for endpoint in endpoints(service)}
    asked |= {("GET", "/nothing"), ("POST", "/nothing"), ("PUT", "/v1/apps"), ("OPTIONS", "/v1/apps")}
    for method, path in sorted(asked):
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {game.token}\r\n"
        head += "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
        for framing, body in (
            (f"Content-Length: {len(bomb)}", b""),
            ("Transfer-Encoding: chunked", b""),
            (f"Content-Length: {len(bomb)}", bomb),
        ):
            async with wire(service.port) as raw:
                await raw.send(f"{head}{framing}\r\n\r\n".encode() + body)
                answer = await raw.answer()
                answer.refused(415, "unsupported_content_encoding")
                assert answer.headers["Connection"] == "close"
    assert await state(service) == before


async def test_an_invalid_query_is_refused_everywhere(service: Running, game: Client) -> None:
    before = await state(service)
    for operation in endpoints(service):
        if operation.query is None:
            continue
        body = {"players": ["alice"]} if operation.method == "POST" else None
        for query in QUERIES:
            answer = await game.call(operation.method, f"{address(operation)}?{query}", body)
            check(answer, 400, 404, what=(operation.name, query))
    assert await state(service) == before


async def test_an_unknown_id_is_refused_everywhere(service: Running, game: Client) -> None:
    before = await state(service)
    for operation in endpoints(service):
        for name in re.findall(r"\{(\w+)\}", operation.path):
            for segment in EVENTS if name == "event" else SEGMENTS:
                path = address(operation, **{name: segment})
                for body in [None] if operation.body is None else [{}, valid(operation)]:
                    answer = await game.call(operation.method, path, body)
                    check(answer, 400, 404, what=(operation.name, path))
    assert await state(service) == before


def valid(operation: Endpoint) -> dict[str, Any]:
    """Return a valid body for an operation."""
    bodies: dict[str, dict[str, Any]] = {
        "updateScore": {"player": "alice", "increment": 1},
        "updateScores": {"updates": [{"player": "alice", "increment": 1}]},
        "queryPlayers": {"players": ["alice"]},
        "importEntries": {"entries": [{"event": PAST, "player": "alice", "value": 1}]},
        "createBoard": {"board": "new"},
        "createAction": {"action": "new", "points": 1},
        "createPlayer": {"player": "new"},
    }
    return bodies.get(operation.name, {})


async def test_other_addresses_are_refused(service: Running, game: Client) -> None:
    before = await state(service)
    for operation in endpoints(service):
        path = address(operation)
        for wrong in (f"{path}/", f"{path}/x", f"/{path}", path.replace("/v1", "/v2", 1), path.replace("/", "//")):
            if path in {wrong, "/"}:
                continue
            answer = await game.call(operation.method, wrong)
            check(answer, 400, 404, 405, what=wrong)
    assert await state(service) == before


async def test_invalid_headers_are_refused_or_ignored(service: Running, game: Client) -> None:
    before = await state(service)
    long = "x" * 7_000
    for operation in endpoints(service):
        if operation.name in {ENDLESS, "openLive"}:
            continue
        for headers in (
            {"Authorization": "Bearer x"},
            {"Authorization": f"Bearer {long}"},
            {"Authorization": "Bearer \udcff"},
        ):
            answer = await game.call(operation.method, address(operation), valid(operation), headers=headers)
            if operation.tag == "service":
                assert answer.status == 200
            else:
                check(answer, 400, 401, what=operation.name)
    board = "/v1/apps/game/boards/main"
    for prefer in ("wait=x", "wait=", "x" * 5_000, "wait=99999", "respond-asyncs", ",;="):
        assert (await game.get(f"{board}/top", Prefer=prefer)).status == 200
    for tag in ("", "x", '"', "\udcff", "*,", '"' + long):
        assert (await game.get(f"{board}/top", If_None_Match=tag)).status == 200
    assert await state(service) == before


async def test_without_a_token_only_public_data_is_returned(service: Running, game: Client) -> None:
    before = await state(service)
    for operation in endpoints(service):
        if operation.name == ENDLESS:
            continue
        answer = await service.anybody.call(operation.method, address(operation), valid(operation) or None)
        if operation.tag == "service" or operation.name in {"getTop", "getStanding", "getAround", "queryPlayers"}:
            assert answer.status == 200, operation.name
        elif operation.name == "openLive":
            assert 400 <= answer.status < 500
        elif operation.name == "updateScores" or operation.body is None:
            answer.refused(401, "token_missing")
        else:
            check(answer, 400, 401, what=operation.name)
    assert await state(service) == before


def routes(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in document["paths"].items():
        for method in methods:
            yield method.upper(), path


async def test_the_document_has_every_route_except_streams_and_pages(service: Running) -> None:
    documented = {*routes((await service.anybody.get("/openapi.json")).ok())}
    served = {(operation.method, operation.path) for operation in endpoints(service) if operation.described}
    assert documented == served
