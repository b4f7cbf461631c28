"""Time-outs and limits of the Redis adapter."""

from dataclasses import dataclass

from scoreboard.application.ports.timeouts import Timeouts


@dataclass(frozen=True, slots=True)
class RedisTimeouts(Timeouts):
    """Time-outs of calls to Redis."""

    connect_s: float = 0.5
    call_s: float = 2.0
    connection_s: float = 1.0  # for a free connection
    sentinel_s: float = 0.5  # for the answer of one Sentinel
    rate_limit_s: float = 0.25  # a rate limit is not worth a longer wait
    build_s: float = 0.1  # a caller waits so long for a table that is being built
    empty_s: float = 1.0  # an empty table is not looked up in the ledger again for so long


@dataclass(frozen=True, slots=True)
class RankingLimits:
    """Periods and sizes of the ranking."""

    lease_s: float = 15.0  # a builder that wrote nothing for so long counts as dead
    poll_s: float = 0.1  # between two looks at a table that another process builds
    empty_tables: int = 10_000  # remembered
    fresh_ms: int = 1_000  # an older count of a capped table is used and refreshed
    usable_ms: int = 10_000  # a read waits for the refresh of an older count
    count_pauses: float = 20  # the pause between two counts, as a multiple of the duration of one


TIMEOUTS = RedisTimeouts()
LIMITS = RankingLimits()
