"""The rows of the embedded product, with their targets."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from bench import cpu, wire
from bench.process import BenchError
from bench.product import Deployment
from bench.run import SMALL, Comparison, Run, plain

NOISE = 0.08  # two runs of the same code differ by up to this share on the machines measured so far
MILLION = 1_000_000


@dataclass(frozen=True)
class Target:
    """The goal of one figure, and the value that must hold until the goal is reached."""

    goal: float
    must_hold: float
    unit: str
    lower_is_better: bool = False

    def reached(self, figure: float) -> bool:
        """Return whether the figure reaches the goal."""
        return figure <= self.goal if self.lower_is_better else figure >= self.goal

    def holds(self, figure: float) -> bool:
        """Return whether the figure is no worse than what must hold, except by noise."""
        if self.lower_is_better:
            return figure <= self.must_hold * (1 + NOISE)
        return figure >= self.must_hold * (1 - NOISE)


@dataclass
class Outcome:
    """The result of a row: a text, a figure for each target, and all raw figures."""

    text: str
    figures: tuple[float, ...]
    raw: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `players` and `sockets` are the sizes that its targets are for; 0 means any.
    """

    number: int
    work: str
    measure: Callable[[Run], Outcome]
    targets: tuple[Target, ...] = ()
    players: int = 0
    sockets: int = 0


def _against_noop(run: Run, kind: wire.Kind) -> Outcome:
    """Measure requests of one kind in a closed loop, as a ratio of the no-op's rate."""
    return compared(run.compare(kind, run.noop, run.full))


def compared(comparison: Comparison) -> Outcome:
    """Return rate and processor time of the product as ratios of those of its limit."""
    limit_rate, rate = comparison.median(lambda r: r.rate)
    limit_us, us = comparison.median(lambda r: r.cpu_us)
    by_rate, by_cpu = rate / limit_rate, limit_us / us
    ratio, why = _deciding(comparison, by_rate, by_cpu)
    name = comparison.name
    text = (
        f"{by_rate:.2f} by rate ({rate:,.0f}/s; {name} {limit_rate:,.0f}/s), "
        f"{by_cpu:.2f} by CPU ({us:.1f} us; {name} {limit_us:.1f} us){why}"
    )
    raw = {"rate_ratio": by_rate, "cpu_ratio": by_cpu, **comparison.raw()}
    servers = backend_cpu(comparison.product)
    if servers:
        text += f"; {listed(servers)}"
        raw["backend_us"] = servers
    return Outcome(text, (ratio,), raw)


def _deciding(comparison: Comparison, by_rate: float, by_cpu: float) -> tuple[float, str]:
    """Return the ratio that decides, and the reason if that is not the ratio of rates.

    The rates decide if both servers had their core to themselves and filled it. If a core was not full, its server
    could have done more, so the smaller ratio decides. If the load generator was the slower side, CPU decides.
    """
    limit_busy, busy = comparison.median(lambda r: r.server_core_busy)
    _, load = comparison.median(lambda r: r.load_share + sum(r.backend_us.values()) * r.rate / 1e6)
    others = disturbed(comparison.limit + comparison.product)
    if load >= 0.9 and not others:
        return by_cpu, f"; CPU decides: the load's core was the slower side (server core {busy:.0%} busy)"
    if others or min(limit_busy, busy) < 0.95:
        cores = f"server core {limit_busy:.0%} busy with the {comparison.name}, {busy:.0%} with the product"
        return min(by_rate, by_cpu), f"; the smaller decides: {cores}{others}"
    return by_rate, ""


def disturbed(rounds: list[wire.Round]) -> str:
    """Return a warning if other processes used the server's core, or nothing."""
    others = statistics.median(r.server_core_busy - r.server_share for r in rounds)
    return f"; DISTURBED: other processes took {others:.0%} of the server's core" if others > 0.1 else ""


def backend_cpu(rounds: list[wire.Round], updates: int = 1) -> dict[str, float]:
    """Return the median processor time of each shared server for one update, in us."""
    return {name: statistics.median(r.backend_us[name] for r in rounds) / updates for name in rounds[0].backend_us}


def listed(servers: dict[str, float]) -> str:
    """Return processor times by server as text."""
    return ", ".join(f"{name} {us:.1f} us" for name, us in servers.items())


def batches(run: Run, deployment: Deployment, requests_per_s: int) -> Outcome:
    """Measure batch requests of 1,000 updates, four at a time."""
    pool = int(requests_per_s * (run.sizes.seconds + run.sizes.warm))
    requests = deployment.requests("batch")
    rounds = [
        run.closed(deployment.server, requests, connections=4, pool=pool, backends=deployment.backends)
        for _ in range(run.sizes.rounds)
    ]
    rate = statistics.median(r.rate for r in rounds) * wire.BATCH
    us = statistics.median(r.cpu_us for r in rounds) / wire.BATCH
    servers = backend_cpu(rounds, wire.BATCH)
    text = f"{rate:,.0f}/s; CPU of an update: " + listed({"own": us, **servers})
    if not servers:
        text += disturbed(rounds)
    raw: dict[str, object] = {"updates_per_s": rate, "cpu_us_per_update": us, "backend_us": servers}
    return Outcome(text, (rate,), {**raw, "rounds": plain(rounds)})


