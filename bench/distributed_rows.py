"""The rows of PostgreSQL, Redis and RabbitMQ."""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

import msgspec

from bench import cpu, wire
from bench.distributed import Distributed
from bench.process import BenchError, Server
from bench.rows import MILLION, Outcome, Row, at_least, at_most, backend_cpu, batches, compared, disturbed, listed
from bench.run import Run, checked, plain

LAG_RATE = 1_000.0  # updates/s
_SETTLED_S = 2.0  # without another entry, a backlog is applied


def _update(run: Run) -> Outcome:
    """Measure the processor time of an update in all processes, in a closed loop."""
    comparison = run.compare("update", run.distributed_noop, run.distributed)
    outcome = compared(comparison)
    own_us = comparison.median(lambda r: r.cpu_us)[1]
    total_us = own_us + sum(backend_cpu(comparison.product).values())
    return Outcome(f"{total_us:.0f} us CPU in all; {outcome.text}", (total_us,), {"total_us": total_us, **outcome.raw})


def _standing(run: Run) -> Outcome:
    """Measure reads of the standing of a random player in a closed loop."""
    outcome = compared(run.compare("standing", run.distributed_noop, run.distributed))
    return Outcome(outcome.text, (), outcome.raw)


def _top(run: Run) -> Outcome:
    """Measure top reads against those of the embedded product in a closed loop."""
    return compared(run.compare("top", run.full.server, run.distributed, name="embedded"))


def _batch(run: Run) -> Outcome:
    """Measure batch requests with every process on all cores."""
    with run.distributed.on_all_cores(run.distributed.server):
        return batches(run, run.distributed, requests_per_s=40)


def _two(run: Run) -> Outcome:
    """Measure one `api`, then two with half as many connections each."""
    deployment = run.distributed
    second = deployment.role("api")
    loads = [run.load, run.worker("bench.load")]
    sides: dict[int, list[list[wire.Round]]] = {1: [], 2: []}
    with deployment.on_all_cores(deployment.server, second):
        for turn in range(run.sizes.rounds):
            for count, rounds in sides.items():
                connections = run.sizes.connections // count
                servers = [deployment.server, second][:count]
                for load, server in zip(loads, servers, strict=False):
                    load.send(run.closed_order(server, deployment.requests("update"), connections, 30_000))
                rounds.append([checked(load.receive(wire.Round)) for load in loads[:count]])
            rates = "; ".join(f"{count}: {sum(r.rate for r in rounds[-1]):,.0f}/s" for count, rounds in sides.items())
            run.log(f"  turn {turn + 1}: {rates}")
    second.stop()
    rate = {count: statistics.median(sum(r.rate for r in these) for these in sides[count]) for count in sides}
    own = {count: statistics.median(r.cpu_us for these in sides[count] for r in these) for count in sides}
    text = (
        f"{rate[2] / rate[1]:.2f} ({rate[2]:,.0f}/s by two, {rate[1]:,.0f}/s by one; own {own[2]:.1f} and"
        f" {own[1]:.1f} us CPU an update; all processes on {len(cpu.CORES)} cores)"
    )
    return Outcome(text, (), {"rates": {str(n): r for n, r in rate.items()}, "cpu_us": own})


def _queued(run: Run) -> Outcome:
    """Measure a closed loop into the queue, then one worker on the backlog."""
    deployment = run.distributed
    api = deployment.role("api", deployment.queued)
    since = time.time_ns() // 1_000
    _queue_one(run, api)  # the first one declares the queues
    rounds = [
        run.closed(api, deployment.requests("queued"), backends=deployment.backends) for _ in range(run.sizes.rounds)
    ]
    api.stop()
    accepted = statistics.median(r.rate for r in rounds)
    us, servers = statistics.median(r.cpu_us for r in rounds), backend_cpu(rounds)
    run.log(f"  accepted {accepted:,.0f}/s")
    worker = deployment.role("worker", deployment.queued)
    entries, applied, cost = _applied(deployment, worker, since)
    worker.stop()
    fewest = 1 + sum(r.requests for r in rounds)
    if entries < fewest:
        raise BenchError(f"{entries} of at least {fewest} accepted updates were applied")
    text = (
        f"accepted {accepted:,.0f}/s (own {us:.1f} us, {listed(servers)}); applied {applied:,.0f}/s"
        f" ({listed(cost)}), a backlog of {entries:,}{disturbed(rounds)}"
    )
    raw: dict[str, object] = {"accepted_per_s": accepted, "applied_per_s": applied, "cpu_us": us, "backend_us": servers}
    return Outcome(text, (), {**raw, "applied_us": cost, "backlog": entries, "rounds": plain(rounds)})


def _applied(deployment: Distributed, worker: Server, since: int) -> tuple[int, float, dict[str, float]]:
    """Return the entries that a worker wrote, their rate, and their cost in us."""
    first = {"worker": worker.pid, **deployment.backends}
    samples = [(time.monotonic(), deployment.entries_since(since), cpu.families_ns(first))]
    while samples[-1][0] - _last_growth(samples) < _SETTLED_S:
        time.sleep(0.1)
        samples.append((time.monotonic(), deployment.entries_since(since), cpu.families_ns(first)))
    ended = _last_growth(samples)
    (began, before, used), entries = samples[0], samples[-1][1]
    used_at_end = next(ns for at, _, ns in samples if at == ended)
    done = entries - before
    if not done:
        raise BenchError("the worker applied nothing")
    cost = {name: ns / 1e3 / done for name, ns in cpu.since(used, used_at_end).items()}
    return entries, done / (ended - began), cost


