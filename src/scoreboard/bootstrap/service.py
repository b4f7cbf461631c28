"""The service on its backends: the parts of one process, built and started."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from scoreboard.application.ports.backend import Task
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.outbox import EventConsumer
from scoreboard.application.upkeep.probe import Probe
from scoreboard.bootstrap import data_dir, metrics, warmup
from scoreboard.bootstrap.container import Container, open_container
from scoreboard.bootstrap.lifecycle import Service
from scoreboard.bootstrap.mounting import PARTS, Part, mount_contracts
from scoreboard.bootstrap.parts import jobs, live, worker
from scoreboard.bootstrap.settings import Settings
from scoreboard.bootstrap.timings import Timings
from scoreboard.concurrency.every import every
from scoreboard.entrypoints.http.connection_limiter import ConnectionLimiter, default_limit
from scoreboard.entrypoints.http.server import Server

Report = Callable[[str], None]


def wall_clock() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1_000


@asynccontextmanager
async def open_service(
    settings: Settings,
    report: Report = lambda _: None,
    parts: frozenset[Part] = PARTS,
    clock: Clock = wall_clock,
    consumers: Sequence[EventConsumer] = (),
    timings: Timings = Timings(),
) -> AsyncIterator[Service]:
    """Run the service without a listening socket.

    `report` receives the progress of the start. `consumers` get every applied update. All processes need the same
    consumers, as each process writes the events of its commits.

    Raises SettingsError, FolderLocked, FolderUnusable, and NotUsable when the database is unreachable.
    """
    async with AsyncExitStack() as stack:
        if settings.database_url:
            data_dir.create(settings.data)
        else:
            stack.enter_context(data_dir.lock(settings.data))
        with data_dir.translate_errors(settings.data):
            if not settings.database_url:
                data_dir.remove_address(settings.data)  # left by a killed server
            shared = await open_container(settings, clock, stack, consumers, timings)
        service = _build(shared, parts)
        service.tasks += [asyncio.ensure_future(task()) for task in _tasks(shared, parts)]
        await service.commit.start()
        stack.push_async_callback(service.stop)
        service.draining.append(asyncio.create_task(service.commit.run()))
        if service.queue_publisher is not None:
            service.draining.append(asyncio.create_task(service.queue_publisher.run()))
        service.tasks.append(asyncio.create_task(_warm(shared, report)))
        yield service


async def _warm(shared: Container, report: Report) -> None:
    load_table = shared.ranking_backend.load_table
    if load_table is not None:
        await warmup.load_open_tables(shared.directory, shared.ledger, load_table, shared.clock, report)
    shared.warmed.set()


def _build(shared: Container, parts: frozenset[Part]) -> Service:
    settings, writes = shared.settings, shared.write_path
    connections = settings.http_connections or default_limit(settings.live_connections)
    limiter = ConnectionLimiter(connections, lambda: shared.read_path.live.connections, shared.metrics)
    metrics.register_process(shared.metrics, writes.commit, shared.read_path.live, shared.read_path.hub)
    return Service(
        settings=settings,
        directory=shared.directory,
        ledger=shared.ledger,
        ranking=shared.ranking,
        read_ranking=shared.read_path.ranking,
        issuer=shared.issuer,
        authenticators=shared.authenticators,
        submit=writes.submit,
        commit=writes.commit,
        queue_publisher=writes.publisher,
        reads=shared.read_path.reads,
        tenants=shared.tenants,
        publisher=shared.read_path.publisher,
        live=shared.read_path.live,
        server=Server(
            mount_contracts(shared, parts), shared.read_path.origins, limiter, shared.metrics, shared.timings.http
        ),
        warmed=shared.warmed,
    )


def _tasks(shared: Container, parts: frozenset[Part]) -> Iterator[Task]:
    """Yield the background tasks of every process, then those of its parts."""
    yield from shared.database.tasks
    yield from shared.ranking_backend.tasks
    yield shared.write_path.commit.late.run
    pings = {**shared.database.pings, **shared.ranking_backend.pings}
    if pings or shared.queue_backend is not None:
        probe = Probe(pings, shared.queue_backend)
        metrics.register_servers(shared.metrics, probe, queued=shared.queue_backend is not None)
        yield partial(every, shared.timings.probe_s, probe.once, "probe")
    if shared.database.replica is not None:
        text = "Delay of the replica when it was last measured."
        metrics.gauge(shared.metrics, "scoreboard_replica_lag_seconds", text, shared.database.replica.lag_s)
    if "live" in parts:
        yield from live.tasks(shared)
    if "worker" in parts:
        yield from worker.tasks(shared)
    if "jobs" in parts:
        yield from jobs.tasks(shared)
