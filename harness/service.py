"""The service running in this process."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import aiohttp
import uvloop
from aiohttp import web

from harness.client import Client
from harness.waiting import BOUND_S, PATIENCE, eventually
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Role
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.outbox import EventConsumer
from scoreboard.application.updates.commit import CommitRetries
from scoreboard.bootstrap import mounting
from scoreboard.bootstrap import service as bootstrap
from scoreboard.bootstrap.lifecycle import Service
from scoreboard.bootstrap.listening import listening
from scoreboard.bootstrap.settings import Settings, load
from scoreboard.bootstrap.timings import Timings
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.contracts.v1.refusals import codes_by_status
from scoreboard.entrypoints.http.connection import ConnectionFactory, Handler, HttpConnection
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.errors import HttpError
from scoreboard.entrypoints.http.fast_path import FastConnection
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.http.server import Server

HOUR_S = 3_600
TIMINGS = Timings(patience=PATIENCE, commit_retries=CommitRetries(within_s=BOUND_S))  # tolerate a busy machine


def loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the event loop factories that the service supports."""
    return {"uvloop": uvloop.new_event_loop}


class Running:
    """A listening service, with tokens and clients for any role."""

    def __init__(self, service: Service, url: str, http: aiohttp.ClientSession) -> None:
        self.service = service
        self.url = url
        self.http = http

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def token(self, role: Role, app: str, subject: str = "somebody", ttl_s: int = HOUR_S) -> str:
        return self.service.issuer.sign(principal_of(role, app, subject), ttl_s)

    def client(self, role: Role, app: str, subject: str = "somebody") -> Client:
        return Client(self.http, self.url, self.token(role, app, subject))

    @property
    def operator(self) -> Client:
        return self.client("admin", "*", "operator")

    @property
    def anybody(self) -> Client:
        return Client(self.http, self.url)

    async def board(self, board: str = "main", *, app: str = "game", **rules: Any) -> str:
        """Create a board, and its app if needed. Return the path of the board."""
        if (await self.operator.get(f"/v1/apps/{app}")).status == 404:
            (await self.operator.post("/v1/apps", {"app": app})).ok(201)
        (await self.operator.post(f"/v1/apps/{app}/boards", {"board": board, **rules})).ok(201)
        return f"/v1/apps/{app}/boards/{board}"

    async def records(self) -> dict[str, int]:
        """Return the row count of each table; a refused request must not change it."""
        tables = ("apps", "boards", "actions", "players", "standings", "ledger", "receipts", "refusals", "facts")
        database = cast("SqliteLedger", self.service.ledger).database
        return await database.read(
            lambda c: {table: int(c.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables}  # noqa: S608 - constants
        )


def endpoints(service: Running) -> list[Endpoint]:
    """Return every endpoint of the server, described or not."""
    found = [route.endpoint for route in service.service.server.router.routes]
    assert len(found) > 30
    return sorted(found, key=lambda endpoint: (endpoint.path, endpoint.method))


def settings(data: Path, **given: Any) -> Settings:
    """Return settings with this data folder, ignoring the environment."""
    return load({}, data=data, **given)


@asynccontextmanager
async def running(
    data: Path,
    *,
    when_ready: bool = True,
    parts: frozenset[mounting.Part] = mounting.PARTS,
    clock: Clock = bootstrap.wall_clock,
    kind: type[HttpConnection] = FastConnection,
    consumers: Sequence[EventConsumer] = (),
    timings: Timings = TIMINGS,
    **given: Any,
) -> AsyncIterator[Running]:
    """Run the service, or some of its parts, on a free port."""
    async with bootstrap.open_service(
        settings(data, **given), parts=parts, clock=clock, consumers=consumers, timings=timings
    ) as service:
        with check_declared_answers(service.server):
            async with listening(service, "127.0.0.1", 0, kind) as url, aiohttp.ClientSession() as http:
                if when_ready:
                    await eventually(lambda: service.ready, "the rankings are loaded")
                yield Running(service, url, http)


@contextmanager
def check_declared_answers(server: Server) -> Iterator[None]:
    """Assert that the API description declares every response."""
    open_connections, undeclared = server.connections, set()

    async def check(handler: Handler, request: web.BaseRequest) -> web.StreamResponse:
        reply = await handler(request)
        with contextlib.suppress(HttpError, ScoreboardError):  # raised if no endpoint matches
            (contract, operation, *_), _ = server.router.match(request.method, request.raw_path.partition("?")[0])
            described = contract.name == "v1" and operation.described
            if isinstance(reply, Response) and described and not _declared(operation, reply):
                undeclared.add((operation.name, reply.status, reply.body))
        return reply

    def observed(kind: type[HttpConnection]) -> ConnectionFactory:
        connections = open_connections(kind)
        connections.handler = partial(check, connections.handler)
        return connections

    with patch.object(server, "connections", observed):
        yield
    assert not undeclared, undeclared


def _declared(operation: Endpoint, reply: Response) -> bool:
    if reply.status < HTTPStatus.BAD_REQUEST:
        return reply.status in operation.responses
    return json.loads(reply.body)["code"] in codes_by_status(operation).get(HTTPStatus(reply.status), [])