def _latency(run: Run) -> Outcome:
    """Measure latency in an open loop at 3,000 updates/s."""
    comparison = run.compare("update", run.noop, run.full, rate=3000)
    limit_p50, p50 = comparison.median(lambda r: r.p50_ms)
    limit_p99, p99 = comparison.median(lambda r: r.p99_ms)
    text = f"{p50:.2f} / {p99:.2f} ms (no-op {limit_p50:.2f} / {limit_p99:.2f} ms){disturbed(comparison.product)}"
    return Outcome(text, (p50, p99), {"p50_ms": p50, "p99_ms": p99, **comparison.raw()})


def _fan_out(run: Run) -> Outcome:
    """Measure an update until the last screen shows it, and the same frame sent by C."""
    full, count = run.full, run.sizes.sockets
    screens = run.full_screens
    triggers = iter(full.requests("winner", 1 + run.sizes.rounds * run.sizes.fires, run.next_seed()).build())
    _, warm = run.fire(screens, full.server.port, next(triggers))
    limit, port, control, which = run.fanout_limit(warm.frame)
    plain_screens, _ = run.open_screens(port, count, live=False)
    run.fire(plain_screens, control, b"!")
    ms: dict[str, list[float]] = {"limit": [], "product": []}
    reader, us = dict[str, float](), dict[str, float]()
    for turn in range(run.sizes.rounds):
        for side in ms:
            pids = full.server.family() if side == "product" else limit.family()
            before, own = cpu.cpu_ns(pids), 0
            times = []
            for _ in range(run.sizes.fires):
                if side == "product":
                    time_ms, fired = run.fire(screens, full.server.port, next(triggers))
                else:
                    time_ms, fired = run.fire(plain_screens, control, b"!")
                times.append(time_ms)
                own += fired.load_ns
            ms[side] += times
            us[side] = (cpu.cpu_ns(pids) - before) / 1e3 / count / len(times)
            reader[side] = own / 1e6 / sum(times)
        run.log(f"  turn {turn + 1}: limit {ms['limit'][-1]:.1f} ms; product {ms['product'][-1]:.1f} ms")
    for worker in plain_screens:
        worker.stop()
    limit.stop()
    limit_ms, product_ms = statistics.median(ms["limit"]), statistics.median(ms["product"])
    ratio = (product_ms - 10) / limit_ms
    run.limits["fan-out"] = {
        "which": which,
        "sockets": count,
        "ms": round(limit_ms, 1),
        "cpu_us": round(us["limit"], 2),
    }
    text = (
        f"{product_ms:.1f} ms = {ratio:.2f} times {limit_ms:.1f} ms + 10 ({which}; without the 10: "
        f"{product_ms / limit_ms:.2f}); {us['product']:.1f} us CPU a send (limit {us['limit']:.1f})"
    )
    raw = {"ms": ms, "ratio_after_10_ms": ratio, "cpu_us_a_send": us, "reader_core_share": reader}
    return Outcome(text, (ratio,), raw | {"limit": which, "frame_bytes": len(warm.frame)})


def _answer_during_fan_out(run: Run) -> Outcome:
    """Measure an open loop of 200 updates/s that change the top of every screen."""
    full, screens, rate = run.full, run.full_screens, 200.0
    seconds, warm = (4.0, 1.0) if run.sizes.quick else (10.0, 1.0)
    requests = full.requests("winner", int(rate * (seconds + warm)) + 1, run.next_seed())
    for worker in screens:
        worker.send(wire.Drain(seconds + warm + 2))
    try:
        order = wire.Load(full.server.port, requests, full.server.family(), cpu.SERVER_CORE, 64, seconds, warm, rate)
        figures = run.measure(order)
    finally:
        drained = [worker.receive(wire.Drained) for worker in screens]
    frames, left = sum(d.frames for d in drained), sum(d.screens for d in drained)
    if left != run.sizes.sockets or frames < run.sizes.sockets:
        raise BenchError(f"{left:,} of {run.sizes.sockets:,} screens stayed open and received {frames:,} frames")
    text = (
        f"{figures.p99_ms:.1f} ms (p50 {figures.p50_ms:.1f}, max {figures.max_ms:.1f}); "
        f"{frames / run.sizes.sockets / (seconds + warm):.1f} frames/s a screen{disturbed([figures])}"
    )
    return Outcome(text, (figures.p99_ms,), {"round": plain([figures])[0], "frames": frames})


