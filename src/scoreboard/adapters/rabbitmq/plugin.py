"""The backend for RabbitMQ: the queue that processes share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from scoreboard.adapters.rabbitmq import diagnostics, inspection, queue, reconnecting
from scoreboard.adapters.rabbitmq.timeouts import DEFAULTS
from scoreboard.adapters.rabbitmq.topology import NAME, Topology
from scoreboard.application.ports.backend import BackendOptions, QueueBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.application.ports.diagnostics import Finding


class RabbitPlugin:
    """The plugin for RabbitMQ."""

    name = "rabbitmq"

    def check_url(self, url: str) -> None:
        reconnecting.check_url(url)

    def diagnose(self, options: BackendOptions) -> AsyncIterator[Finding]:
        return diagnostics.diagnose(options)

    def remedy(self, error: BaseException | None, options: BackendOptions) -> str:
        return inspection.remedy(error, options.queue_url, "SCOREBOARD_QUEUE_URL", diagnostics.PERMISSIONS)

    async def open(self, options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> QueueBackend:
        timeouts = DEFAULTS.scaled(options.patience)
        opened = queue.open_queue(options.queue_url, Topology(NAME), clock, timeouts=timeouts)
        return QueueBackend(self.name, await stack.enter_async_context(opened))
