"""The rows: what is asked of the product, and how each is measured."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from bench import cpu, wire
from bench.run import SMALL, Duel, Run


@dataclass
class Outcome:
    """What a row measured: in words, whether it meets what is asked (None: nothing is), and every raw figure."""

    text: str
    met: bool | None
    aim_met: bool | None
    raw: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of the table. `players` and `sockets` are the sizes it is asked at, 0 where that does not matter."""

    number: int
    work: str
    at_least: str
    aim: str
    measure: Callable[[Run], Outcome]
    players: int = 0
    sockets: int = 0


def _against_noop(run: Run, kind: wire.Kind, at_least: float, aim: float) -> Outcome:
    """Closed loop."""
    return against_limit(run.duel(kind), at_least, aim)


def against_limit(duel: Duel, at_least: float, aim: float) -> Outcome:
    """Return rate and processor time of the product as ratios of those of its limit."""
    limit_rate, rate = duel.median(lambda r: r.rate)
    limit_us, us = duel.median(lambda r: r.cpu_us)
    by_rate, by_cpu = rate / limit_rate, limit_us / us
    ratio, why = _decide(duel, by_rate, by_cpu)
    text = (
        f"{by_rate:.2f} by rate ({rate:,.0f}/s; {duel.against} {limit_rate:,.0f}/s), "
        f"{by_cpu:.2f} by CPU ({us:.1f} us; {duel.against} {limit_us:.1f} us){why}"
    )
    return Outcome(text, ratio >= at_least, ratio >= aim, {"rate_ratio": by_rate, "cpu_ratio": by_cpu, **duel.raw()})


def _decide(duel: Duel, by_rate: float, by_cpu: float) -> tuple[float, str]:
    """Which ratio decides, and in words why where it is not the rate.

    The rate says the truth when both servers filled their core and had it to themselves. If not, then the limit could
    have done more, so the smaller ratio decides; but if the load generator was what could not do more, the CPU does.
    """
    limit_busy, busy = duel.median(lambda r: r.server_core_busy)
    _, load = duel.median(lambda r: r.load_share + sum(r.beside_us.values()) * r.rate / 1e6)
    others = disturbed(duel.limit + duel.product)
    if load >= 0.9 and not others:
        return by_cpu, f"; CPU decides: the load's core was the slower side (server core {busy:.0%} busy)"
    if others or min(limit_busy, busy) < 0.95:
        cores = f"server core {limit_busy:.0%} busy with the {duel.against}, {busy:.0%} with the product"
        return min(by_rate, by_cpu), f"; the smaller decides: {cores}{others}"
    return by_rate, ""


def disturbed(rounds: list[wire.Round]) -> str:
    """In words, how much of the server's core went to processes that are not ours; empty when it was little."""
    others = statistics.median(r.server_core_busy - r.server_share for r in rounds)
    return f"; DISTURBED: others took {others:.0%} of the server's core" if others > 0.1 else ""


def _update(run: Run) -> Outcome:
    return _against_noop(run, "update", 0.65, 0.75)


def _keyed(run: Run) -> Outcome:
    return _against_noop(run, "keyed", 0.5, 0.65)


def _top(run: Run) -> Outcome:
    return _against_noop(run, "top", 1.2, 1.5)


def _standing(run: Run) -> Outcome:
    return _against_noop(run, "standing", 0.8, 0.95)


def _batch(run: Run) -> Outcome:
    """Updates/s through batch requests of 1,000, four at a time."""
    full = run.full
    pool = int(80 * (run.sizes.seconds + run.sizes.warm))
    rounds = [
        run.closed(full.server.port, full.ask("batch"), full.pids(), connections=4, pool=pool)
        for _ in range(run.sizes.rounds)
    ]
    rate = statistics.median(r.rate for r in rounds) * wire.BATCH
    us = statistics.median(r.cpu_us for r in rounds) / wire.BATCH
    raw: dict[str, object] = {"updates_per_s": rate, "cpu_us_per_update": us, "rounds": plain(rounds)}
    return Outcome(f"{rate:,.0f}/s, {us:.1f} us CPU an update{disturbed(rounds)}", rate >= 25_000, rate >= 35_000, raw)


