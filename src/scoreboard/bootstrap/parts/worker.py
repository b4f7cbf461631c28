"""The worker part: commits the updates that wait in the queue."""

from collections.abc import Iterator

from scoreboard.application.ports.backend import Task
from scoreboard.application.updates.queue_consumer import QueueConsumer
from scoreboard.bootstrap.container import Container


def tasks(shared: Container) -> Iterator[Task]:
    """Yield the queue's consumer, where there is a queue."""
    if shared.queue is not None:
        yield QueueConsumer(shared.queue, shared.directory, shared.write_path.codec, shared.write_path.commit).run
