"""An example contract, mounted next to `/v1` with the same use cases.

It defines its own paths, error shape, authentication, and a body that is not JSON. Nothing in `src/` depends on it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from harness.client import Answer, Client
from harness.service import Running, running
from harness.waiting import PATIENCE
from harness.wire import wire
from scoreboard.application.identity.authentication import authenticate
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Authenticator, Principal
from scoreboard.application.standings.reads import Page
from scoreboard.application.standings.top_pages import TopPages
from scoreboard.application.updates.requests import UpdateRequest
from scoreboard.bootstrap.lifecycle import Service
from scoreboard.bootstrap.timings import Timings
from scoreboard.domain import codes, errors
from scoreboard.domain.board import Board
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.http.contract import Authenticate, Contract
from scoreboard.entrypoints.http.endpoint import endpoint, routes
from scoreboard.entrypoints.http.errors import HttpError
from scoreboard.entrypoints.http.request import RequestContext
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.http.timeouts import HttpTimeouts

APP, BOARD = "game", "main"
FORM, TEXT = "application/x-www-form-urlencoded", "text/plain; charset=utf-8"
KEYS = {
    "key-of-the-server": principal_of("server", APP, "arcade"),
    "key-of-ann": replace(principal_of("player", APP, "ann"), session="cabinet-7"),
    "key-of-another": principal_of("server", "another", "arcade"),
}
STATUSES: Mapping[type[ScoreboardError], int] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Refused: 409,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
}


class ApiKeys:
    async def authenticate(self, token: str) -> Principal | None:
        return KEYS.get(token)


def from_api_key(authenticators: Sequence[Authenticator]) -> Authenticate:
    async def principal(request: web.BaseRequest) -> Principal | None:
        key = request.headers.get("X-Api-Key")
        return None if key is None else await authenticate(authenticators, key)

    return principal


def render_error(error: ScoreboardError | HttpError) -> Response:
    status = error.status.value if isinstance(error, HttpError) else STATUSES[type(error)]
    return Response(status, f"NO {status} {error.code}\n".encode(), content_type=TEXT)


def lines(_: Board, page: Page, __: str) -> bytes:
    return "".join(f"{line.rank} {line.player} {line.score}\n" for line in page.lines).encode()


class Arcade:
    """Endpoints that translate between lines of text and a use case."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pages = TopPages(service.reads, lines)

    @endpoint("POST", "/arcade/score", name="arcadeScore", tag="arcade", policy="update_score", body=dict)
    async def score(self, context: RequestContext) -> web.StreamResponse:
        raw = await context.body(200)
        form = parse_qs(raw.decode())
        try:
            request = UpdateRequest(raw, player=form["player"][0], increment=int(form["points"][0]))
        except (KeyError, ValueError) as error:
            raise codes.INVALID_BODY.error("send player=...&points=...") from error
        result = await self._service.submit.one(context.principal, APP, BOARD, request)
        return Response(200, f"OK {result.outcome.score}\n".encode(), content_type=TEXT)

    @endpoint("GET", "/arcade/best", name="arcadeBest", tag="arcade", policy="read_standings")
    async def best(self, context: RequestContext) -> web.StreamResponse:
        board, key = await self._service.reads.open(context.principal, APP, BOARD, None, None)
        return Response(200, await self._pages.get(board, key, None, None), content_type=TEXT)

    @endpoint("GET", "/arcade/players/{player}", name="getStanding", tag="arcade", policy="read_standings")
    async def one(self, context: RequestContext) -> web.StreamResponse:
        board, key = await self._service.reads.open(context.principal, APP, BOARD, None, None)
        place = await self._service.reads.get_standing(board, key, context.path[0])
        return Response(200, f"{place.score}\n".encode(), content_type=TEXT)

    @endpoint("GET", "/arcade/broken", name="arcadeBroken", tag="arcade", policy="use_service")
    async def broken(self, _: RequestContext) -> web.StreamResponse:
        raise RuntimeError("unexpected")


def arcade(service: Service) -> Contract:
    return Contract(
        "arcade",
        routes(Arcade(service)),
        from_api_key([ApiKeys()]),
        render_error,
        media_types=(FORM, "text/plain"),
        request_headers=("X-Api-Key", "Content-Type"),
    )


@pytest.fixture
async def service(tmp_path: Path, timeouts: HttpTimeouts) -> AsyncIterator[Running]:
    timings = Timings(patience=PATIENCE, http=timeouts)
    async with running(tmp_path / "data", origins="https://arcade.example", timings=timings) as started:
        await started.board(BOARD, app=APP)
        started.service.server.mount(arcade(started.service))
        yield started


async def send(
    service: Running, method: str, path: str, body: str | None = None, *, key: str | None = None, **headers: str
) -> Answer:
    sent = {"Content-Type": FORM, **({} if key is None else {"X-Api-Key": key}), **headers}
    raw = None if body is None else body.encode()
    return await Client(service.http, service.url).call(method, path, raw=raw, headers=sent)


def assert_refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.raw.decode()) == (status, f"NO {status} {code}\n")
    assert answer.headers["Content-Type"] == TEXT


