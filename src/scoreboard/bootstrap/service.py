"""The service, put together on the embedded backends: SQLite and in process. Whoever opens a thing closes it."""

import asyncio
import contextlib
import errno
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector

from scoreboard.adapters.jose.access import JwtAccess, signing_key
from scoreboard.adapters.memory.limits import MemoryLimits
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.live.hub import Hub
from scoreboard.application.live.origins import Origins
from scoreboard.application.operations.history import History
from scoreboard.application.operations.rebuild import Rebuild
from scoreboard.application.operations.repair import Repair
from scoreboard.application.operations.retention import Retention
from scoreboard.application.operations.seasons import turn_seasons
from scoreboard.application.operations.tenants import Tenants
from scoreboard.application.pipeline.accept import Accept, Bounds
from scoreboard.application.pipeline.guard.rate_limit import UpdateRates
from scoreboard.application.pipeline.publish import Publish
from scoreboard.application.pipeline.rank import Rank
from scoreboard.application.pipeline.update import Update
from scoreboard.application.ports.access import EVERY_APP, Credential, Role, Scope
from scoreboard.application.queries.cursors import Cursors
from scoreboard.application.queries.names import Names
from scoreboard.application.queries.public_boards import PublicBoards
from scoreboard.application.queries.reads import Reads
from scoreboard.bootstrap.settings import Settings
from scoreboard.domain.board import Board
from scoreboard.domain.season import season_at
from scoreboard.domain.submission import TableKey
from scoreboard.entrypoints.http.admission import Admission, room
from scoreboard.entrypoints.http.operations import Call, Operation
from scoreboard.entrypoints.http.pages import Pages
from scoreboard.entrypoints.http.reference import Reference
from scoreboard.entrypoints.http.server import Server
from scoreboard.entrypoints.http.service import Service as ServiceDoor
from scoreboard.entrypoints.http.v1.boards import Boards
from scoreboard.entrypoints.http.v1.history import History as HistoryDoor
from scoreboard.entrypoints.http.v1.scores import Scores
from scoreboard.entrypoints.http.v1.tenants import Tenants as TenantsDoor
from scoreboard.entrypoints.sockets import asyncapi
from scoreboard.entrypoints.sockets.live import Live, LiveLimits

log = structlog.get_logger(__name__)

DATABASE, KEY, ADDRESS = "scoreboard.db", "token.key", "serve.json"
LOCK_TRIES, LOCK_PAUSE_S = 10, 0.05  # a command that looks whether a server runs holds the lock for a moment
SCOPES: dict[Role, frozenset[Scope]] = {
    "player": frozenset({"update:score", "read:leaderboard"}),
    "server": frozenset({"update:score", "read:leaderboard"}),
    "admin": frozenset({"update:score", "read:leaderboard", "admin"}),
}


class FolderLocked(Exception):
    """Another process has the data folder."""


class FolderUnusable(Exception):
    """The data folder cannot be made, read or written."""


class PortInUse(Exception):
    """The address cannot be listened on."""


@dataclass(slots=True)
class Service:
    """All of it, running. `ready` when the rankings of the open seasons are loaded."""

    settings: Settings
    directory: SqliteDirectory
    ledger: SqliteLedger
    ranking: MemoryRanking
    access: JwtAccess
    update: Update
    accept: Accept
    reads: Reads
    tenants: Tenants
    publish: Publish
    live: Live
    server: Server
    warmed: asyncio.Event
    tasks: list[asyncio.Task[None]]

    @property
    def ready(self) -> bool:
        return self.warmed.is_set()


Told = Callable[[str], None]


@asynccontextmanager
async def opened(settings: Settings, told: Told = lambda _: None) -> AsyncIterator[Service]:
    """The service on its data folder, without a listening socket. Raises FolderLocked or FolderUnusable."""
    async with AsyncExitStack() as stack:
        stack.enter_context(locked(settings.data))
        with _usable(settings.data):
            (settings.data / ADDRESS).unlink(missing_ok=True)  # of a server that was killed
            store = await stack.enter_async_context(database.opened(settings.data / DATABASE))
            key = signing_key(settings.data / KEY)
        service = await _assembled(settings, store, key)
        await service.accept.start()
        committing = asyncio.create_task(service.accept.run())
        stack.push_async_callback(_finished, service, committing)
        service.tasks.append(asyncio.create_task(_warm(service, told)))
        yield service