def _memory_a_connection(run: Run) -> Outcome:
    """Measure the memory that idle screens add to a fresh server with 100 players."""
    quiet, count = run.product("quiet", 100), run.sizes.sockets
    quiet.place_winners()
    workers = run.open_screens(quiet.server.port, 100, live=True)[0]  # so that all code is loaded
    time.sleep(1)
    before = cpu.memory_kb(quiet.server.family())
    workers += run.open_screens(quiet.server.port, count, live=True)[0]
    time.sleep(2)
    after = cpu.memory_kb(quiet.server.family())
    for process in [*workers, quiet.server]:
        process.stop()
    kb = (after - before) * 1024 / 1e3 / count
    raw: dict[str, object] = {"kb_a_connection": kb, "before_kib": before, "after_kib": after, "sockets": count}
    return Outcome(f"{kb:.1f} KB", (kb,), raw)


def _memory_of_players(run: Run) -> Outcome:
    """Report the largest resident memory with all players at several moments."""
    full = run.full
    full.note_memory("now")
    most = max(full.memory_mb.values())
    text = f"{most:.0f} MB (" + ", ".join(f"{mb:.0f} {moment}" for moment, mb in full.memory_mb.items()) + ")"
    peak = cpu.memory_kb(full.server.family(), "VmHWM") * 1024 / 1e6
    return Outcome(text, (most,), {"mb": dict(full.memory_mb), "peak_mb_since_restart": peak})


def _cost_by_size(run: Run) -> Outcome:
    """Measure the ratio of the processor time on the large and the small board."""
    large, small = run.full, run.small
    rounds: dict[int, list[wire.Round]] = {small.players: [], large.players: []}
    for turn in range(run.sizes.rounds):
        for product in (small, large):
            rounds[product.players].append(run.closed(product.server, product.requests("update")))
        run.log(f"  turn {turn + 1}: " + "; ".join(f"{n:,}: {r[-1].cpu_us:.1f} us" for n, r in rounds.items()))
    small.server.stop()
    few, many = (statistics.median(r.cpu_us for r in these) for these in rounds.values())
    ratio = many / few
    text = f"{ratio:.2f} ({many:.0f} us CPU at {large.players:,}, {few:.0f} us at {small.players:,})"
    text += disturbed([r for these in rounds.values() for r in these])
    raw: dict[str, object] = {"ratio": ratio, "rounds": {str(n): plain(these) for n, these in rounds.items()}}
    return Outcome(text, (ratio,), raw)


def _start(run: Run) -> Outcome:
    """Report how long a start takes on the data of a server that SIGTERM stopped."""
    times = run.full.start_s
    text = f"{times['ready']:.2f} s (ranks exact after {times['exact']:.2f} s)"
    return Outcome(text, (), {"seconds": dict(times)})


def at_least(goal: float, must_hold: float, unit: str) -> tuple[Target]:
    """Return the target of a row whose figure should be high."""
    return (Target(goal, must_hold, unit),)


def at_most(goal: float, must_hold: float, unit: str) -> tuple[Target]:
    """Return the target of a row whose figure should be low."""
    return (Target(goal, must_hold, unit, lower_is_better=True),)


# In the order of measurement: memory is read before screens add to it.
ROWS = [
    Row(
        1,
        "one update over HTTP, durable",
        partial(_against_noop, kind="update"),
        at_least(0.38, 0.27, " of no-op POST"),
        players=MILLION,
    ),
    Row(
        2,
        "one update with an `Idempotency-Key`",
        partial(_against_noop, kind="keyed"),
        at_least(0.25, 0.17, " of no-op POST"),
        players=MILLION,
    ),
    Row(
        3,
        "updates in batch requests of 1,000",
        lambda run: batches(run, run.full, requests_per_s=80),
        at_least(20_000, 14_400, "/s"),
        players=MILLION,
    ),
    Row(4, "top 10", partial(_against_noop, kind="top"), at_least(1.2, 1.2, " of no-op GET"), players=MILLION),
    Row(
        5,
        "rank of random players",
        partial(_against_noop, kind="standing"),
        at_least(0.63, 0.55, " of no-op GET"),
        players=MILLION,
    ),
    Row(
        6,
        "latency at 3,000 updates/s, open loop",
        _latency,
        at_most(2, 2, " ms p50") + at_most(20, 20, " ms p99"),
        players=MILLION,
    ),
    Row(10, "memory of a server, 16-character ids", _memory_of_players, at_most(300, 300, " MB"), players=MILLION),
    Row(12, "start until ready", _start, players=MILLION),
    Row(
        7,
        "update to the last screen, quiet board",
        _fan_out,
        at_most(1.25, 1.25, " times bare C + 10 ms"),
        players=MILLION,
        sockets=10_000,
    ),
    Row(
        8,
        "answer to an update while all screens are written",
        _answer_during_fan_out,
        at_most(25, 25, " ms p99"),
        players=MILLION,
        sockets=10_000,
    ),
    Row(9, "memory per connection", _memory_a_connection, at_most(18, 18, " KB"), sockets=10_000),
    Row(
        11,
        f"CPU of an update against {SMALL:,} players",
        _cost_by_size,
        at_most(1.5, 1.68, " times"),
        players=10 * MILLION,
    ),
]
