"""One run: its sizes, and the servers and workers that the rows share. Each is started when the first row needs it."""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from bench import cpu, product, wire
from bench.distributed import Distributed
from bench.limits import fanout
from bench.process import BenchError, Process, Server, Worker
from bench.product import Product, Stand

SMALL = 10_000  # players of the board that the big one is compared with
_SOCKETS_A_PROCESS = 15_000
_POOL_RATE = 25_000  # requests/s for which different ones are prepared


@dataclass(frozen=True)
class Sizes:
    """How much is measured: `rounds` of limit and product each, of `seconds` s after `warm` s that do not count."""

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
class Duel:
    """Rounds of the limit and of the product, taken in turn. `against` is the name of the limit."""

    against: str = "no-op"
    limit: list[wire.Round] = field(default_factory=list)
    product: list[wire.Round] = field(default_factory=list)

    def median(self, of: Callable[[wire.Round], float]) -> tuple[float, float]:
        """Median of a figure: (limit, product)."""
        return statistics.median(map(of, self.limit)), statistics.median(map(of, self.product))

    def raw(self) -> dict[str, object]:
        """All rounds, without the sample answers, for the JSON file."""
        rounds = {"limit": self.limit, "product": self.product}
        return {side: [{**msgspec.to_builtins(r), "sample": ""} for r in these] for side, these in rounds.items()}