async def _finished(service: Service, committing: asyncio.Task[None]) -> None:
    """Stop in order: sockets are told to come back, what was accepted gets its outcome, then the rest ends."""
    await service.live.close()
    service.accept.close()
    await committing
    for task in service.tasks:
        task.cancel()
    await asyncio.gather(*service.tasks, return_exceptions=True)
    for app in await service.directory.apps():
        for board in await service.directory.boards(app):
            await service.ranking.drop(board)  # tables that are still being loaded are loaded no further
    await service.publish.close()


async def _assembled(settings: Settings, store: database.Database, key: bytes) -> Service:
    epoch = secrets.token_hex(6)
    registry = CollectorRegistry()
    directory, ledger = SqliteDirectory(store), SqliteLedger(store)
    await directory.start()
    await ledger.start()
    ranking = MemoryRanking(ledger.standings, epoch)
    access = JwtAccess(key)
    names = Names(directory)
    reads = Reads(directory, ledger, ranking, names, Cursors(key), clock)
    hub = Hub(epoch)
    publish = Publish(hub, reads, clock)
    accept = Accept(ledger, Rank(ledger, ranking, publish), clock, Bounds(settings.pending_updates))
    rates = UpdateRates(settings.player_updates_per_minute, settings.server_updates_per_second)
    update = Update(directory, ledger, MemoryLimits(), rates, accept, reads)
    tenants = Tenants(directory, ranking, names, publish)
    origins = Origins(settings.allowed_origins)
    live = Live(hub, reads, directory, access, origins, LiveLimits(settings.live_connections))
    warmed = asyncio.Event()
    offered = [
        *Scores(update, directory, ledger).operations(),
        *Boards(reads, directory).operations(),
        *_live_operations(live),
    ]
    rebuild = Rebuild(ledger, ranking, publish, clock)
    history = History(ledger, ranking, accept, rebuild, clock)
    offered += TenantsDoor(tenants, directory).operations()
    offered += HistoryDoor(history, rebuild, directory).operations()
    offered += Pages(PublicBoards(directory, ledger, clock)).operations()
    offered += ServiceDoor(warmed.is_set, registry).operations()
    offered += Reference(offered, asyncapi.document()).operations()
    connections = settings.http_connections or room(settings.live_connections)
    admission = Admission(connections, lambda: live.connections, registry)
    server = Server(offered, access, origins, admission, registry)
    _gauges(registry, accept, live, hub)
    repair = Repair(directory, ledger, ranking, publish)
    retention = Retention(ledger, clock, settings.receipt_days)
    upkeep = live.run(), turn_seasons(publish), _after(warmed, repair.run), _after(warmed, retention.run)
    tasks = [asyncio.create_task(work) for work in upkeep]
    return Service(
        settings=settings,
        directory=directory,
        ledger=ledger,
        ranking=ranking,
        access=access,
        update=update,
        accept=accept,
        reads=reads,
        tenants=tenants,
        publish=publish,
        live=live,
        server=server,
        warmed=warmed,
        tasks=tasks,
    )


def _live_operations(live: Live) -> list[Operation]:
    async def websocket(call: Call) -> web.StreamResponse:
        return await live.websocket(call.request)

    async def stream(call: Call) -> web.StreamResponse:
        return await live.stream(call.request, *call.path)

    return [
        Operation(
            "GET",
            "/v1/live",
            "openLive",
            "Live boards by WebSocket",
            websocket,
            "live",
            described=False,
            streams=True,
        ),
        Operation(
            "GET",
            "/v1/apps/{app}/boards/{board}/stream",
            "streamTop",
            "Live board by SSE",
            stream,
            "live",
            described=False,
            streams=True,
        ),
    ]


