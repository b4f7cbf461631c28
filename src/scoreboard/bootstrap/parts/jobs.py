"""The jobs part: upkeep that one process at a time does, while others stand by."""

from collections.abc import Iterator
from functools import partial

from scoreboard.application.ports.backend import Task
from scoreboard.application.upkeep.drift import Drift
from scoreboard.application.upkeep.repair import Repair
from scoreboard.application.upkeep.retention import Retention
from scoreboard.application.upkeep.trim import Trim
from scoreboard.bootstrap.container import Container
from scoreboard.bootstrap.metrics import gauge, of_events
from scoreboard.concurrency.every import every


def tasks(shared: Container) -> Iterator[Task]:
    """Yield each job by its name: it begins when the rankings are loaded and this process has the leader lock."""
    for name, job in _jobs(shared).items():
        yield partial(_in_turn, shared, name, job)
    for name, job in shared.events.jobs().items():  # they wait for no ranking
        yield partial(shared.turns.run_as_leader, name, job)
    if shared.events.delivered:
        of_events(shared.metrics, shared.events)


async def _in_turn(shared: Container, name: str, job: Task) -> None:
    await shared.warmed.wait()
    await shared.turns.run_as_leader(name, job)


def _jobs(shared: Container) -> dict[str, Task]:
    timings = shared.timings
    directory, ledger, ranking, clock = shared.directory, shared.ledger, shared.ranking, shared.clock
    repair = Repair(directory, ledger, ranking, shared.read_path.publisher)
    text = "Standings that are durable and not ranked yet, as repair last saw."
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
