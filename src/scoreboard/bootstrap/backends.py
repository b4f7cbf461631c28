"""The backends that the settings name: checked, and opened by their plugins."""

from contextlib import AsyncExitStack

from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, QueueBackend, RankingBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.bootstrap import data_dir, registry
from scoreboard.bootstrap.registry import BackendSetting
from scoreboard.bootstrap.settings import Settings, SettingsError
from scoreboard.domain.bounds import MAX_TOP_N

FEWEST_KEPT = 2 * MAX_TOP_N  # a table is filled up when half is left, which must have every live top N


def options_of(settings: Settings, *, events: bool = False, patience: float = 1.0) -> BackendOptions:
    return BackendOptions(
        data=settings.data,
        database_url=settings.database_url,
        database_connections=settings.database_connections,
        database_replica_url=settings.database_replica_url,
        ranking_url=settings.ranking_url,
        ranking_keep=settings.ranking_keep,
        queue_url=settings.queue_url,
        events=events,
        patience=patience,
    )


def server_urls(options: BackendOptions) -> list[tuple[BackendSetting, str]]:
    """Return the URL of each server, the database first; none for the embedded service."""
    urls: list[tuple[BackendSetting, str]] = [
        ("database_url", options.database_url),
        ("ranking_url", options.ranking_url),
        ("database_replica_url", options.database_replica_url),
        ("queue_url", options.queue_url),
    ]
    return [(setting, url) for setting, url in urls if url]


def check_backends(options: BackendOptions) -> None:
    """Raise SettingsError for URLs that are wrong, or that do not make a service together."""
    _check_schemes(options)
    if 0 < options.ranking_keep < FEWEST_KEPT:
        raise SettingsError(f"ranking_keep is 0 for all, or at least {FEWEST_KEPT:,}")
    if options.database_url and not options.ranking_url:
        raise SettingsError("with a database_url give a ranking_url too: processes share the ranking (redis://…)")
    beside = options.ranking_url or options.queue_url or options.database_replica_url
    if beside and not options.database_url:
        raise SettingsError("ranking_url, queue_url and database_replica_url need a database_url (postgresql://…)")
    for setting, url in server_urls(options):
        _check_url(setting, url)


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

    Raises NotUsable when it is unreachable, and SettingsError. No other server's driver is needed.
    """
    options = options_of(settings)
    _check_schemes(options)
    plugin = registry.database_opener(options.database_url)
    if options.database_url:
        _check_url("database_url", options.database_url)
        return await plugin.migrate(options)
    with data_dir.locked(settings.data), data_dir.usable(settings.data):
        return await plugin.migrate(options)


def _check_schemes(options: BackendOptions) -> None:
    for setting, url in server_urls(options):
        registry.check_scheme(setting, url)


def _check_url(setting: BackendSetting, url: str) -> None:
    """Raise SettingsError for a URL that its plugin refuses, or whose driver is not installed."""
    plugin = registry.server_plugin(setting, url)
    try:
        plugin.check_url(url)
    except ValueError as error:
        raise SettingsError(f"{setting}: {error}") from None
