"""A service that runs, and the order in which it stops."""

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

STOP_S = 8.0  # from the order to stop: what a server has not taken by then was not accepted, and is left


@dataclass(slots=True, kw_only=True)
class Service:
    """The parts that this process plays, running.

    `warmed` is set once the rankings of the open seasons are loaded. The tasks in `working` end once what was accepted
    has its outcome; those in `tasks` are cancelled after them. `stop_by` is by the clock of the event loop, and None
    until the service is ordered to stop.
    """

    settings: Settings
    directory: Directory
    ledger: Ledger
    ranking: Ranking
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
    working: list[asyncio.Task[None]] = field(default_factory=list)
    stop_by: float | None = None

    @property
    def ready(self) -> bool:
        return self.warmed.is_set()

    def begin_stop(self) -> None:
        """Bound the time that accepted updates may take from now on."""
        self.stop_by = asyncio.get_running_loop().time() + STOP_S

    async def stop(self) -> None:
        """Tell clients to reconnect, finish what was accepted, then end the rest."""
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
        """Wait until accepted updates have their outcome, or time is up because a server does not answer.

        Nothing was promised for those that are left: their senders have no answer, and the queue delivers them again.
        """
        patience_s = None if self.stop_by is None else max(0.0, self.stop_by - asyncio.get_running_loop().time())
        done, left = await asyncio.wait(self.working, timeout=patience_s)
        if left:
            enqueued = 0 if self.queue_publisher is None else self.queue_publisher.pending
            log.warning("stopped_without_an_answer", updates=self.commit.pending + enqueued)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.gather(*done)
