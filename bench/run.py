"""One run with its sizes, and the servers and workers that rows share."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec

from bench import cpu, product, wire
from bench.distributed import Distributed
from bench.limits import fanout
from bench.process import BenchError, Process, Server, Worker
from bench.product import Deployment, Product

Deployed = TypeVar("Deployed", bound=Deployment)

SMALL = 10_000  # players of the small board, with which the large one is compared
_SOCKETS_A_PROCESS = 15_000
_POOL_RATE = 25_000  # requests/s for which different requests are prepared


@dataclass(frozen=True)
class Sizes:
    """Players, sockets and rounds of a run.

    A round of `seconds` follows `warm` seconds that do not count.
    """

    players: int = 1_000_000
    sockets: int = 10_000
    connections: int = 64
    rounds: int = 4
    seconds: float = 2.5
    warm: float = 0.5
    fires: int = 4  # fan-outs a round
    urgent: bool = False  # at a raised priority
    quick: bool = False


@dataclass
class Comparison:
    """Rounds of the product and of its limit, whose name is `name`."""

    name: str
    limit: list[wire.Round] = field(default_factory=list)
    product: list[wire.Round] = field(default_factory=list)

    def median(self, figure: Callable[[wire.Round], float]) -> tuple[float, float]:
        """Return the median of a figure for the limit and for the product."""
        return statistics.median(map(figure, self.limit)), statistics.median(map(figure, self.product))

    def raw(self) -> dict[str, object]:
        """Return all rounds for the JSON file."""
        return {"limit": plain(self.limit), "product": plain(self.product)}


def plain(rounds: list[wire.Round]) -> list[dict[str, object]]:
    """Return rounds for the JSON file, without the sample answers."""
    return [{**msgspec.to_builtins(r), "sample": ""} for r in rounds]


class Run:
    """The shared parts of one run, each started when the first row needs it.

    A context manager that stops every process it started.
    """

    def __init__(self, sizes: Sizes, command: list[str], build: Path) -> None:
        self.sizes, self.command, self.build = sizes, command, build
        self.stack = ExitStack()
        cpu.priority = -10 if sizes.urgent else 0
        self.began = time.monotonic()
        self.limits: dict[str, object] = {}  # figures of the limits themselves
        self._seed = 0
        self._failed: dict[str, BenchError] = {}

    def __enter__(self) -> "Run":
        self.build.mkdir(parents=True, exist_ok=True)
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=self.build)))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def log(self, text: str) -> None:
        """Print progress to stderr."""
        print(f"{time.monotonic() - self.began:5.0f} s  {text}", file=sys.stderr, flush=True)

    # Shared servers and workers

    @cached_property
    def load(self) -> Worker:
        """The load generator."""
        return self.worker("bench.load")

    @cached_property
    def full(self) -> Product:
        """The embedded product with all players."""
        return self.product("full", self.sizes.players)

    @cached_property
    def small(self) -> Product:
        """The embedded product with few players."""
        return self.product("small", SMALL)

    @cached_property
    def noop(self) -> Server:
        """The no-op server, with answers as large as those of `full`."""
        return self._noop(self.full)

    @cached_property
    def distributed(self) -> Distributed:
        """The product on PostgreSQL and Redis, with all players."""
        players, folder = self.sizes.players, self.folder / "distributed"
        deployment = self._once(
            f"loading {players:,} players into PostgreSQL and Redis",
            lambda: Distributed(self.command, folder, self.stack, players),
        )
        self.limits["servers"] = deployment.versions()
        self.log(f"loaded in {deployment.load_s:.1f} s; ranks from Redis after {deployment.warm_s:.1f} s more")
        return deployment

    @cached_property
    def distributed_noop(self) -> Server:
        """The no-op server, with answers as large as those of `distributed`."""
        return self._noop(self.distributed)

    @cached_property
    def full_screens(self) -> list[Worker]:
        """The processes that hold the screens of `full`."""
        self.full.place_winners()
        return self.open_screens(self.full.server.port, self.sizes.sockets, live=True)[0]

    def product(self, name: str, players: int) -> Product:
        """Start the embedded product with a new data folder and load its players."""

        def start() -> Product:
            started = Product(self.command, self.folder / name, self.stack, players)
            rate = players / started.preload(self.load).seconds
            self.log(f"loaded at {rate:,.0f}/s; restarted: ready in {started.start_s['ready']:.1f} s")
            return started

        return self._once(f"loading {players:,} players", start)

    def _once(self, work: str, start: Callable[[], Deployed]) -> Deployed:
        """Start a deployment, or repeat the error of its first start."""
        if work in self._failed:
            raise self._failed[work]
        self.log(work)
        try:
            return start()
        except BenchError as error:
            self._failed[work] = error
            raise

    def _noop(self, deployment: Deployment) -> Server:
        sizes = {}
        for kind in ("update", "top", "standing"):
            request = wire.Requests(kind, deployment.token).build()[0]
            method, path, _ = request.decode().split(" ", 2)
            sizes[f"{method} {path.split('?')[0]}"] = wire.body_size(deployment.server.port, request)
        server = product.noop(sizes, self.folder / "noop.log", sys.executable)
        self.stack.enter_context(server)
        return server

    def worker(self, module: str) -> Worker:
        """Start one of the benchmark's own modules. The run stops it at its end."""
        worker = Worker(module, self.folder / f"{module}.log")
        self.stack.enter_context(worker)
        return worker

    # Measuring

    def next_seed(self) -> int:
        """Return an unused seed, so that every round addresses other players."""
        self._seed += 1
        return self._seed

    def closed_order(
        self,
        server: Server,
        requests: wire.Requests,
        connections: int = 0,
        pool: int = 0,
        backends: dict[str, int] | None = None,
    ) -> wire.Load:
        """Return the order for a closed loop with `pool` different requests."""
        sizes = self.sizes
        requests = msgspec.structs.replace(
            requests, count=pool or int(_POOL_RATE * (sizes.seconds + sizes.warm)), seed=self.next_seed()
        )
        return wire.Load(
            server.port,
            requests,
            server.family(),
            cpu.SERVER_CORE,
            connections or sizes.connections,
            sizes.seconds,
            sizes.warm,
            backends=backends or {},
        )

    def closed(
        self,
        server: Server,
        requests: wire.Requests,
        connections: int = 0,
        pool: int = 0,
        backends: dict[str, int] | None = None,
    ) -> wire.Round:
        """Measure one round of a closed loop."""
        return self.measure(self.closed_order(server, requests, connections, pool, backends))

    def measure(self, order: wire.Load) -> wire.Round:
        """Measure one round. Raises BenchError if any request did not succeed."""
        self.load.send(order)
        return checked(self.load.receive(wire.Round))

    def compare(
        self,
        kind: wire.Kind,
        limit: Server,
        deployment: Deployment,
        *,
        name: str = "no-op",
        rate: float = 0.0,
    ) -> Comparison:
        """Measure limit and product in turns, in an open loop if `rate` is not 0."""
        result = Comparison(name)
        wanted = deployment.requests(kind)
        one_player = msgspec.structs.replace(wanted, players=1)  # the no-op serves the path of one player
        for turn in range(self.sizes.rounds):
            for server, requests, backends, rounds in (
                (limit, one_player, {}, result.limit),
                (deployment.server, wanted, deployment.backends, result.product),
            ):
                if rate:
                    rounds.append(self._open(server, requests, rate))
                else:
                    rounds.append(self.closed(server, requests, backends=backends))
            self.log(f"  turn {turn + 1}: limit {_brief(result.limit[-1])}; product {_brief(result.product[-1])}")
        servers = "".join(f", with {server}" for server in deployment.backends)
        self.limits[f"{name} for {kind}{f' at {rate:,.0f}/s' if rate else ''}{servers}"] = {
            "rate": round(result.median(lambda r: r.rate)[0]),
            "cpu_us": round(result.median(lambda r: r.cpu_us)[0], 1),
            "p50_ms": round(result.median(lambda r: r.p50_ms)[0], 3),
            "p99_ms": round(result.median(lambda r: r.p99_ms)[0], 3),
        }
        return result

    def _open(self, server: Server, requests: wire.Requests, rate: float) -> wire.Round:
        seconds = self.sizes.seconds * 1.5
        order = self.closed_order(
            server, requests, 4 * self.sizes.connections, int(rate * (self.sizes.warm + seconds)) + 1
        )
        return self.measure(msgspec.structs.replace(order, seconds=seconds, rate=rate))

    def open_screens(self, port: int, count: int, *, live: bool) -> tuple[list[Worker], bytes]:
        """Open screens in several processes. Return those and the last frame."""
        workers: list[Worker] = []
        frame = b""
        for first in range(0, count, _SOCKETS_A_PROCESS):
            worker = self.worker("bench.screens")
            worker.send(wire.Open(port, min(count - first, _SOCKETS_A_PROCESS), live, first))
            opened = worker.receive(wire.Opened)
            if opened.problem:
                for each in [*workers, worker]:
                    each.stop()
                raise BenchError(f"only {first + opened.screens} of {count} screens: {opened.problem}")
            workers.append(worker)
            frame = opened.frame
            self.log(f"  screens open: {first + opened.screens:,} of {count:,} ({opened.seconds:.1f} s)")
        return workers, frame

    def fire(self, workers: list[Worker], port: int, trigger: bytes) -> tuple[float, wire.Fired]:
        """Measure one fan-out in ms, from the trigger to the last screen."""
        for worker in workers[1:]:
            worker.send(wire.Fire(0, b""))
            worker.receive(wire.Armed)
        workers[0].send(wire.Fire(port, trigger))
        workers[0].receive(wire.Armed)
        fired = [worker.receive(wire.Fired) for worker in workers]
        missing = sum(f.missing for f in fired)
        if missing:
            raise BenchError(f"{missing} screens received nothing within 20 s")
        return (max(f.last_ns for f in fired) - fired[0].start_ns) / 1e6, fired[0]

    def fanout_limit(self, frame: bytes) -> tuple[Process, int, int, str]:
        """Start the fan-out limit. Return its process, port, control port and name."""
        file = self.folder / "frame"
        file.write_bytes(frame)
        command, which = fanout.command(self.build, file)
        process, port, control = product.fanout(command, self.folder / "fanout.log")
        self.stack.enter_context(process)
        return process, port, control, which


def checked(figures: wire.Round) -> wire.Round:
    """Return the figures of a round. Raises BenchError if any request did not succeed."""
    if not figures.requests:
        raise BenchError("no request was answered")
    if figures.errors:
        raise BenchError(f"{figures.errors} of {figures.requests} requests failed, such as: {figures.sample}")
    return figures


def _brief(figures: wire.Round) -> str:
    return f"{figures.rate:,.0f}/s {figures.cpu_us:.1f} us p50 {figures.p50_ms:.2f} p99 {figures.p99_ms:.2f} ms"
