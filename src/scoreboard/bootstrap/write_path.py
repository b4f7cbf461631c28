"""WritePath: updates from request to commit, directly or through the queue."""

import asyncio

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.queue import Queue
from scoreboard.application.ports.ranking import Ranking
from scoreboard.application.ports.rate_limiter import RateLimiter
from scoreboard.application.standings.reads import Reads
from scoreboard.application.updates.batching import BatchLimits
from scoreboard.application.updates.checks.rate_limit import UpdateRateLimit
from scoreboard.application.updates.commit import CommitRetries, GroupCommit
from scoreboard.application.updates.message_codec import MessageCodec
from scoreboard.application.updates.outcomes import Outcomes
from scoreboard.application.updates.queue_publisher import QueuePublisher
from scoreboard.application.updates.submit import QueueRoute, Submit
from scoreboard.bootstrap import keys
from scoreboard.bootstrap.settings import Settings


class WritePath:
    """Updates from request to commit; `publisher` is None without a queue."""

    def __init__(
        self,
        *,
        settings: Settings,
        key: bytes,
        clock: Clock,
        directory: Directory,
        ledger: Ledger,
        ranking: Ranking,
        limits: RateLimiter,
        queue: Queue | None,
        reads: Reads,
        publisher: Publisher,
        commit_idle: asyncio.Event,
        commit_retries: CommitRetries,
    ) -> None:
        batch_limits = BatchLimits(settings.pending_updates, interval_s=settings.batch_interval_ms / 1_000)
        self.commit = GroupCommit(ledger, ranking, publisher, clock, batch_limits, commit_idle, commit_retries)
        self.codec = MessageCodec(keys.read_queue_keys(settings, key))
        self.publisher: QueuePublisher | None = None
        event_key = b""
        route = None
        if queue is not None:
            self.publisher = QueuePublisher(queue, self.codec, batch_limits)
            event_key = keys.derive_event_key(key)
            route = QueueRoute(self.publisher, event_key, settings.queue_fallback == "direct")
        rate_limit = UpdateRateLimit(limits, settings.player_updates_per_minute, settings.server_updates_per_second)
        self.submit = Submit(directory, ledger, rate_limit, self.commit, reads, route)
        self.outcomes = Outcomes(directory, ledger, event_key)
