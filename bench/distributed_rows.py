"""The rows of PostgreSQL, Redis and RabbitMQ. Processor time of those servers stands beside our own."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from bench import cpu, wire
from bench.distributed import Distributed
from bench.process import BenchError, Server
from bench.rows import Outcome, Row, against_limit, disturbed, plain
from bench.run import Run

POSTGRES_US, REDIS_US = 45, 35  # an update may cost them at most
TOP_AT_LEAST, TOP_AIM = 0.51, 0.65  # of the embedded top; it was 0.17 when each read made a call of its own
LAG_RATE = 1_000.0  # updates/s
_SETTLED_S = 2.0  # without another entry, a backlog is applied


def _beside(rounds: list[wire.Round], updates: int = 1) -> dict[str, float]:
    """Median processor time of each server an update, in us."""
    return {name: statistics.median(r.beside_us[name] for r in rounds) / updates for name in rounds[0].beside_us}


def _words(beside: dict[str, float]) -> str:
    return ", ".join(f"{name} {us:.1f} us" for name, us in beside.items())


def _update(run: Run) -> Outcome:
    """Closed loop; the servers share the load's core."""
    stand = run.distributed
    duel = run.duel("update", sides=(run.distributed_noop, stand), on=" beside PostgreSQL and Redis")
    outcome = against_limit(duel, 0.5, 0.6)
    beside = _beside(duel.product)
    cheap = beside["PostgreSQL"] <= POSTGRES_US and beside["Redis"] <= REDIS_US
    outcome.text += f"; {_words(beside)}"
    outcome.met = bool(outcome.met) and cheap
    outcome.aim_met = bool(outcome.aim_met) and cheap
    outcome.raw["beside_us"] = beside
    return outcome


def _standing(run: Run) -> Outcome:
    """Closed loop: rank, ties, percentile and gap of a random player."""
    duel = run.duel("standing", sides=(run.distributed_noop, run.distributed), on=" beside PostgreSQL and Redis")
    outcome = against_limit(duel, 0, 0)
    outcome.met = outcome.aim_met = None
    outcome.text += f"; {_words(_beside(duel.product))}"
    return outcome


def _top(run: Run) -> Outcome:
    """Closed loop: the same read from the embedded product is the limit. Redis shares the load's core."""
    sides, backends = (run.full.server, run.distributed), " beside PostgreSQL and Redis"
    duel = run.duel("top", sides=sides, against="embedded", on=backends)
    outcome = against_limit(duel, TOP_AT_LEAST, TOP_AIM)
    beside = _beside(duel.product)
    outcome.text += f"; {_words(beside)}"
    outcome.raw["beside_us"] = beside
    return outcome


def _batch(run: Run) -> Outcome:
    """Batch requests of 1,000, four at a time; everything on all cores."""
    stand = run.distributed
    with _spread(stand, stand.server):
        pool = int(40 * (run.sizes.seconds + run.sizes.warm))
        rounds = [
            run.closed(stand.server.port, stand.ask("batch"), stand.pids(), 4, pool, stand.beside)
            for _ in range(run.sizes.rounds)
        ]
    rate = statistics.median(r.rate for r in rounds) * wire.BATCH
    us = statistics.median(r.cpu_us for r in rounds) / wire.BATCH
    beside = _beside(rounds, wire.BATCH)
    raw: dict[str, object] = {"updates_per_s": rate, "cpu_us": us, "beside_us": beside, "rounds": plain(rounds)}
    return Outcome(f"{rate:,.0f}/s; own {us:.1f} us, {_words(beside)} an update", rate >= 16_000, rate >= 20_000, raw)


