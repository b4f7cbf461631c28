"""A role: the parts that one process plays, until it is told to stop."""

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
    """Set the interpreter and the process up for serving."""
    # Requests make short-lived objects by the thousand and hardly a cycle: with Python's own threshold the collector
    # takes a tenth of the time. What is looked at in one go is bounded too: 100,000 objects stop everything for 16 ms.
    gc.set_threshold(10_000, 10, 1_000)
    # The thread that commits needs the interpreter for moments only, many times a batch. Where the event loop is busy,
    # as while 10,000 sockets are written, each moment would be waited for this long (5 ms by default).
    sys.setswitchinterval(0.0005)
    # Each connection is an open file: as many as the system lets this process have.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def serve(
    settings: Settings,
    *,
    demo: bool = False,
    parts: frozenset[Part] = PARTS,
    consumers: Sequence[EventConsumer] = (),
) -> None:
    """Serve until SIGINT or SIGTERM; then nothing accepted is dropped, and sockets are told to come back. Raises
    SettingsError for a role of its own without a database that processes share."""
    if parts != PARTS and not settings.database_url:
        raise SettingsError("a role of its own needs backends that processes share: set SCOREBOARD_DATABASE_URL")
    if parts == {"worker"} and not settings.queue_url:
        raise SettingsError("a worker needs a queue to take from: set SCOREBOARD_QUEUE_URL")
    logging_to_stderr(settings.log_level)
    _tune()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        check_free(settings.host, settings.port)
    except PortInUse as error:
        if data_dir.running(settings.data):
            raise FolderLocked(f"scoreboard runs already on {settings.data}; stop it first") from error
        raise
    async with open_service(settings, _say, parts, consumers=consumers) as service:
        if demo:
            await demonstration.prepare(service)
        async with listening(service, settings.host, settings.port) as address:
            if not settings.database_url:
                data_dir.write_address(settings.data, address)
            try:
                _welcome(service, address, parts, demo=demo)
                await _until(stop, service, demo=demo)
                _say("stopping: finishing what was accepted")
            finally:
                data_dir.remove_address(settings.data)
    _say("stopped")


async def _until(stop: asyncio.Event, service: Service, *, demo: bool) -> None:
    players = asyncio.create_task(demonstration.play(service)) if demo else None
    await stop.wait()
    if players is not None:
        players.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await players


def _welcome(service: Service, address: str, parts: frozenset[Part], *, demo: bool) -> None:
    if "live" in parts:
        _say(f"live page   {address}/")
    if "api" in parts:
        _say(f"API         {address}/docs")
    if not parts & {"api", "live"}:
        _say(f"health      {address}/health/ready")
    if demo:
        token = service.issuer.sign(principal_of("server", demonstration.APP, "you"), DAY_S)
        url = f"{address}/v1/apps/{demonstration.APP}/boards/{demonstration.BOARD}/scores"
        _say("score a point:")
        print(
            f"curl -X POST {url} -H 'Authorization: Bearer {token}' "
            f"""-H 'Content-Type: application/json' -d '{{"player": "you", "increment": 1}}'""",
            flush=True,
        )
    _say("Ctrl-C stops")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def logging_to_stderr(level: str) -> None:
    """Structured lines on stderr: for people on a terminal, JSON elsewhere."""
    human = sys.stderr.isatty()
    # Without local variables: they would tell who scored what, and under which keys.
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
