"""Periods of background work and time-outs of servers, which tests replace."""

from dataclasses import dataclass

from scoreboard.application.updates.commit import DEFAULT_RETRIES, CommitRetries
from scoreboard.application.upkeep import drift
from scoreboard.application.upkeep.event_delivery import DeliveryLimits
from scoreboard.entrypoints.http.timeouts import HttpTimeouts
from scoreboard.entrypoints.sockets.connections import LiveLimits


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds between two runs of each job, and the waits inside them.

    `patience` is the factor for every time-out of a server. `seasons_s` is the period in which pages of the current
    season look for a new one. `feed_s` is the period in which they look for changes that the feed lost. `live` holds
    the limits and periods of live connections, whose number comes from the settings.
    """

    patience: float = 1.0
    commit_retries: CommitRetries = DEFAULT_RETRIES
    probe_s: float = 5.0
    seasons_s: float = 1.0
    feed_s: float = 1.0
    repair_s: float = 5.0
    retention_s: float = 3_600.0
    trim_s: float = 60.0
    drift_s: float = 60.0
    drift_recheck_s: float = drift.RECHECK_AFTER_S
    events: DeliveryLimits = DeliveryLimits()
    http: HttpTimeouts = HttpTimeouts()
    live: LiveLimits = LiveLimits()
