"""Timings: the periods of background work. Tests inject shorter or longer ones."""

from dataclasses import dataclass, field

from scoreboard.application.updates.commit import DEFAULT_RETRIES, CommitRetries
from scoreboard.application.upkeep import drift
from scoreboard.entrypoints.http.timeouts import HttpTimeouts


@dataclass(frozen=True, slots=True)
class Timings:
    """The seconds between two runs of each job, and the waits inside them.

    `patience` is the factor for every time-out of a server.
    """

    patience: float = 1.0
    commit_retries: CommitRetries = DEFAULT_RETRIES
    drift_s: float = 60.0
    drift_recheck_s: float = drift.RECHECK_AFTER_S
    http: HttpTimeouts = field(default_factory=HttpTimeouts)
