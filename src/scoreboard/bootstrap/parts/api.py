"""The api part: updates, reads and administration over HTTP, without tasks."""

from scoreboard.application.records.history import History
from scoreboard.application.updates.dead_letters import DeadLetters
from scoreboard.bootstrap.container import Container
from scoreboard.entrypoints.contracts.v1.routes.boards import BoardRoutes
from scoreboard.entrypoints.contracts.v1.routes.dead_letters import DeadLetterRoutes
from scoreboard.entrypoints.contracts.v1.routes.history import HistoryRoutes
from scoreboard.entrypoints.contracts.v1.routes.scores import ScoreRoutes
from scoreboard.entrypoints.contracts.v1.routes.tenants import TenantRoutes
from scoreboard.entrypoints.http.endpoint import Endpoint, routes


def board_routes(shared: Container) -> list[Endpoint]:
    """Return the routes that are called most: updates, then reads of boards."""
    writes = shared.write_path
    return routes(ScoreRoutes(writes.submit, writes.outcomes), BoardRoutes(shared.read_path.reads))


def administration_routes(shared: Container) -> list[Endpoint]:
    """Return the routes of apps and their content, ledgers and dead letters."""
    writes = shared.write_path
    history = History(shared.directory, shared.ledger, shared.ranking, writes.commit, shared.rebuild, shared.clock)
    return routes(
        TenantRoutes(shared.tenants),
        HistoryRoutes(history, shared.rebuild),
        DeadLetterRoutes(DeadLetters(shared.queue, writes.codec, shared.ledger)),
    )