class Run:
    """The shared parts of one run; a context manager that stops all it started."""

    def __init__(self, sizes: Sizes, command: list[str], build: Path) -> None:
        self.sizes, self.command, self.build = sizes, command, build
        self.stack = ExitStack()
        cpu.priority = -10 if sizes.urgent else 0
        self.began = time.monotonic()
        self.limits: dict[str, object] = {}  # what the limits themselves reached
        self._seed = 0
        self._failed: dict[str, BenchError] = {}

    def __enter__(self) -> "Run":
        self.build.mkdir(parents=True, exist_ok=True)
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=self.build)))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def say(self, text: str) -> None:
        """Tell the person who waits."""
        print(f"{time.monotonic() - self.began:5.0f} s  {text}", file=sys.stderr, flush=True)

    # What the rows share

    @cached_property
    def load(self) -> Worker:
        """The load generator."""
        return self.worker("bench.load")

    @cached_property
    def full(self) -> Product:
        """The product with all players."""
        return self._product("full", self.sizes.players)

    @cached_property
    def small(self) -> Product:
        """The product with few players."""
        return self._product("small", SMALL)

    @cached_property
    def noop(self) -> Server:
        """The bare application, answering with as many bytes as the product does."""
        return self.noop_of(self.full)

    def noop_of(self, stand: Stand) -> Server:
        """The bare application, answering with as many bytes as this one does."""
        one = wire.Ask("standing", stand.token)
        sizes = {}
        for kind in ("update", "top", "standing"):
            request = msgspec.structs.replace(one, kind=kind).build()[0]
            method, path, _ = request.decode().split(" ", 2)
            sizes[f"{method} {path.split('?')[0]}"] = wire.body_size(stand.server.port, request)
        server = product.noop(sizes, self.folder / "noop.log", sys.executable)
        self.stack.enter_context(server)
        return server

    @cached_property
    def distributed(self) -> Distributed:
        """The product on PostgreSQL and Redis, with all players."""
        name = "distributed"
        if name in self._failed:
            raise self._failed[name]
        self.say(f"PostgreSQL and Redis: loading {self.sizes.players:,} players")
        try:
            made = Distributed(self.command, self.folder / name, self.stack, self.sizes.players)
        except BenchError as error:
            self._failed[name] = error
            raise
        self.limits["servers"] = made.versions()
        self.say(f"loaded in {made.load_s:.1f} s; ranks from Redis after {made.warm_s:.1f} s more")
        return made

    @cached_property
    def distributed_noop(self) -> Server:
        """The bare application, answering with as many bytes as `distributed` does."""
        return self.noop_of(self.distributed)

    @cached_property
    def wall(self) -> list[Worker]:
        """The processes that hold the screens of `full`."""
        self.full.crown()
        return self.screens(self.full.server.port, self.sizes.sockets, live=True)[0]

    def _product(self, name: str, players: int) -> Product:
        if name in self._failed:
            raise self._failed[name]
        self.say(f"loading {players:,} players")
        try:
            made = Product(self.command, self.folder / name, self.stack, players)
            figures = made.preload(self.load)
        except BenchError as error:
            self._failed[name] = error  # it would fail again, and take as long
            raise
        rate = players / figures.seconds
        self.say(f"loaded at {rate:,.0f}/s; restarted: ready in {made.start_s['ready']:.1f} s")
        return made

    def quiet_product(self) -> Product:
        """A product with a handful of players and no history, for figures that a big heap would blur."""
        return self._product("quiet", 100)

    def worker(self, module: str) -> Worker:
        """One of our modules, stopped in the end."""
        log = self.folder / f"{module}.log"
        worker = Worker(module, log)
        self.stack.enter_context(worker)
        return worker

    # Measuring

    def next_seed(self) -> int:
        """A seed not used before in this run: every round meets other players."""
        self._seed += 1
        return self._seed

    def closed(
        self,
        port: int,
        ask: wire.Ask,
        pids: list[int],
        connections: int = 0,
        pool: int = 0,
        beside: dict[str, int] | None = None,
    ) -> wire.Round:
        """A closed-loop round, with `pool` different requests prepared."""
        sizes = self.sizes
        count = pool or int(_POOL_RATE * (sizes.seconds + sizes.warm))
        ask = msgspec.structs.replace(ask, count=count, seed=self.next_seed())
        connections = connections or sizes.connections
        order = wire.Load(port, ask, pids, cpu.SERVER_CORE, connections, sizes.seconds, sizes.warm)
        return self.order(msgspec.structs.replace(order, beside=beside or {}))

    def order(self, order: wire.Load) -> wire.Round:
        """Have the load generator do it; an error when the server did not answer each request with success."""
        self.load.tell(order)
        figures = self.load.hear(wire.Round)
        if not figures.requests:
            raise BenchError("no request was answered")
        if figures.errors:
            raise BenchError(
                f"{figures.errors} of {figures.requests} answers were no success, such as: {figures.sample}"
            )
        return figures

    def duel(
        self,
        kind: wire.Kind,
        *,
        rate: float = 0.0,
        sides: tuple[Server, Stand] | None = None,
        against: str = "no-op",
        on: str = "",
    ) -> Duel:
        """Measure the limit and the product (`on` its backends), in turn: closed loop, or open loop at `rate`
        requests/s. The limit is the bare application unless `sides` has another, `against` its name."""
        result = Duel(against)
        noop, full = sides or (self.noop, self.full)
        blank = wire.Ask(kind, full.token if kind in {"update", "keyed"} else "")
        for turn in range(self.sizes.rounds):
            for port, ask, pids, beside, rounds in (
                (noop.port, blank, noop.family(), {}, result.limit),
                (full.server.port, full.ask(kind), full.pids(), full.beside, result.product),
            ):
                if rate:
                    rounds.append(self._open(port, ask, pids, rate))
                else:
                    rounds.append(self.closed(port, ask, pids, beside=beside))
            limit, own = result.limit[-1], result.product[-1]
            self.say(f"  turn {turn + 1}: limit {_brief(limit)}; product {_brief(own)}")
        self.limits[f"{against} for {kind}{f' at {rate:,.0f}/s' if rate else ''}{on}"] = {
            "rate": round(result.median(lambda r: r.rate)[0]),
            "cpu_us": round(result.median(lambda r: r.cpu_us)[0], 1),
            "p50_ms": round(result.median(lambda r: r.p50_ms)[0], 3),
            "p99_ms": round(result.median(lambda r: r.p99_ms)[0], 3),
        }
        return result

    def _open(self, port: int, ask: wire.Ask, pids: list[int], rate: float) -> wire.Round:
        sizes = self.sizes
        seconds = sizes.seconds * 1.5
        ask = msgspec.structs.replace(ask, count=int(rate * (sizes.warm + seconds)) + 1, seed=self.next_seed())
        return self.order(wire.Load(port, ask, pids, cpu.SERVER_CORE, 4 * sizes.connections, seconds, sizes.warm, rate))

    def screens(self, port: int, count: int, *, live: bool) -> tuple[list[Worker], bytes]:
        """Open `count` screens, in as many processes as file limits demand; those, and a frame that came."""
        workers: list[Worker] = []
        frame = b""
        for first in range(0, count, _SOCKETS_A_PROCESS):
            worker = self.worker("bench.screens")
            worker.tell(wire.Open(port, min(count - first, _SOCKETS_A_PROCESS), live, first))
            opened = worker.hear(wire.Opened)
            if opened.problem:
                for one in [*workers, worker]:
                    one.stop()
                raise BenchError(f"only {first + opened.screens} of {count} screens: {opened.problem}")
            workers.append(worker)
            frame = opened.frame
            self.say(f"  screens open: {first + opened.screens:,} of {count:,} ({opened.seconds:.1f} s)")
        return workers, frame

    def fire(self, workers: list[Worker], port: int, trigger: bytes) -> tuple[float, wire.Fired]:
        """One fan-out: ms from the trigger to the last screen; an error when a screen got nothing."""
        for worker in workers[1:]:
            worker.tell(wire.Fire(0, b""))
            worker.hear(wire.Armed)
        workers[0].tell(wire.Fire(port, trigger))
        workers[0].hear(wire.Armed)
        fired = [worker.hear(wire.Fired) for worker in workers]
        missing = sum(f.missing for f in fired)
        if missing:
            raise BenchError(f"{missing} screens were told nothing within 20 s")
        return (max(f.last_ns for f in fired) - fired[0].start_ns) / 1e6, fired[0]

    def fanout_limit(self, frame: bytes) -> tuple[Process, int, int, str]:
        """The fan-out limit writing `frame`: its process, port, control port and what it is."""
        file = self.folder / "frame"
        file.write_bytes(frame)
        command, which = fanout.command(self.build, file)
        process, port, control = product.fanout(command, self.folder / "fanout.log")
        self.stack.enter_context(process)
        return process, port, control, which


def _brief(figures: wire.Round) -> str:
    return f"{figures.rate:,.0f}/s {figures.cpu_us:.1f} us p50 {figures.p50_ms:.2f} p99 {figures.p99_ms:.2f} ms"
