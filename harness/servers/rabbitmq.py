"""RabbitMQ: a single node, with its epmd."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import aio_pika
import pytest
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from harness.missing import missing
from harness.ports import free_port
from harness.servers.shared import kept_working
from harness.waiting import BOUND_S, PATIENCE
from scoreboard.adapters.rabbitmq import queue
from scoreboard.adapters.rabbitmq.timeouts import RabbitTimeouts
from scoreboard.bootstrap.service import wall_clock

URL = "SCOREBOARD_TEST_RABBITMQ_URL"
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
START_S = 4 * BOUND_S
TIMEOUTS = RabbitTimeouts().scaled(PATIENCE)
PROBE_S = 30.0
PROBE: Mapping[str, Any] = {
    "x-queue-type": "quorum",
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "nowhere",
    "x-dead-letter-strategy": "at-least-once",
}

open_queue = partial(queue.open_queue, clock=wall_clock, timeouts=TIMEOUTS)


class Broker(Protocol):
    @property
    def url(self) -> str: ...
    @property
    def pid(self) -> int: ...

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def stop(self) -> None: ...
    def control(self, *command: str) -> str:
        """Run `rabbitmqctl`, and return its output."""
        ...


class Server:
    """A node that keeps its port and its data when it is restarted."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._port, self._epmd_port = free_port(), free_port()
        self._file = folder / "pid"
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        (folder / "plugins").write_text("[].")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")},
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"node{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(self._file),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            **environment,
        }
        self._epmd: subprocess.Popen[bytes] | None = None
        self._shell: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the pid of the Erlang machine, a child of the shell that started it."""
        return int(self._file.read_text())

    def start(self) -> None:
        """Start the node, and wait until it accepts connections."""
        self._file.unlink(missing_ok=True)
        with (self._folder / "out").open("ab") as out:
            if self._epmd is None:
                self._epmd = self._run(out.fileno(), "epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1")
            self._shell = self._run(out.fileno(), str(PROGRAM))
        until = time.monotonic() + START_S
        while not self._answers():
            ended = self._shell.poll() is not None or time.monotonic() > until
            assert not ended, (self._folder / "out").read_text(errors="replace")[-2_000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the Erlang machine with SIGKILL, and wait for its end."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Kill the node and its epmd, as no data is kept."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def works(self) -> bool:
        """Return whether a new queue, declared as by the service, passes a message."""
        try:
            asyncio.run(self._probe())
        except (*CONNECTION_EXCEPTIONS, aio_pika.exceptions.QueueEmpty, TimeoutError, asyncio.CancelledError):
            return False
        return True

    async def _probe(self) -> None:
        async with (
            asyncio.timeout(PROBE_S),
            await aio_pika.connect(self.url) as connection,
            connection.channel() as channel,
        ):
            queue = await channel.declare_queue(f"probe-{uuid.uuid4().hex}", durable=True, arguments=dict(PROBE))
            await channel.default_exchange.publish(aio_pika.Message(b"probe"), queue.name)
            await (await queue.get()).ack()

    def log(self) -> str:
        """Return the output of the shell, then the log of the node from its first error."""
        logs = "".join(file.read_text(errors="replace") for file in (self._folder / "log").glob("*.log"))
        lines = logs.splitlines(keepends=True)
        first = next((number for number, line in enumerate(lines) if " [error] " in line), 0)
        return (self._folder / "out").read_text(errors="replace")[-2_000:] + "".join(lines[first:])

    def replace(self) -> None:
        """Start a new node without data at the same port."""
        self.stop()
        shutil.rmtree(self._folder / "data")
        self.start()

    def control(self, *command: str) -> str:
        """Run `rabbitmqctl`, and return its output."""
        called = [str(PROGRAM.with_name("rabbitmqctl")), "--quiet", *command]
        return subprocess.run(called, env=self._environment, capture_output=True, check=True, text=True).stdout

    def _run(self, out: int, *command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command, env=self._environment, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )

    def _answers(self) -> bool:
        """Return whether the node sends the first frame, after it has loaded its data."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=BOUND_S) as connection:
            connection.sendall(PROTOCOL_HEADER)
            return connection.recv(1) == b"\x01"
        return False

    def _end(self, by: signal.Signals) -> None:
        if self._shell is not None:
            with suppress(ProcessLookupError, FileNotFoundError):
                os.kill(self.pid, by)
            self._shell.wait(BOUND_S)
            self._shell = None


class ExternalServer:
    """The server that the environment names, which tests may not stop."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def pid(self) -> int:
        return self._skip()

    def start(self) -> None:
        self._skip()

    def kill(self) -> None:
        self._skip()

    def stop(self) -> None:
        self._skip()

    def control(self, *_: str) -> str:
        return str(self._skip())

    def _skip(self) -> int:
        pytest.skip(f"tests may not stop the server that {URL} names")


@contextmanager
def shared() -> Iterator[Broker]:
    """Yield a server for all tests, each with separate names.

    The environment may name one; otherwise one is started.
    """
    if URL in os.environ:
        yield ExternalServer(os.environ[URL])
        return
    if not PROGRAM.exists() or shutil.which("epmd") is None:
        missing("install rabbitmq-server")
    with started() as server, kept_working(server):
        yield server


@contextmanager
def started(**environment: str) -> Iterator[Server]:
    """Start a server for the length of a context."""
    folder = Path(tempfile.mkdtemp(prefix="scoreboard-rabbitmq-"))
    server = Server(folder, **environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