def _last_growth(samples: list[tuple[float, int, cpu.Used]]) -> float:
    return next(at for at, entries, _ in samples if entries == samples[-1][1])


def _lag(run: Run) -> Outcome:
    """Measure queued updates that change the board, in an open loop."""
    deployment = run.distributed
    deployment.place_winners()
    with ExitStack() as roles:
        api, live, _ = (_role(deployment, roles, name) for name in ("api", "live", "worker"))
        watcher = run.worker("bench.lag")
        for seconds in (1.0, run.sizes.seconds * 2):  # the first opens connections and fills caches
            order = wire.Lag(api.port, live.port, deployment.token, LAG_RATE, seconds, run.next_seed())
            watcher.send(order)
            lags = watcher.receive(wire.Lags)
            if lags.problem:
                raise BenchError(lags.problem)
        watcher.stop()
    text = (
        f"{lags.p50_ms:.1f} / {lags.p99_ms:.1f} ms, max {lags.max_ms:.1f} (answers {lags.answer_p50_ms:.1f} / "
        f"{lags.answer_p99_ms:.1f} ms; {lags.updates:,} updates seen in {lags.frames:,} frames)"
    )
    return Outcome(text, (), msgspec.to_builtins(lags))


def _recovery(run: Run) -> Outcome:
    """Measure recovery from an empty Redis, a killed Redis, and a killed worker."""
    deployment = run.distributed
    emptied, reads = _until_ranked(deployment, deployment.empty_redis)

    def restart() -> None:
        deployment.redis.kill()
        with cpu.pinned(cpu.LOAD_CORE):
            deployment.redis.start()

    restarted, _ = _until_ranked(deployment, restart)
    run.log(f"  Redis emptied: {emptied:.1f} s; restarted: {restarted:.1f} s")
    worker = _worker_restart(run)
    states = ", ".join(f"{state} {len(times):,}" for state, times in reads.items())
    slowest = max(max(times) for times in reads.values()) * 1e3 if reads else 0.0
    text = (
        f"Redis emptied {emptied:.1f} s, killed and started {restarted:.1f} s; ranks read during recovery: "
        f"{states or 'none'} (slowest {slowest:.0f} ms); worker killed: {worker:.2f} s from its start to the outcome"
    )
    raw: dict[str, object] = {"emptied_s": emptied, "restarted_s": restarted, "worker_s": worker, "states": states}
    return Outcome(text, (), raw)


def _until_ranked(deployment: Distributed, fail: Callable[[], None]) -> tuple[float, dict[str, list[float]]]:
    """Return the seconds until Redis has all ranks, and the times of reads by state."""
    reads: dict[str, list[float]] = {}
    fail()
    return deployment.until_ranked(lambda took, state: reads.setdefault(str(state), []).append(took)), reads


def _worker_restart(run: Run) -> float:
    """Return the seconds from the start of a worker to its first update.

    The worker before it was killed, and the update waited in the queue.
    """
    deployment = run.distributed
    with ExitStack() as roles:
        api = _role(deployment, roles, "api")
        _role(deployment, roles, "worker").child.kill()
        since = time.time_ns() // 1_000
        _queue_one(run, api)
        began = time.monotonic()
        _role(deployment, roles, "worker")
        while not deployment.entries_since(since):
            if time.monotonic() - began > deployment.patience:
                raise BenchError("the update in the queue was not applied")
            time.sleep(0.01)
        return time.monotonic() - began


def _queue_one(run: Run, api: Server) -> None:
    deployment = run.distributed
    request = msgspec.structs.replace(deployment.requests("queued"), seed=run.next_seed()).build()[0]
    body = wire.json_body(request)
    status, _ = wire.call(api.port, "POST", wire.SCORES, deployment.token, body, prefer="respond-async")
    if status != 202:
        raise BenchError(f"a queued update was answered with {status}")


def _role(deployment: Distributed, roles: ExitStack, name: str) -> Server:
    role = deployment.role(name, deployment.queued)
    roles.callback(role.stop)
    return role


ROWS = [
    Row(13, "one update on PostgreSQL + Redis", _update, at_most(170, 213, " us CPU in all"), players=MILLION),
    Row(
        14,
        "batch requests of 1,000 on PostgreSQL + Redis, all cores",
        _batch,
        at_least(16_000, 13_000, "/s"),
        players=MILLION,
    ),
    Row(15, "rank of random players through Redis", _standing, players=MILLION),
    Row(20, "top 10 through Redis", _top, at_least(0.65, 0.51, " of the embedded top"), players=MILLION),
    Row(16, "queued: accepted by one `api`, applied by one `worker`", _queued, players=MILLION),
    Row(17, "queued at 1,000 updates/s: answer to board, p50 / p99", _lag, players=MILLION),
    Row(18, "two `api` against one, all cores", _two, players=MILLION),
    Row(19, "recovery: ranks from Redis again; a worker", _recovery, players=MILLION),
]
