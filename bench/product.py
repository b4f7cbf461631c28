"""The product under measurement: data folder, tokens and server."""

import json
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from bench import cpu, wire
from bench.process import BenchError, Process, Server, Worker, free_port


class Deployment:
    """A server with app `bench`, board `main`, and `players` players who have a score."""

    server: Server
    players: int
    token: str

    @property
    def backends(self) -> dict[str, int]:
        """The first process of each shared server that it uses, by name."""
        return {}

    def requests(self, kind: wire.Kind, count: int = 1, seed: int = 0) -> wire.Requests:
        """Return requests of one kind for its players."""
        token = "" if kind in {"top", "standing"} else self.token
        return wire.Requests(kind, token, self.players, count, seed)

    def place_winners(self) -> None:
        """Give the winners scores far above all others."""
        request = self.requests("winners").build()[0]
        status, body = wire.call(
            self.server.port, "POST", f"{wire.SCORES}/batch", self.token, wire.json_body(request), timeout=60
        )
        if status != 200 or body["refused"]:
            raise BenchError(f"the winners were refused: {status} {body}")


class Product(Deployment):
    """The embedded product: one process with a data folder."""

    def __init__(self, command: list[str], folder: Path, stack: ExitStack, players: int) -> None:
        self.command, self.folder, self.stack, self.players = command, folder, stack, players
        self.log = folder.with_suffix(".log")
        self.patience = 60 + players / 5_000  # seconds a start may take
        self.memory_mb: dict[str, float] = {}  # resident memory, by moment
        self.start_s: dict[str, float] = {}  # of the last start: until ready, until ranks are exact
        folder.mkdir()
        admin = token(command, folder, "admin", "*")
        self.server = self._start()
        make_board(self.server.port, admin)
        self.token = token(command, folder, "server", wire.APP)

    def preload(self, load: Worker) -> wire.Round:
        """Give every player a score and restart, so that rows measure a fresh server."""
        load.send(wire.Preload(self.server.port, self.requests("preload"), connections=3))
        figures = load.receive(wire.Round)
        if figures.errors:
            raise BenchError(f"preload failed: {figures.sample}")
        total = self._top()["total"]
        if total != self.players:
            raise BenchError(f"after the preload the board has {total} players, not {self.players}")
        self.note_memory("after the preload")
        self.restart()
        return figures

    def restart(self) -> None:
        """Restart. Note the seconds until the server is ready and ranks are exact."""
        self.server.stop(self.patience)
        self.server = self._start()
        while self._top()["rank_state"] != "exact":
            if time.monotonic() - self.server.started > self.patience:
                raise BenchError("ranks are still not exact")
            time.sleep(0.01)
        self.start_s["exact"] = time.monotonic() - self.server.started
        time.sleep(1.0)
        self.note_memory("after a restart")

    def note_memory(self, moment: str) -> float:
        """Note the resident memory of the server and return it, in MB (10^6 bytes)."""
        self.memory_mb[moment] = cpu.memory_kb(self.server.family()) * 1024 / 1e6
        return self.memory_mb[moment]

    def _top(self) -> dict[str, object]:
        status, body = wire.call(self.server.port, "GET", f"{wire.TOP}?limit=10", timeout=60)
        if status != 200:
            raise BenchError(f"GET top: {status} {body}")
        found: dict[str, object] = body
        return found

    def _start(self) -> Server:
        port = free_port()
        command = [*self.command, "serve", "--data", str(self.folder), "--port", str(port)]
        server = Server(command, port, self.log)
        self.stack.enter_context(server)
        self.start_s = {"ready": server.wait("/health/ready", self.patience)}
        return server


def token(command: list[str], folder: Path, role: str, app: str) -> str:
    """Make a token with the key in the data folder."""
    made = run([*command, "token", role, "--app", app, "--data", str(folder)])
    if not made.split():
        raise BenchError(f"no token was made: {made}")
    return made.split()[-1]


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Run a command and return its output. Raises BenchError if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def make_board(port: int, token: str) -> None:
    """Create the app and the board."""
    board = {"board": wire.BOARD, "operator": "increment"}
    for path, body in (("/v1/apps", {"app": wire.APP}), (f"/v1/apps/{wire.APP}/boards", board)):
        status, answer = wire.call(port, "POST", path, token, body)
        if status not in {200, 201}:
            raise BenchError(f"POST {path}: {status} {answer}")


def noop(sizes: dict[str, int], log: Path, python: str) -> Server:
    """Start the no-op server, with the size in bytes of its answer by "METHOD /path"."""
    port = free_port()
    server = Server([python, "-m", "bench.limits.noop", str(port), json.dumps(sizes)], port, log)
    try:
        server.wait(next(route for route in sizes if route.startswith("GET")).split(" ", 1)[1], 20)
    except BaseException:
        server.stop()
        raise
    return server


def fanout(command: list[str], log: Path) -> tuple[Process, int, int]:
    """Start the fan-out limit. Return its process, port and control port."""
    process = Process(command, cpu.SERVER_CORE, log)
    line = process.child.stdout.readline().split() if process.child.stdout else []
    if len(line) != 2:
        process.stop()
        raise BenchError(f"the fan-out limit did not start:\n{process.tail()}")
    return process, int(line[0]), int(line[1])
