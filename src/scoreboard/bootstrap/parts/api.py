"""The api part: updates, reads and administration over HTTP. It runs no task of its own."""

from scoreboard.application.records.history import History
from scoreboard.application.updates.dead_letters import DeadLetters
from scoreboard.bootstrap.container import Container
from scoreboard.entrypoints.contracts.v1.boards import Boards
from scoreboard.entrypoints.contracts.v1.dead_letters import DeadLetters as DeadLetterRoutes
from scoreboard.entrypoints.contracts.v1.history import History as HistoryRoutes
from scoreboard.entrypoints.contracts.v1.scores import Scores
from scoreboard.entrypoints.contracts.v1.tenants import Tenants as TenantRoutes
from scoreboard.entrypoints.http.router import Endpoint


def board_routes(shared: Container) -> list[Endpoint]:
    """Return the routes that are called most: updates, then reads of boards."""
    writes = shared.write_path
    return [
        *Scores(writes.submit, writes.outcomes).routes(),
        *Boards(shared.read_path.reads, shared.directory).routes(),
    ]


def administration_routes(shared: Container) -> list[Endpoint]:
    """Return the routes of apps and what is in them, of ledgers, and of dead letters."""
    writes = shared.write_path
    history = History(shared.ledger, shared.ranking, writes.commit, shared.rebuild, shared.clock)
    dead_letters = None if shared.queue is None else DeadLetters(shared.queue, writes.codec, shared.ledger)
    return [
        *TenantRoutes(shared.tenants, shared.directory).routes(),
        *HistoryRoutes(history, shared.rebuild, shared.directory).routes(),
        *DeadLetterRoutes(dead_letters).routes(),
    ]