def _latency(run: Run) -> Outcome:
    """Open loop at 3,000 updates/s."""
    duel = run.duel("update", rate=3000)
    limit_p50, p50 = duel.median(lambda r: r.p50_ms)
    limit_p99, p99 = duel.median(lambda r: r.p99_ms)
    text = f"{p50:.2f} / {p99:.2f} ms (no-op {limit_p50:.2f} / {limit_p99:.2f} ms){disturbed(duel.product)}"
    met, aim = p50 <= 2 and p99 <= 20, p50 <= 0.5 and p99 <= 5
    return Outcome(text, met, aim, {"p50_ms": p50, "p99_ms": p99, **duel.raw()})


def _fan_out(run: Run) -> Outcome:
    """One update of a winner on a quiet board to the last screen, and the same frame written by bare C."""
    full, count = run.full, run.sizes.sockets
    wall = run.wall
    triggers = iter(full.ask("winner", 1 + run.sizes.rounds * run.sizes.fires, run.next_seed()).build())
    _, warm = run.fire(wall, full.server.port, next(triggers))
    limit, port, control, which = run.fanout_limit(warm.frame)
    plain_wall, _ = run.screens(port, count, live=False)
    run.fire(plain_wall, control, b"!")
    ms: dict[str, list[float]] = {"limit": [], "product": []}
    reader, us = dict[str, float](), dict[str, float]()
    for turn in range(run.sizes.rounds):
        for side in ms:
            pids = full.pids() if side == "product" else limit.family()
            before, own = cpu.cpu_ns(pids), 0
            took = []
            for _ in range(run.sizes.fires):
                if side == "product":
                    one, fired = run.fire(wall, full.server.port, next(triggers))
                else:
                    one, fired = run.fire(plain_wall, control, b"!")
                took.append(one)
                own += fired.load_ns
            ms[side] += took
            us[side] = (cpu.cpu_ns(pids) - before) / 1e3 / count / len(took)
            reader[side] = own / 1e6 / sum(took)
        run.say(f"  turn {turn + 1}: limit {ms['limit'][-1]:.1f} ms; product {ms['product'][-1]:.1f} ms")
    for worker in plain_wall:
        worker.stop()
    limit.stop()
    least, took_ms = statistics.median(ms["limit"]), statistics.median(ms["product"])
    ratio = (took_ms - 10) / least
    run.limits["fan-out"] = {"which": which, "sockets": count, "ms": round(least, 1), "cpu_us": round(us["limit"], 2)}
    text = (
        f"{took_ms:.1f} ms = {ratio:.2f} of {least:.1f} ms + 10 ({which}; without the 10: {took_ms / least:.2f}); "
        f"{us['product']:.1f} us CPU a send (limit {us['limit']:.1f})"
    )
    raw = {"ms": ms, "ratio_after_10_ms": ratio, "cpu_us_a_send": us, "reader_core_share": reader}
    raw |= {"limit": which, "frame_bytes": len(warm.frame)}
    return Outcome(text, ratio <= 1.25, ratio <= 1.15, raw)


def _answer_during_fan_out(run: Run) -> Outcome:
    """Open loop at 200 updates/s, each of which changes the top that every screen shows."""
    full, wall, rate = run.full, run.wall, 200.0
    seconds, warm = (4.0, 1.0) if run.sizes.quick else (10.0, 1.0)
    ask = full.ask("winner", int(rate * (seconds + warm)) + 1, run.next_seed())
    for worker in wall:
        worker.tell(wire.Drain(seconds + warm + 2))
    try:
        figures = run.order(wire.Load(full.server.port, ask, full.pids(), cpu.SERVER_CORE, 64, seconds, warm, rate))
    finally:
        drained = [worker.hear(wire.Drained) for worker in wall]
    frames, left = sum(d.frames for d in drained), sum(d.screens for d in drained)
    text = (
        f"{figures.p99_ms:.1f} ms (p50 {figures.p50_ms:.1f}, most {figures.max_ms:.1f}); "
        f"{frames / run.sizes.sockets / (seconds + warm):.1f} frames/s a screen, "
        f"{left:,} of {run.sizes.sockets:,} stayed{disturbed([figures])}"
    )
    complete = left == run.sizes.sockets and frames >= run.sizes.sockets
    if not complete:
        text += "; not met whatever the latency: screens were lost or told nothing"
    raw: dict[str, object] = {"round": plain([figures])[0], "frames": frames, "screens_left": left}
    return Outcome(text, complete and figures.p99_ms <= 25, complete and figures.p99_ms <= 10, raw)


