"""A process that serves its parts until it receives a signal."""

import asyncio
import contextlib
import gc
import resource
import signal
import sys
from collections.abc import Sequence

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from scoreboard.application.identity.principals import principal_of
from scoreboard.application.ports.outbox import EventConsumer
from scoreboard.bootstrap import data_dir
from scoreboard.bootstrap import demo as demonstration
from scoreboard.bootstrap.data_dir import FolderLocked
from scoreboard.bootstrap.lifecycle import Service
from scoreboard.bootstrap.listening import PortInUse, check_free, listening
from scoreboard.bootstrap.mounting import PARTS, Part
from scoreboard.bootstrap.service import open_service
from scoreboard.bootstrap.settings import Settings, SettingsError

DAY_S = 86_400


def _tune() -> None:
    """Tune the interpreter and the process for serving."""
    # Requests create thousands of short-lived objects and hardly a cycle. With the default threshold the collector
    # takes a tenth of the time. A higher one pauses too long: 100,000 objects take 16 ms.
    gc.set_threshold(10_000, 10, 1_000)
    # The commit thread needs the interpreter briefly, many times a batch. While the event loop is busy, as when it
    # writes to 10,000 sockets, it waits this long each time (5 ms by default).
    sys.setswitchinterval(0.0005)
    # Each connection is an open file: raise the limit to the system's maximum.
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


async def serve(
    settings: Settings,
    *,
    demo: bool = False,
    parts: frozenset[Part] = PARTS,
    consumers: Sequence[EventConsumer] = (),
) -> None:
    """Serve until SIGINT or SIGTERM, then stop without dropping accepted updates.

    Raises SettingsError for a single role without a shared database.
    """
    if parts != PARTS and not settings.database_url:
        raise SettingsError("a single role needs a shared database; set SCOREBOARD_DATABASE_URL")
    if parts == {"worker"} and not settings.queue_url:
        raise SettingsError("a worker needs a queue; set SCOREBOARD_QUEUE_URL")
    configure_logging(settings.log_level)
    _tune()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        check_free(settings.host, settings.port)
    except PortInUse as error:
        if data_dir.is_locked(settings.data):
            raise FolderLocked(f"another server is using the data folder {settings.data}; stop it first") from error
        raise
    async with open_service(settings, _print_status, parts, consumers=consumers) as service:
        if demo:
            await demonstration.prepare(service)
        async with listening(service, settings.host, settings.port) as address:
            if not settings.database_url:
                data_dir.write_address(settings.data, address)
            try:
                _print_addresses(service, address, parts, demo=demo)
                await _serve_until(stop, service, demo=demo)
                _print_status("stopping: finishing accepted updates")
            finally:
                data_dir.remove_address(settings.data)
    _print_status("stopped")


async def _serve_until(stop: asyncio.Event, service: Service, *, demo: bool) -> None:
    players = asyncio.create_task(demonstration.play(service)) if demo else None
    await stop.wait()
    if players is not None:
        players.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await players


def _print_addresses(service: Service, address: str, parts: frozenset[Part], *, demo: bool) -> None:
    if "live" in parts:
        _print_status(f"live page   {address}/")
    if "api" in parts:
        _print_status(f"API         {address}/docs")
    if not parts & {"api", "live"}:
        _print_status(f"health      {address}/health/ready")
    if demo:
        token = service.issuer.sign(principal_of("server", demonstration.APP, "you"), DAY_S)
        url = f"{address}/v1/apps/{demonstration.APP}/boards/{demonstration.BOARD}/scores"
        _print_status("add a point:")
        print(
            f"curl -X POST {url} -H 'Authorization: Bearer {token}' "
            f"""-H 'Content-Type: application/json' -d '{{"player": "you", "increment": 1}}'""",
            flush=True,
        )
    _print_status("press Ctrl-C to stop")


def _print_status(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def configure_logging(level: str) -> None:
    """Log to stderr: readable lines on a terminal, JSON elsewhere."""
    human = sys.stderr.isatty()
    # Tracebacks without local variables: they would reveal scores, players and keys.
    shown = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    plain = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    renderer = shown if human else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if human else [plain]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
