"""Periods of background work and time-outs of servers, which tests replace."""

from dataclasses import dataclass

from scoreboard.application.updates.commit import DEFAULT_RETRIES, CommitRetries
from scoreboard.application.upkeep import drift
from scoreboard.entrypoints.sockets.connections import LiveLimits


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds between two runs of each job, and the waits inside them.

    `patience` is the factor for every time-out of a server. `live` holds the limits and periods of live connections,
    whose number comes from the settings.
    """

    patience: float = 1.0
    commit_retries: CommitRetries = DEFAULT_RETRIES
    drift_s: float = 60.0
    drift_recheck_s: float = drift.RECHECK_AFTER_S
    live: LiveLimits = LiveLimits()  # noqa: RUF009 - frozen