def _memory_a_connection(run: Run) -> Outcome:
    """Growth of the server's resident memory by idle, subscribed screens; a server without a past, 100 players."""
    quiet, count = run.quiet_product(), run.sizes.sockets
    quiet.crown()
    workers = run.screens(quiet.server.port, 100, live=True)[0]  # so that all code is loaded
    time.sleep(1)
    before = cpu.memory_kb(quiet.pids())
    workers += run.screens(quiet.server.port, count, live=True)[0]
    time.sleep(2)
    after = cpu.memory_kb(quiet.pids())
    for process in [*workers, quiet.server]:
        process.stop()
    kb = (after - before) * 1024 / 1e3 / count
    raw: dict[str, object] = {"kb_a_connection": kb, "before_kib": before, "after_kib": after, "sockets": count}
    return Outcome(f"{kb:.1f} KB", kb <= 18, kb <= 13, raw)


def _memory_of_players(run: Run) -> Outcome:
    """Resident memory with all players loaded: the most it was after loading, after a restart, and now."""
    full = run.full
    full.note_memory("now")
    most = max(full.memory_mb.values())
    text = f"{most:.0f} MB (" + ", ".join(f"{mb:.0f} {moment}" for moment, mb in full.memory_mb.items()) + ")"
    peak = cpu.memory_kb(full.pids(), "VmHWM") * 1024 / 1e6
    return Outcome(text, most <= 300, most <= 200, {"mb": dict(full.memory_mb), "peak_mb_since_restart": peak})


def _cost_by_size(run: Run) -> Outcome:
    """Processor time of an update on the big board by that on the small one."""
    big, small = run.full, run.small
    rounds: dict[int, list[wire.Round]] = {small.players: [], big.players: []}
    for turn in range(run.sizes.rounds):
        for one in (small, big):
            rounds[one.players].append(run.closed(one.server.port, one.ask("update"), one.pids()))
        run.say(f"  turn {turn + 1}: " + "; ".join(f"{n:,}: {r[-1].cpu_us:.1f} us" for n, r in rounds.items()))
    small.server.stop()
    few, many = (statistics.median(r.cpu_us for r in these) for these in rounds.values())
    ratio = many / few
    text = f"{ratio:.2f} ({many:.0f} us CPU at {big.players:,}, {few:.0f} us at {small.players:,})"
    text += disturbed([r for these in rounds.values() for r in these])
    raw: dict[str, object] = {"ratio": ratio, "rounds": {str(n): plain(these) for n, these in rounds.items()}}
    return Outcome(text, ratio <= 1.5, ratio <= 1.2, raw)


def _start(run: Run) -> Outcome:
    """A start on the data of a server that was stopped with SIGTERM."""
    times = run.full.start_s
    text = f"{times['ready']:.2f} s (ranks exact after {times['exact']:.2f} s)"
    return Outcome(text, None, None, {"seconds": dict(times)})


def plain(rounds: list[wire.Round]) -> list[dict[str, object]]:
    return [{**msgspec.to_builtins(r), "sample": ""} for r in rounds]


_M = 1_000_000
ROWS = [
    Row(1, "one update over HTTP, direct, embedded, durable", "0.65 of no-op POST", "0.75", _update, players=_M),
    Row(2, "the same with an `Idempotency-Key`", "0.5 of no-op POST", "0.65", _keyed, players=_M),
    Row(3, "updates in batch requests of 1,000", "25,000/s", "35,000/s", _batch, players=_M),
    Row(4, "top 10 read, idle", "1.2 of no-op GET", "1.5", _top, players=_M),
    Row(5, "rank read of random players", "0.8 of no-op GET", "0.95", _standing, players=_M),
    Row(6, "latency at 3,000 updates/s, open loop, p50 / p99", "2 / 20 ms", "0.5 / 5 ms", _latency, players=_M),
    Row(10, "memory of a server, 16-character ids", "300 MB", "200 MB", _memory_of_players, players=_M),
    Row(12, "start until ready", "", "", _start, players=_M),
    Row(
        7,
        "update to the last screen, quiet board",
        "1.25 of bare C + 10 ms",
        "1.15 + 10 ms",
        _fan_out,
        players=_M,
        sockets=10_000,
    ),
    Row(
        8,
        "answer to an update while all screens are being written, p99",
        "25 ms",
        "10 ms",
        _answer_during_fan_out,
        players=_M,
        sockets=10_000,
    ),
    Row(9, "memory a connection", "18 KB", "13 KB", _memory_a_connection, sockets=10_000),
    Row(11, f"cost of an update against {SMALL:,} players", "1.5", "1.2", _cost_by_size, players=10 * _M),
]