def _two(run: Run) -> Outcome:
    """Closed loop over as many connections in all, by one `api` and then by two; everything on all cores."""
    stand = run.distributed
    second = stand.role("api")
    loads = [run.load, run.worker("bench.load")]
    sides: dict[int, list[list[wire.Round]]] = {1: [], 2: []}
    with _spread(stand, stand.server, second):
        for turn in range(run.sizes.rounds):
            for count, rounds in sides.items():
                servers = [stand.server, second][:count]
                for load, server in zip(loads, servers, strict=False):
                    load.tell(_half(run, stand, server, run.sizes.connections // count))
                rounds.append([load.hear(wire.Round) for load in loads[:count]])
            said = "; ".join(f"{count}: {sum(r.rate for r in rounds[-1]):,.0f}/s" for count, rounds in sides.items())
            run.say(f"  turn {turn + 1}: {said}")
    second.stop()
    for one in (r for rounds in sides.values() for these in rounds for r in these):
        if one.errors:
            raise BenchError(f"{one.errors} answers were no success, such as: {one.sample}")
    rates = {count: statistics.median(sum(r.rate for r in these) for these in sides[count]) for count in sides}
    own = {count: statistics.median(r.cpu_us for these in sides[count] for r in these) for count in sides}
    text = (
        f"{rates[2] / rates[1]:.2f} ({rates[2]:,.0f}/s by two, {rates[1]:,.0f}/s by one; own {own[2]:.1f} and"
        f" {own[1]:.1f} us CPU an update; all processes on {len(cpu.CORES)} cores)"
    )
    return Outcome(text, None, None, {"rates": {str(n): r for n, r in rates.items()}, "cpu_us": own})


def _half(run: Run, stand: Distributed, server: Server, connections: int) -> wire.Load:
    sizes = run.sizes
    ask = msgspec.structs.replace(stand.ask("update"), count=30_000, seed=run.next_seed())
    return wire.Load(server.port, ask, server.family(), cpu.SERVER_CORE, connections, sizes.seconds, sizes.warm)


def _queued(run: Run) -> Outcome:
    """Closed loop into the queue with no worker; then one worker applies what is there."""
    stand = run.distributed
    api = stand.role("api", stand.queued)
    since = time.time_ns() // 1_000
    _queue_one(run, api)  # the first makes the queues
    rounds = [
        run.closed(api.port, stand.ask("queued"), api.family(), beside=stand.beside) for _ in range(run.sizes.rounds)
    ]
    api.stop()
    accepted = statistics.median(r.rate for r in rounds)
    us, beside = statistics.median(r.cpu_us for r in rounds), _beside(rounds)
    run.say(f"  accepted {accepted:,.0f}/s")
    worker = stand.role("worker", stand.queued)
    entries, applied, cost = _applied(stand, worker, since)
    worker.stop()
    fewest = 1 + sum(r.requests for r in rounds)
    if entries < fewest:
        raise BenchError(f"{entries} of at least {fewest} accepted updates were applied")
    text = (
        f"accepted {accepted:,.0f}/s (own {us:.1f} us, {_words(beside)}); applied {applied:,.0f}/s"
        f" ({_words(cost)}), a backlog of {entries:,}{disturbed(rounds)}"
    )
    raw: dict[str, object] = {"accepted_per_s": accepted, "applied_per_s": applied, "cpu_us": us, "beside_us": beside}
    return Outcome(text, None, None, {**raw, "applied_us": cost, "backlog": entries, "rounds": plain(rounds)})


def _applied(stand: Distributed, worker: Server, since: int) -> tuple[int, float, dict[str, float]]:
    """How many entries a worker made, how many a second, and what each cost, in us by process."""
    first = {"worker": worker.pid, **stand.beside}
    looks = [(time.monotonic(), stand.entries_since(since), cpu.families_ns(first))]
    while looks[-1][0] - _last_growth(looks) < _SETTLED_S:
        time.sleep(0.1)
        looks.append((time.monotonic(), stand.entries_since(since), cpu.families_ns(first)))
    ended = _last_growth(looks)
    (began, before, used), entries = looks[0], looks[-1][1]
    used_at_end = next(ns for at, _, ns in looks if at == ended)
    done = entries - before
    if not done:
        raise BenchError("the worker applied nothing")
    cost = {name: ns / 1e3 / done for name, ns in cpu.since(used, used_at_end).items()}
    return entries, done / (ended - began), cost


def _last_growth(looks: list[tuple[float, int, cpu.Used]]) -> float:
    return next(at for at, entries, _ in looks if entries == looks[-1][1])


def _lag(run: Run) -> Outcome:
    """Open loop: one `api`, one `worker`, one `live`; ten players far ahead, whose every update changes the board."""
    stand = run.distributed
    stand.crown()
    with ExitStack() as roles:
        api, live, _ = (_role(stand, roles, name) for name in ("api", "live", "worker"))
        watcher = run.worker("bench.lag")
        for seconds in (1.0, run.sizes.seconds * 2):  # the first makes connections and caches
            order = wire.Lag(api.port, live.port, stand.token, LAG_RATE, seconds, run.next_seed())
            watcher.tell(order)
            lags = watcher.hear(wire.Lags)
            if lags.problem:
                raise BenchError(lags.problem)
        watcher.stop()
    text = (
        f"{lags.p50_ms:.1f} / {lags.p99_ms:.1f} ms, most {lags.max_ms:.1f} (answers {lags.answer_p50_ms:.1f} / "
        f"{lags.answer_p99_ms:.1f} ms; {lags.updates:,} updates seen in {lags.frames:,} frames)"
    )
    return Outcome(text, None, None, msgspec.to_builtins(lags))


def _recovery(run: Run) -> Outcome:
    """Redis emptied, and killed and started again; a worker killed and started again, with an update in the queue."""
    stand = run.distributed
    emptied, looked = _until_ranked(stand, stand.empty_redis)

    def restart() -> None:
        stand.redis.kill()
        with cpu.pinned(cpu.LOAD_CORE):
            stand.redis.start()

    restarted, _ = _until_ranked(stand, restart)
    run.say(f"  Redis emptied: {emptied:.1f} s; restarted: {restarted:.1f} s")
    worker = _worker_restart(run)
    states = ", ".join(f"{state} {len(times):,}" for state, times in looked.items())
    slowest = max(max(times) for times in looked.values()) * 1e3 if looked else 0.0
    text = (
        f"Redis emptied {emptied:.1f} s, killed and started {restarted:.1f} s; ranks read meanwhile: {states or 'none'}"
        f" (slowest {slowest:.0f} ms); worker killed: {worker:.2f} s from its start to the outcome"
    )
    raw: dict[str, object] = {"emptied_s": emptied, "restarted_s": restarted, "worker_s": worker, "states": states}
    return Outcome(text, None, None, raw)


def _until_ranked(stand: Distributed, fail: Callable[[], None]) -> tuple[float, dict[str, list[float]]]:
    looked: dict[str, list[float]] = {}
    fail()
    return stand.until_ranked(lambda took, state: looked.setdefault(str(state), []).append(took)), looked


def _worker_restart(run: Run) -> float:
    """Seconds from the start of a worker, after one was killed, until what waited in the queue is applied."""
    stand = run.distributed
    with ExitStack() as roles:
        api = _role(stand, roles, "api")
        _role(stand, roles, "worker").child.kill()
        since = time.time_ns() // 1_000
        _queue_one(run, api)
        began = time.monotonic()
        _role(stand, roles, "worker")
        while not stand.entries_since(since):
            if time.monotonic() - began > stand.patience:
                raise BenchError("the update in the queue was never applied")
            time.sleep(0.01)
        return time.monotonic() - began


def _queue_one(run: Run, api: Server) -> None:
    stand = run.distributed
    request = msgspec.structs.replace(stand.ask("queued"), seed=run.next_seed()).build()[0]
    body = wire.json_body(request)
    status, _ = wire.call(api.port, "POST", wire.SCORES, stand.token, body, prefer="respond-async")
    if status != 202:
        raise BenchError(f"a queued update was answered with {status}")


def _role(stand: Distributed, roles: ExitStack, name: str) -> Server:
    role = stand.role(name, stand.queued)
    roles.callback(role.stop)
    return role


@contextmanager
def _spread(stand: Distributed, *roles: Server) -> Iterator[None]:
    stand.spread(*roles)
    try:
        yield
    finally:
        stand.apart(*roles)


_M = 1_000_000
ROWS = [
    Row(
        13,
        "one update on PostgreSQL + Redis, direct",
        f"0.5 of no-op POST; PostgreSQL {POSTGRES_US} us, Redis {REDIS_US} us",
        "0.6",
        _update,
        players=_M,
    ),
    Row(14, "batch requests on PostgreSQL + Redis, all cores", "16,000/s", "20,000/s", _batch, players=_M),
    Row(15, "rank read through Redis, of no-op GET", "", "", _standing, players=_M),
    Row(
        20,
        "top 10 read through Redis, idle",
        f"{TOP_AT_LEAST} of the embedded top",
        f"{TOP_AIM}",
        _top,
        players=_M,
    ),
    Row(16, "queued: accepted by one `api`, applied by one `worker`", "", "", _queued, players=_M),
    Row(17, "queued at 1,000 updates/s: answer to board, p50 / p99", "", "", _lag, players=_M),
    Row(18, "two `api` against one, direct, all cores", "", "", _two, players=_M),
    Row(19, "recovery: ranks from Redis again; a worker", "", "", _recovery, players=_M),
]