async def _after(event: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
    await event.wait()
    await work()


async def _warm(service: Service, told: Told) -> None:
    """Load the tables of the open seasons."""
    started = time.perf_counter()
    standings = tables = 0
    for app in await service.directory.apps():
        for board in await service.directory.boards(app):
            for key in await _open_tables(service, board):
                told(f"loading {app.app}/{board.board} {key.season} {key.region or 'world'}")
                standings += await service.ranking.warm(key, board)
                tables += 1
    seconds = time.perf_counter() - started
    told(f"loaded {standings:,} standings in {tables} tables in {seconds:.1f} s")
    service.warmed.set()


async def _open_tables(service: Service, board: Board) -> list[TableKey]:
    season = season_at(board.period, board.time_zone, clock()).name
    return [key for key in await service.ledger.tables(board) if key.season == season]


def _gauges(registry: CollectorRegistry, accept: Accept, live: Live, hub: Hub) -> None:
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    for name, text, value in (
        ("scoreboard_pending_updates", "Updates that wait for, or are in, a transaction.", lambda: accept.pending),
        ("scoreboard_live_connections", "Open live connections.", lambda: live.connections),
        ("scoreboard_live_subscriptions", "Subscriptions on them.", lambda: hub.subscriptions),
    ):
        Gauge(name, text, registry=registry).set_function(value)


def check_free(host: str, port: int) -> None:
    """Raises PortInUse at once, before a large folder is opened for nothing."""
    try:
        for family, kind, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except (OSError, OverflowError) as error:
        raise _port_in_use(host, port, error) from error


def _port_in_use(host: str, port: int, error: Exception) -> PortInUse:
    return PortInUse(f"cannot listen on {host}:{port}: {_reason(error)}; choose another with --port or SCOREBOARD_PORT")


@asynccontextmanager
async def listening(service: Service, host: str, port: int) -> AsyncIterator[str]:
    """The base address at which the service answers; port 0 takes a free one. Raises PortInUse."""
    runner = web.ServerRunner(service.server.connections(), handle_signals=False, shutdown_timeout=5.0)
    await runner.setup()
    try:
        try:
            site = web.TCPSite(runner, host, port, backlog=4_096)
            await site.start()
        except (OSError, OverflowError) as error:
            raise _port_in_use(host, port, error) from error
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{shown}:{bound[1]}"
        await service.live.close()
    finally:
        await runner.cleanup()


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return "another program has this port"
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    return os.strerror(number).lower() if isinstance(number, int) else str(error)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The data folder, made if need be, for this process alone."""
    with _usable(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = _folder_lock(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _folder_lock(folder: Path) -> int:
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            return database.folder_lock(folder)
        time.sleep(LOCK_PAUSE_S)
    raise FolderLocked(f"another scoreboard is using {folder}; stop it, or choose another folder with --data")


def running(folder: Path) -> bool:
    """Whether a process has the data folder."""
    try:
        os.close(database.folder_lock(folder))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _usable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise FolderUnusable(
            f"cannot use the data folder {folder}: {reason.lower()}; choose another with --data"
        ) from error


def clock() -> int:
    """The wall clock, in microseconds since 1970."""
    return time.time_ns() // 1_000


def credential(role: Role, app: str, subject: str) -> Credential:
    """Who a minted token speaks for. Only an admin may be of every app."""
    if app == EVERY_APP and role != "admin":
        raise ValueError("only an admin's token can be for every app")
    return Credential(app, subject, role, SCOPES[role])


def mint(settings: Settings, *, role: Role, app: str, subject: str, ttl_s: int) -> str:
    """A token made with the folder's key, which is made when there is none."""
    with _usable(settings.data):
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return JwtAccess(signing_key(settings.data / KEY)).mint(credential(role, app, subject), ttl_s)


def migrate(settings: Settings) -> list[str]:
    """Bring the folder's database to the newest schema; returns the names of the migrations applied."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(settings.data))
        stack.enter_context(_usable(settings.data))
        return database.migrate(settings.data / DATABASE)
