"""The running service, as tests use it: in this process, or as a process of its own that can be killed."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import aiohttp
import uvloop
from aiohttp import web
from yarl import URL

from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.authentication import Role
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.outbox import EventConsumer
from scoreboard.bootstrap import mounting, tokens
from scoreboard.bootstrap import service as bootstrap
from scoreboard.bootstrap.lifecycle import Service
from scoreboard.bootstrap.listening import listening
from scoreboard.bootstrap.settings import Settings, load
from scoreboard.domain.errors import ScoreboardError
from scoreboard.entrypoints.contracts.v1 import refusals
from scoreboard.entrypoints.http.connection import HttpConnection
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.errors import HttpError
from scoreboard.entrypoints.http.fast_path import FastConnection
from scoreboard.entrypoints.http.response import Response
from scoreboard.entrypoints.http.server import Server

BOUND_S = 120.0  # no promise about speed: the longest a test waits for what must come
HOUR_S = 3_600
JSON = "application/json"
PROBLEM = "application/problem+json"


def loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that the service runs on."""
    return {"uvloop": uvloop.new_event_loop}


async def eventually(condition: Callable[[], Awaitable[object] | object], what: str = "") -> None:
    """Wait until the condition holds. AssertionError when it does not within a generous bound."""
    loop = asyncio.get_running_loop()
    until = loop.time() + BOUND_S
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return
        assert loop.time() < until, f"never came true: {what or condition}"
        await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """The stable code of a problem; fails for what is not a well-formed one."""
        assert self.headers.get("Content-Type") == PROBLEM, (self.status, self.headers, self.raw[:300])
        problem = self.body
        assert problem["status"] == self.status
        assert {"type", "title", "detail"} <= problem.keys()
        return str(problem["code"])

    def refused(self, status: int, code: str) -> "Answer":
        """This is that problem."""
        assert (self.status, self.code) == (status, code), self.raw[:500]
        return self

    def ok(self, status: int = 200) -> Any:
        """The JSON of a success."""
        assert self.status == status, (self.status, self.raw[:500])
        return self.body if self.raw else None


class Client:
    """A user of the HTTP API with one token, or none."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str | None = None) -> None:
        self.http = http
        self.url = url
        self.token = token

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        data = raw if raw is not None or body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = JSON
        sent.update(headers or {})
        url = URL(self.url + path, encoded=True)  # exactly as written
        async with self.http.request(method, url, data=data, headers=sent, allow_redirects=False) as got:
            return Answer(got.status, got.headers.copy(), await got.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, headers=_named(headers))

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.call("POST", path, body, headers=_named(headers))

    async def patch(self, path: str, body: Any) -> Answer:
        return await self.call("PATCH", path, body)

    async def delete(self, path: str) -> Answer:
        return await self.call("DELETE", path)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    """Idempotency_Key="k" stands for the header Idempotency-Key."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


class Running:
    """A service in this process, listening. Tokens as the command line makes them; clients that hold them."""

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
        """A board of an app, both made; its address."""
        if (await self.operator.get(f"/v1/apps/{app}")).status == 404:
            (await self.operator.post("/v1/apps", {"app": app})).ok(201)
        (await self.operator.post(f"/v1/apps/{app}/boards", {"board": board, **rules})).ok(201)
        return f"/v1/apps/{app}/boards/{board}"

    async def records(self) -> dict[str, int]:
        """How many rows of each kind the store has: what a refused request must not change."""
        tables = ("apps", "boards", "actions", "players", "standings", "ledger", "receipts", "refusals", "facts")
        database = cast("SqliteLedger", self.service.ledger)._database
        return await database.read(
            lambda c: {table: int(c.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables}  # noqa: S608
        )


def endpoints(service: Running) -> list[Endpoint]:
    """Every endpoint that the server has, described or not."""
    found = []
    nodes = [service.service.server._router._root]
    while nodes:
        for key, child in nodes.pop().items():
            if key is None:
                found += [route.endpoint for route in child.values()]
            else:
                nodes.append(child)
    assert len(found) > 30
    return sorted(found, key=lambda endpoint: (endpoint.path, endpoint.method))


def settings(data: Path, **given: Any) -> Settings:
    """The settings of a test: its own folder, nothing from the environment."""
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
    **given: Any,
) -> AsyncIterator[Running]:
    """The service, or some of its parts, in this process, on a free port."""
    async with bootstrap.open_service(
        settings(data, **given), parts=parts, clock=clock, consumers=consumers
    ) as service:
        with answers_as_declared(service.server):
            async with listening(service, "127.0.0.1", 0, kind) as url, aiohttp.ClientSession() as http:
                if when_ready:
                    await eventually(lambda: service.ready, "the rankings are loaded")
                yield Running(service, url, http)


