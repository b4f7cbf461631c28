"""The role that does it all in one process, until it is told to stop."""

import asyncio
import contextlib
import gc
import json
import resource
import signal
import sys
from pathlib import Path

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from scoreboard.bootstrap import demo as demonstration
from scoreboard.bootstrap.service import (
    ADDRESS,
    FolderLocked,
    PortInUse,
    Service,
    check_free,
    credential,
    listening,
    opened,
    running,
)
from scoreboard.bootstrap.settings import Settings

DAY_S = 86_400


def _tune() -> None:
    """Set the interpreter and the process up for serving."""
    # Requests make short-lived objects by the thousand and hardly a cycle: with Python's own threshold the collector
    # takes a tenth of the time.
    gc.set_threshold(50_000, 20, 100)
    # The thread that commits needs the interpreter for moments only, many times a batch. Where the event loop is busy,
    # as while 10,000 sockets are written, each moment would be waited for this long (5 ms by default).
    sys.setswitchinterval(0.0005)
    # Each connection is an open file: as many as the system lets this process have.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def serve(settings: Settings, *, demo: bool) -> None:
    """Serve until SIGINT or SIGTERM; then nothing accepted is dropped, and sockets are told to come back."""
    logging_to_stderr(settings.log_level)
    _tune()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        check_free(settings.host, settings.port)
    except PortInUse as error:
        if running(settings.data):
            raise FolderLocked(f"scoreboard runs already on {settings.data}; stop it first") from error
        raise
    async with opened(settings, _say) as service:
        if demo:
            await demonstration.prepare(service)
        async with listening(service, settings.host, settings.port) as address:
            _remember(settings.data, address)
            try:
                _welcome(service, address, demo=demo)
                await _until(stop, service, demo=demo)
                _say("stopping: finishing what was accepted")
            finally:
                (settings.data / ADDRESS).unlink(missing_ok=True)
    _say("stopped")


async def _until(stop: asyncio.Event, service: Service, *, demo: bool) -> None:
    players = asyncio.create_task(demonstration.play(service)) if demo else None
    await stop.wait()
    if players is not None:
        players.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await players


def _welcome(service: Service, address: str, *, demo: bool) -> None:
    _say(f"live page   {address}/")
    _say(f"API         {address}/docs")
    if demo:
        token = service.access.mint(credential("server", demonstration.APP, "you"), DAY_S)
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


def _remember(folder: Path, address: str) -> None:
    written = folder / f"{ADDRESS}.new"
    written.write_text(json.dumps({"url": address}))
    written.replace(folder / ADDRESS)


def running_url(settings: Settings) -> str | None:
    """The address of the `serve` that has this folder; None when none does (what a killed one left is void)."""
    if not running(settings.data):
        return None
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(json.loads((settings.data / ADDRESS).read_text())["url"])
    return None


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