async def test_updates_and_reads_share_the_use_cases(service: Running) -> None:
    for body, points in (("player=ann&points=5", 5), ("player=ann&points=2", 7)):
        answer = await send(service, "POST", "/arcade/score", body, key="key-of-the-server")
        assert (answer.status, answer.raw) == (200, b"OK %d\n" % points)
    (await service.client("server", APP).post(f"/v1/apps/{APP}/boards/{BOARD}/scores", {"player": "b", "increment": 9}))
    assert (await send(service, "GET", "/arcade/best")).raw == b"1 b 9\n2 ann 7\n"
    assert (await send(service, "GET", "/arcade/players/ann")).raw == b"7\n"
    top = (await service.anybody.get(f"/v1/apps/{APP}/boards/{BOARD}/top")).ok()
    assert [(entry["player"], entry["score"]) for entry in top["entries"]] == [("b", 9), ("ann", 7)]


@pytest.mark.parametrize("timeouts", [HttpTimeouts(body_s=0.1)], ids=["short"])
async def test_every_refusal_has_the_shape_of_this_contract(service: Running) -> None:
    key, body = "key-of-the-server", "player=ann&points=5"
    assert_refused(await send(service, "POST", "/arcade/score", "points=5", key=key), 400, "invalid_body")
    assert_refused(await send(service, "GET", "/arcade/players/%FF"), 400, "invalid_path")
    assert_refused(await send(service, "POST", "/arcade/score", body), 401, "token_missing")
    assert_refused(await send(service, "POST", "/arcade/score", body, key="unknown"), 401, "token_invalid")
    assert_refused(await send(service, "POST", "/arcade/score", body, key="key-of-another"), 403, "wrong_app")
    assert_refused(await send(service, "POST", "/arcade/score", body, key="key-of-ann"), 403, "value_not_allowed")
    assert_refused(await send(service, "GET", "/arcade/players/nobody"), 404, "player_not_found")
    assert_refused(await send(service, "GET", "/arcade/unknown"), 404, "route_not_found")
    assert_refused(await send(service, "GET", "/arcade/best/of/all"), 404, "route_not_found")
    answer = await send(service, "DELETE", "/arcade/best")
    assert_refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert_refused(await send(service, "POST", "/arcade/score", "x" * 201, key=key), 413, "body_too_big")
    json = {"Content-Type": "application/json"}
    assert_refused(await send(service, "POST", "/arcade/score", "{}", key=key, **json), 415, "unsupported_media_type")
    assert_refused(await send(service, "GET", "/arcade/broken"), 500, "internal_error")
    async with wire(service.port) as raw:
        head = f"POST /arcade/score HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\nContent-Type: {FORM}\r\n"
        await raw.send(f"{head}Content-Length: 9\r\n\r\nplayer".encode())
        assert_refused(await raw.answer(), 408, "body_timeout")
    assert (await send(service, "GET", "/arcade/best")).raw == b""


async def test_a_private_board_requires_a_credential_of_this_contract(service: Running) -> None:
    (await service.operator.patch(f"/v1/apps/{APP}/boards/{BOARD}", {"public": False})).ok()
    assert_refused(await send(service, "GET", "/arcade/best"), 401, "token_missing")
    bearer = {"Authorization": f"Bearer {service.token('server', APP)}"}
    assert_refused(await send(service, "GET", "/arcade/best", **bearer), 401, "token_missing")
    assert (await send(service, "GET", "/arcade/best", key="key-of-ann")).status == 200


async def test_other_contracts_keep_their_shape_and_credentials(service: Running) -> None:
    path = f"/v1/apps/{APP}/boards/{BOARD}/scores"
    body = {"player": "ann", "increment": 1}
    (await service.anybody.post(path, body, X_Api_Key="key-of-the-server")).refused(401, "token_missing")
    (await service.anybody.get("/v1/unknown")).refused(404, "route_not_found")
    (await service.anybody.get("/unknown")).refused(404, "route_not_found")
    (await service.anybody.get("/arcades")).refused(404, "route_not_found")


async def test_other_origins_may_send_the_headers_of_this_contract(service: Running) -> None:
    headers = {"Origin": "https://arcade.example", "Access-Control-Request-Method": "POST"}
    answer = await service.anybody.call("OPTIONS", "/arcade/score", headers=headers)
    assert answer.status == HTTPStatus.NO_CONTENT
    assert answer.headers["Access-Control-Allow-Headers"] == "X-Api-Key, Content-Type"
    answer = await service.anybody.call("GET", "/arcade/best", headers=headers)
    assert answer.headers["Access-Control-Allow-Origin"] == headers["Origin"]
    assert "Access-Control-Expose-Headers" not in answer.headers


async def test_its_requests_are_counted_under_its_name(service: Running) -> None:
    await asyncio.gather(*(send(service, "GET", "/arcade/players/nobody") for _ in range(3)))
    metrics = (await service.anybody.get("/metrics")).raw
    counted = b'scoreboard_http_request_seconds_count{contract="arcade",operation="getStanding",status="404"} 3.0'
    assert counted in metrics


async def test_two_contracts_cannot_serve_the_same_path(service: Running) -> None:
    with pytest.raises(ValueError, match="served twice"):
        service.service.server.mount(arcade(service.service))