@contextmanager
def answers_as_declared(server: Server) -> Iterator[None]:
    """Whatever a test asks and whatever fails meanwhile: each answer is one that the API's description tells of."""
    answer, undeclared = server._answer, set()

    async def noting(request: web.BaseRequest) -> web.StreamResponse:
        reply = await answer(request)
        with contextlib.suppress(HttpError, ScoreboardError):  # no operation of this address
            (contract, operation, *_), _ = server._router.match(request.method, request.raw_path.partition("?")[0])
            described = contract.name == "v1" and operation.described
            if isinstance(reply, Response) and described and not _declared(operation, reply):
                undeclared.add((operation.name, reply.status, reply.body))
        return reply

    with patch.object(server, "_answer", noting):
        yield
    assert not undeclared, undeclared


def _declared(operation: Endpoint, reply: Response) -> bool:
    if reply.status < HTTPStatus.BAD_REQUEST:
        return reply.status in operation.replies
    return json.loads(reply.body)["code"] in refusals.codes(operation).get(HTTPStatus(reply.status), [])


_ports_given: set[int] = set()


def free_port() -> int:
    """One that nobody else in this run is given, that no client's connection takes while the server behind it is away,
    and that none connects to itself by."""
    clients = Path("/proc/sys/net/ipv4/ip_local_port_range")
    above = int(clients.read_text().split()[0]) if clients.exists() else 32_768
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = random.randrange(10_000 + worker, above, workers)
        if port not in _ports_given:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _ports_given.add(port)
                return port


class Process:
    """`scoreboard serve`, or another role, as a process of its own, to be killed or stopped by its id. `program` may be
    another one that takes the role as its last argument, then the options."""

    def __init__(
        self, data: Path, port: int, role: str = "serve", program: Sequence[str | Path] = (), **environment: str
    ) -> None:
        self.data = data
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = (data.parent / f"{data.name}.log").open("ab")
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SCOREBOARD_")}
        self._process = subprocess.Popen(
            [*(program or (Path(sys.executable).with_name("scoreboard"),)), role, "--data", data, "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**plain, **environment},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    async def ready(self) -> "Process":
        """Wait until it takes requests."""

        def is_ready() -> bool:
            assert self._process.poll() is None, f"it ended: {self.log[-2_000:]}"
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=BOUND_S) as answer:  # noqa: S310
                    return bool(answer.status == 200)
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
                return False

        await eventually(lambda: asyncio.to_thread(is_ready), "the process is ready")
        return self

    def kill(self) -> None:
        """kill -9, and wait for its end."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def terminate(self) -> None:
        """Ask it to stop; `ended` waits for it."""
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Its exit status."""
        status = await asyncio.to_thread(self._process.wait, 2 * BOUND_S)
        self._log.close()
        return status

    def mint(self, role: Role, app: str, subject: str = "somebody") -> str:
        return tokens.mint(settings(self.data), role=role, app=app, subject=subject, ttl_s=HOUR_S)


@contextmanager
def process(
    data: Path,
    *,
    port: int | None = None,
    role: str = "serve",
    program: Sequence[str | Path] = (),
    **environment: str,
) -> Iterator[Process]:
    """A process that does not outlive the test."""
    started = Process(data, port or free_port(), role, program, **environment)
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()


@dataclass
class Wire:
    """A connection on which a test says exactly which bytes it sends."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, head_only: bool = False) -> Answer:
        """The next answer, by its Content-Length."""
        async with asyncio.timeout(BOUND_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")[:-2]
            headers = {name.title(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = 0 if head_only else int(headers.get("Content-Length", "0"))
            return Answer(int(first.split()[1]), headers, await self.reader.readexactly(length))

    async def rest(self) -> bytes:
        """All that comes before the server closes the connection."""
        async with asyncio.timeout(BOUND_S):
            return await self.reader.read(-1)


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
