"""The backends that the settings name, opened by their plugins. Each pushes its own close on the stack."""

from contextlib import AsyncExitStack

from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, QueueBackend, RankingBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.bootstrap import data_dir, registry
from scoreboard.bootstrap.settings import Settings


async def open_database(options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> DatabaseBackend:
    """Raises NotUsable when it is unreachable or has no schema."""
    return await registry.database_opener(options.database_url).open(options, clock, stack)


async def open_ranking(
    options: BackendOptions, database: DatabaseBackend, clock: Clock, stack: AsyncExitStack
) -> RankingBackend:
    return await registry.ranking_opener(options.ranking_url).open(options, database, clock, stack)


async def open_queue(options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> QueueBackend | None:
    if not options.queue_url:
        return None
    return await registry.queue_opener(options.queue_url).open(options, clock, stack)


async def migrate(settings: Settings) -> list[str]:
    """Bring the database to the newest schema; return the names of the migrations applied.

    Raises NotUsable when it is unreachable, and SettingsError. No other server's driver or URL is needed.
    """
    options = registry.options_of(settings)
    registry.check_schemes(options)
    plugin = registry.database_opener(options.database_url)
    if options.database_url:
        registry.check_url("database_url", options.database_url)
        return await plugin.migrate(options)
    with data_dir.locked(settings.data), data_dir.usable(settings.data):
        return await plugin.migrate(options)
