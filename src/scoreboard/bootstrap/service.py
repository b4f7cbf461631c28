"""The service, put together of the parts that one process plays. Whoever opens a thing closes it."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from scoreboard.adapters.jose.access import JwtAccess
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite import database as sqlite
from scoreboard.application.live.directory_invalidator import DirectoryInvalidator
from scoreboard.application.live.feed_subscriber import FeedSubscriber
from scoreboard.application.live.hub import Hub
from scoreboard.application.live.origins import Origins
from scoreboard.application.live.precedence import Precedence
from scoreboard.application.live.publisher import Publish
from scoreboard.application.ports.authentication import EVERY_APP, Credential, Role, Scope
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.outbox import EventConsumer
from scoreboard.application.ports.ranking import Ranking
from scoreboard.application.ports.turns import Turns
from scoreboard.application.records.history import History
from scoreboard.application.standings.cursors import Cursors
from scoreboard.application.standings.names import Names
from scoreboard.application.standings.public_boards import PublicBoards
from scoreboard.application.standings.reads import Reads
from scoreboard.application.tenants.administration import Tenants
from scoreboard.application.updates.batching import Bounds
from scoreboard.application.updates.checks.rate_limit import UpdateRates
from scoreboard.application.updates.commit import Accept
from scoreboard.application.updates.dead_letters import DeadLetters
from scoreboard.application.updates.message_codec import MessageCodec
from scoreboard.application.updates.queue_consumer import Work as Worker
from scoreboard.application.updates.queue_publisher import QueuePublisher
from scoreboard.application.updates.rank import Rank
from scoreboard.application.updates.submit import Later, Update
from scoreboard.application.upkeep.drift import Drift
from scoreboard.application.upkeep.event_delivery import EventDelivery
from scoreboard.application.upkeep.probe import Probe
from scoreboard.application.upkeep.rebuild import Rebuild
from scoreboard.application.upkeep.repair import Repair
from scoreboard.application.upkeep.retention import Retention
from scoreboard.application.upkeep.seasons import turn_seasons
from scoreboard.application.upkeep.trim import Trim
from scoreboard.bootstrap import backends, folder, loading, metrics
from scoreboard.bootstrap.backends import Backends, Work, queue_keys
from scoreboard.bootstrap.settings import Settings
from scoreboard.entrypoints.contracts.v1.boards import Boards
from scoreboard.entrypoints.contracts.v1.dead_letters import DeadLetters as DeadLettersDoor
from scoreboard.entrypoints.contracts.v1.history import History as HistoryDoor
from scoreboard.entrypoints.contracts.v1.scores import Scores
from scoreboard.entrypoints.contracts.v1.service import Service as ServiceDoor
from scoreboard.entrypoints.contracts.v1.tenants import Tenants as TenantsDoor
from scoreboard.entrypoints.http.connection_limiter import ConnectionLimiter, room
from scoreboard.entrypoints.http.router import Endpoint, RequestContext
from scoreboard.entrypoints.http.server import Server
from scoreboard.entrypoints.pages.documentation import LiveReference, Reference
from scoreboard.entrypoints.pages.live_page import Listing, Pages
from scoreboard.entrypoints.sockets import asyncapi
from scoreboard.entrypoints.sockets.live import Live, LiveLimits

log = structlog.get_logger(__name__)

ADDRESS = "serve.json"
STOP_S = 8.0  # from being told to stop: what a server has not taken by then was not accepted, and is left
SCOPES: dict[Role, frozenset[Scope]] = {
    "player": frozenset({"update:score", "read:leaderboard"}),
    "server": frozenset({"update:score", "read:leaderboard"}),
    "admin": frozenset({"update:score", "read:leaderboard", "admin"}),
}


Part = Literal["api", "live", "worker", "jobs"]
PARTS: frozenset[Part] = frozenset({"api", "live", "worker", "jobs"})


@dataclass(slots=True)
class Service:
    """The parts that this process plays, running. `ready` when the rankings of the open seasons are loaded."""

    settings: Settings
    directory: Directory
    ledger: Ledger
    ranking: Ranking
    access: JwtAccess
    update: Update
    accept: Accept
    reads: Reads
    tenants: Tenants
    publish: Publish
    live: Live
    server: Server
    warmed: asyncio.Event
    enqueue: QueuePublisher | None
    tasks: list[asyncio.Task[None]]
    working: list[asyncio.Task[None]]
    stop_by: float | None = None  # by the clock of the event loop; None for as long as nobody told it to stop

    def told_to_stop(self) -> None:
        self.stop_by = asyncio.get_running_loop().time() + STOP_S

    @property
    def ready(self) -> bool:
        return self.warmed.is_set()


Told = Callable[[str], None]


@asynccontextmanager
async def opened(
    settings: Settings,
    told: Told = lambda _: None,
    parts: frozenset[Part] = PARTS,
    consumers: Sequence[EventConsumer] = (),
) -> AsyncIterator[Service]:
    """The service on its backends, without a listening socket. `consumers` get every applied update. All processes are
    given the same ones, as each writes the events of what it commits. Raises SettingsError, FolderLocked,
    FolderUnusable, and NotUsable when a server that it begins with is away."""
    async with AsyncExitStack() as stack:
        if settings.database_url:
            folder.make(settings.data)
        else:
            stack.enter_context(folder.locked(settings.data))
            with folder.usable(settings.data):
                (settings.data / ADDRESS).unlink(missing_ok=True)  # of a server that was killed
        with folder.usable(settings.data):
            joined = await backends.opened(settings, clock, stack, events=bool(consumers))
        events = EventDelivery(joined.outbox, consumers)
        await events.start()
        service = _Assembly(settings, joined, events).service(parts)
        await service.accept.start()
        stack.push_async_callback(_finished, service)
        service.working.append(asyncio.create_task(service.accept.run()))
        if service.enqueue is not None:
            service.working.append(asyncio.create_task(service.enqueue.run()))
        service.tasks.append(asyncio.create_task(_warm(service, told)))
        yield service


async def _finished(service: Service) -> None:
    """Stop in order: sockets are told to come back, what was accepted gets its outcome, then the rest ends."""
    await service.live.close()
    if service.enqueue is not None:
        service.enqueue.close()
    service.accept.close()
    await _worked(service)
    for task in service.tasks:
        task.cancel()
    await asyncio.gather(*service.tasks, return_exceptions=True)
    if isinstance(service.ranking, MemoryRanking):
        await service.ranking.close()
    await service.publish.close()


async def _worked(service: Service) -> None:
    """What is under way is done, or its time is up: a server does not answer. Then nobody was promised anything: who
    sent it has no answer, and what came from the queue comes again."""
    patience_s = None if service.stop_by is None else max(0.0, service.stop_by - asyncio.get_running_loop().time())
    done, left = await asyncio.wait(service.working, timeout=patience_s)
    if left:
        enqueued = 0 if service.enqueue is None else service.enqueue.pending
        log.warning("stopped_without_an_answer", updates=service.accept.pending + enqueued)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.gather(*done)


class _Assembly:
    """The pieces, joined. All roles have them all; `operations` and `upkeep` say what a part offers and does."""

    def __init__(self, settings: Settings, on: Backends, events: EventDelivery) -> None:
        self.settings = settings
        self.on = on
        self.events = events
        self.registry = CollectorRegistry()
        self.access = JwtAccess(on.key)
        self.warmed = asyncio.Event()
        self._join_reads()
        self._join_updates()
        self.tenants = Tenants(on.directory, on.ranking, self.follow)
        self.rebuild = Rebuild(on.ledger, on.ranking, self.publish, clock)
        self.history = History(on.ledger, on.ranking, self.accept, self.rebuild, clock)

    def _join_reads(self) -> None:
        on = self.on
        names = Names(on.directory)
        self.reads = Reads(on.directory, on.ledger, on.reading, names, Cursors(on.key), clock)
        self.precedence = Precedence()
        self.hub = Hub(secrets.token_hex(6), self.precedence)
        self.publish = Publish(self.hub, self.reads, clock)
        self.follow = DirectoryInvalidator(names, self.publish)
        on.directory.listen(self.follow)
        self.origins = Origins(self.settings.allowed_origins)
        limits = LiveLimits(self.settings.live_connections)
        self.live = Live(self.hub, self.reads, on.directory, self.access, self.origins, limits)

    def _join_updates(self) -> None:
        on, settings = self.on, self.settings
        bounds = Bounds(settings.pending_updates, interval_s=settings.batch_interval_ms / 1_000)
        self.rank = Rank(on.ledger, on.ranking, self.publish)
        self.accept = Accept(on.ledger, self.rank, clock, bounds, self.precedence)
        self.envelope = MessageCodec(queue_keys(settings, on.key))
        self.enqueue = None if on.queue is None else QueuePublisher(on.queue, self.envelope, bounds)
        self.queue_key = b"" if self.enqueue is None else hashlib.blake2b(b"event", key=on.key[:64]).digest()
        later = None if self.enqueue is None else Later(self.enqueue, self.queue_key, settings.queue_away == "direct")
        rates = UpdateRates(settings.player_updates_per_minute, settings.server_updates_per_second)
        self.update = Update(on.directory, on.ledger, on.limits, rates, self.accept, self.reads, later)

    def routes(self, parts: frozenset[Part]) -> list[Endpoint]:
        """The hot ones first."""
        directory, ledger = self.on.directory, self.on.ledger
        offered: list[Endpoint] = []
        if "api" in parts:
            offered += Scores(self.update, directory, ledger, self.queue_key).routes()
            offered += Boards(self.reads, directory).routes()
        if "live" in parts:
            offered += _live_operations(self.live)
            offered += Pages().routes()
        if parts & {"api", "live"}:
            offered += Listing(PublicBoards(directory, ledger, clock)).routes()
            offered += LiveReference(asyncapi.document()).routes()
        if "api" in parts:
            offered += TenantsDoor(self.tenants, directory).routes()
            offered += HistoryDoor(self.history, self.rebuild, directory).routes()
            offered += DeadLettersDoor(self._dead_letters()).routes()
        offered += ServiceDoor(self.warmed.is_set, self.registry).routes()
        if "api" in parts:
            offered += Reference(offered).routes()
        return offered

    def _dead_letters(self) -> DeadLetters | None:
        return None if self.on.queue is None else DeadLetters(self.on.queue, self.envelope, self.on.ledger)

    def upkeep(self, parts: frozenset[Part]) -> Iterator[Work]:
        """What each part does for as long as it runs."""
        on = self.on
        yield from on.upkeep
        yield self.rank.catch_up
        if on.probes:
            probe = Probe(on.probes, on.queue)
            metrics.of_servers(self.registry, probe, queued=on.queue is not None)
            yield probe.run
        if on.replica_lag_s is not None:
            text = "How far the replica was behind, as last looked."
            metrics.gauge(self.registry, "scoreboard_replica_lag_seconds", text, on.replica_lag_s)
        if "live" in parts:
            yield self.live.run
            yield partial(turn_seasons, self.publish)
            if on.feed is not None:
                yield FeedSubscriber(self.publish, on.ranking, on.feed).run
        if "worker" in parts and on.queue is not None:
            yield Worker(on.queue, on.directory, self.envelope, self.accept).run
        if "jobs" in parts:
            for name, work in self._jobs().items():
                yield partial(_job, self.warmed, on.turns, name, work)
            for name, work in self.events.jobs().items():  # they wait for no ranking
                yield partial(on.turns.in_turn, name, work)
            if self.events.delivered:
                metrics.of_events(self.registry, self.events)

    def _jobs(self) -> dict[str, Work]:
        """One process at a time does each."""
        on = self.on
        repair = Repair(on.directory, on.ledger, on.ranking, self.publish)
        retention = Retention(on.ledger, clock, self.settings.receipt_days)
        text = "Standings that are durable and not ranked yet, as repair last saw."
        metrics.gauge(self.registry, "scoreboard_unranked_standings", text, lambda: repair.unranked)
        jobs = {**on.jobs, "repair": repair.run, "retention": retention.run}
        if on.cache is not None:
            jobs["trim"] = Trim(on.directory, on.cache, clock).run
        if on.totals is not None and on.cache is not None:
            drift = Drift(on.directory, on.ledger, on.totals, on.ranking, on.cache, self.rebuild, clock)
            text = "Rankings found to differ from the totals."
            metrics.gauge(self.registry, "scoreboard_drifted_tables", text, lambda: drift.found)
            jobs["drift"] = drift.run
        return jobs

    def service(self, parts: frozenset[Part]) -> Service:
        settings, live = self.settings, self.live
        connections = settings.http_connections or room(settings.live_connections)
        admission = ConnectionLimiter(connections, lambda: live.connections, self.registry)
        server = Server(self.routes(parts), self.access, self.origins, admission, self.registry)
        metrics.of_process(self.registry, self.accept, live, self.hub)
        return Service(
            settings=settings,
            directory=self.on.directory,
            ledger=self.on.ledger,
            ranking=self.on.ranking,
            access=self.access,
            update=self.update,
            accept=self.accept,
            reads=self.reads,
            tenants=self.tenants,
            publish=self.publish,
            live=live,
            server=server,
            warmed=self.warmed,
            enqueue=self.enqueue,
            tasks=[asyncio.ensure_future(work()) for work in self.upkeep(parts)],
            working=[],
        )


async def _job(warmed: asyncio.Event, turns: Turns, name: str, work: Work) -> None:
    await warmed.wait()
    await turns.in_turn(name, work)


def _live_operations(live: Live) -> list[Endpoint]:
    async def websocket(call: RequestContext) -> web.StreamResponse:
        return await live.websocket(call.request)

    async def stream(call: RequestContext) -> web.StreamResponse:
        return await live.stream(call.request, *call.path)

    return [
        Endpoint(
            "GET",
            "/v1/live",
            "openLive",
            "Live boards by WebSocket",
            websocket,
            "live",
            described=False,
            streams=True,
        ),
        Endpoint(
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


async def _warm(service: Service, told: Told) -> None:
    """Load the tables of the open seasons, where this process holds them."""
    if isinstance(service.ranking, MemoryRanking):
        await loading.loaded(service.directory, service.ledger, service.ranking, clock, told)
    service.warmed.set()


def clock() -> int:
    """The wall clock, in microseconds since 1970."""
    return time.time_ns() // 1_000


def credential(role: Role, app: str, subject: str) -> Credential:
    """Who a minted token speaks for. Only an admin may be of every app."""
    if app == EVERY_APP and role != "admin":
        raise ValueError("only an admin's token can be for every app")
    return Credential(app, subject, role, SCOPES[role])


def mint(settings: Settings, *, role: Role, app: str, subject: str, ttl_s: int) -> str:
    """A token made with the settings' key; that of the folder is made when there is none."""
    folder.make(settings.data)
    with folder.usable(settings.data):
        return JwtAccess(backends.key_of(settings)).mint(credential(role, app, subject), ttl_s)


async def migrate(settings: Settings) -> list[str]:
    """Bring the database to the newest schema; returns the names of the migrations applied. Raises NotUsable where it
    cannot be reached, and SettingsError. Of the settings of shared servers the database alone is needed."""
    backends.check_schemes(settings)
    if settings.database_url:
        with backends.drivers():
            from scoreboard.bootstrap import distributed  # noqa: PLC0415 - an extra
        return await distributed.migrate(settings)
    with folder.locked(settings.data), folder.usable(settings.data):
        return sqlite.migrate(settings.data / backends.DATABASE)
