"""The jobs part: upkeep by one process at a time, while others stand by."""

from collections.abc import Iterator
from functools import partial

from scoreboard.application.ports.backend import Task
from scoreboard.application.upkeep.drift import Drift
from scoreboard.application.upkeep.repair import Repair
from scoreboard.application.upkeep.retention import Retention
from scoreboard.application.upkeep.trim import Trim
from scoreboard.bootstrap.container import Container
from scoreboard.bootstrap.metrics import gauge, register_events
from scoreboard.concurrency.every import every


def tasks(shared: Container) -> Iterator[Task]:
    """Yield each job, run under its leader lock once the rankings are loaded."""
    for name, job in _jobs(shared).items():
        yield partial(_run_when_warm, shared, name, job)
    for name, job in shared.events.jobs().items():  # event delivery needs no ranking
        yield partial(shared.leader_lock.run_as_leader, name, job)
    if shared.events.delivered:
        register_events(shared.metrics, shared.events)


async def _run_when_warm(shared: Container, name: str, job: Task) -> None:
    await shared.warmed.wait()
    await shared.leader_lock.run_as_leader(name, job)


def _jobs(shared: Container) -> dict[str, Task]:
    timings = shared.timings
    directory, ledger, ranking, clock = shared.directory, shared.ledger, shared.ranking, shared.clock
    repair = Repair(directory, ledger, ranking, shared.read_path.publisher)
    text = "Durable standings not yet ranked, as of the last repair run."
    gauge(shared.metrics, "scoreboard_unranked_standings", text, lambda: repair.unranked)
    retention = Retention(ledger, clock, shared.settings.receipt_days)
    jobs: dict[str, Task] = {
        **shared.database.jobs,
        "repair": partial(every, timings.repair_s, repair.catch_up, "repair"),
        "retention": partial(every, timings.retention_s, retention.once, "retention"),
    }
    cache = shared.ranking_backend.cache
    if cache is None:
        return jobs
    jobs["trim"] = partial(every, timings.trim_s, Trim(directory, cache, clock).once, "trim")
    replica = shared.database.replica
    totals = shared.database.totals if replica is None else replica.totals
    if totals is not None:
        drift = Drift(directory, ledger, totals, ranking, cache, shared.rebuild, clock, timings.drift_recheck_s)
        text = "Rankings found to differ from the totals."
        gauge(shared.metrics, "scoreboard_drifted_tables", text, lambda: drift.drifted_tables)
        jobs["drift"] = partial(every, timings.drift_s, drift.once, "drift")
    return jobs
