"""WritePath: from a request to change a score to its commit, direct or through the queue."""

from scoreboard.application.live.precedence import Precedence
from scoreboard.application.live.publisher import Publish
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.limits import Limits
from scoreboard.application.ports.queue import Queue
from scoreboard.application.ports.ranking import Ranking
from scoreboard.application.standings.reads import Reads
from scoreboard.application.updates.batching import Bounds
from scoreboard.application.updates.checks.rate_limit import UpdateRates
from scoreboard.application.updates.commit import Accept
from scoreboard.application.updates.message_codec import MessageCodec
from scoreboard.application.updates.queue_publisher import QueuePublisher
from scoreboard.application.updates.rank import Rank
from scoreboard.application.updates.submit import Later, Update
from scoreboard.bootstrap import keys
from scoreboard.bootstrap.settings import Settings


class WritePath:
    """`publisher` is None without a queue; then `event_key`, which signs the event ids of queued updates, is empty."""

    def __init__(
        self,
        *,
        settings: Settings,
        key: bytes,
        clock: Clock,
        directory: Directory,
        ledger: Ledger,
        ranking: Ranking,
        limits: Limits,
        queue: Queue | None,
        reads: Reads,
        publish: Publish,
        precedence: Precedence,
    ) -> None:
        bounds = Bounds(settings.pending_updates, interval_s=settings.batch_interval_ms / 1_000)
        self.rank = Rank(ledger, ranking, publish)
        self.commit = Accept(ledger, self.rank, clock, bounds, precedence)
        self.codec = MessageCodec(keys.read_queue_keys(settings, key))
        self.publisher: QueuePublisher | None = None
        self.event_key = b""
        later = None
        if queue is not None:
            self.publisher = QueuePublisher(queue, self.codec, bounds)
            self.event_key = keys.derive_event_key(key)
            later = Later(self.publisher, self.event_key, settings.queue_away == "direct")
        rates = UpdateRates(settings.player_updates_per_minute, settings.server_updates_per_second)
        self.submit = Update(directory, ledger, limits, rates, self.commit, reads, later)
