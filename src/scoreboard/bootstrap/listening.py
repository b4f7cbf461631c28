"""The listening socket of a service, and the error when its address is taken."""

import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from scoreboard.bootstrap.lifecycle import Service
from scoreboard.entrypoints.http.connection import HttpConnection
from scoreboard.entrypoints.http.fast_path import FastConnection


class PortInUse(Exception):
    """Error: the process cannot listen on the address."""


def check_free(host: str, port: int) -> None:
    """Raise PortInUse early, before a large database is opened."""
    try:
        for family, kind, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except (OSError, OverflowError) as error:
        raise _port_in_use(host, port, error) from error


def _port_in_use(host: str, port: int, error: Exception) -> PortInUse:
    return PortInUse(f"cannot listen on {host}:{port}: {_reason(error)}; choose another address with --host or --port")


@asynccontextmanager
async def listening(
    service: Service, host: str, port: int, kind: type[HttpConnection] = FastConnection
) -> AsyncIterator[str]:
    """Serve on an address (port 0: any free one) and yield its URL. Raises PortInUse."""
    connections = service.server.connections(kind)
    runner = web.ServerRunner(connections, handle_signals=False, shutdown_timeout=5.0)
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
        await site.stop()
        await connections.drain()
    finally:
        service.begin_stop()
        await runner.cleanup()


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return "another program is using this port"
    if isinstance(error, socket.gaierror):
        return "unknown host"
    return os.strerror(number).lower() if isinstance(number, int) else str(error)
