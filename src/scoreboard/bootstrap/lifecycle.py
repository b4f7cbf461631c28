"""A running service, and the order in which it stops."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from scoreboard.adapters.jose.tokens import JwtAuthenticator, JwtIssuer
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.directory import Directory
from scoreboard.application.ports.ledger import Ledger
from scoreboard.application.ports.ranking import Ranking
from scoreboard.application.standings.reads import Reads
from scoreboard.application.tenants.administration import Tenants
from scoreboard.application.updates.commit import GroupCommit
from scoreboard.application.updates.queue_publisher import QueuePublisher
from scoreboard.application.updates.submit import Submit
from scoreboard.bootstrap.settings import Settings
from scoreboard.entrypoints.http.server import Server
from scoreboard.entrypoints.sockets.connections import LiveConnections

log = structlog.get_logger(__name__)

STOP_S = 8.0  # from the signal to stop; updates that a server has not taken in that time were not accepted


@dataclass(slots=True, kw_only=True)
class Service:
    """A running service with the parts of this process.

    `read_ranking` falls back to the totals. `warmed` is set once the rankings of the open seasons are loaded. The tasks
    in `draining` end once all accepted updates have their outcome. Those in `tasks` are cancelled after them.
    `stop_by` is a time of the event loop's clock, or None until the service has to stop.
    """

    settings: Settings
    directory: Directory
    ledger: Ledger
    ranking: Ranking
    read_ranking: Ranking
    issuer: JwtIssuer
    authenticators: Sequence[JwtAuthenticator]
    submit: Submit
    commit: GroupCommit
    queue_publisher: QueuePublisher | None
    reads: Reads
    tenants: Tenants
    publisher: Publisher
    live: LiveConnections
    server: Server
    warmed: asyncio.Event
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    draining: list[asyncio.Task[None]] = field(default_factory=list)
    stop_by: float | None = None

    @property
    def ready(self) -> bool:
        return self.warmed.is_set()

    def begin_stop(self) -> None:
        """Limit the time that accepted updates may take from now on."""
        self.stop_by = asyncio.get_running_loop().time() + STOP_S

    async def stop(self) -> None:
        """Ask live clients to reconnect, finish accepted updates, then cancel all tasks."""
        await self.live.close()
        if self.queue_publisher is not None:
            self.queue_publisher.close()
        self.commit.close()
        await self._finish_accepted()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.publisher.close()

    async def _finish_accepted(self) -> None:
        """Wait until accepted updates have their outcome, or until `stop_by`.

        The remaining updates are safe to drop: their senders have no answer, and the queue redelivers messages.
        """
        timeout_s = None if self.stop_by is None else max(0.0, self.stop_by - asyncio.get_running_loop().time())
        done, unfinished = await asyncio.wait(self.draining, timeout=timeout_s)
        if unfinished:
            enqueued = 0 if self.queue_publisher is None else self.queue_publisher.pending
            log.warning("stopped_with_unanswered_updates", updates=self.commit.pending + enqueued)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await asyncio.gather(*done)
