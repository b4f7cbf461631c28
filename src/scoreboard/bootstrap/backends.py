"""Checks of the backends that the settings name, and their opening."""

from contextlib import AsyncExitStack

from scoreboard.application.ports.backend import BackendOptions, DatabaseBackend, QueueBackend, RankingBackend
from scoreboard.application.ports.clock import Clock
from scoreboard.bootstrap import data_dir, registry
from scoreboard.bootstrap.registry import BackendSetting
from scoreboard.bootstrap.settings import Settings, SettingsError
from scoreboard.domain.bounds import MAX_TOP_N

MIN_RANKING_KEEP = 2 * MAX_TOP_N  # a table is refilled at half of it, which must still hold every live top N


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
    """Return the URLs of the servers, database first; empty when embedded."""
    urls: list[tuple[BackendSetting, str]] = [
        ("database_url", options.database_url),
        ("ranking_url", options.ranking_url),
        ("database_replica_url", options.database_replica_url),
        ("queue_url", options.queue_url),
    ]
    return [(setting, url) for setting, url in urls if url]


def check_backends(options: BackendOptions) -> None:
    """Raise SettingsError for invalid URLs, or for an incomplete combination."""
    _check_schemes(options)
    if 0 < options.ranking_keep < MIN_RANKING_KEEP:
        raise SettingsError(f"ranking_keep must be 0 (keep all) or at least {MIN_RANKING_KEEP:,}")
    if options.database_url and not options.ranking_url:
        raise SettingsError("database_url also needs a ranking_url (redis://…): all processes share one ranking")
    shared = options.ranking_url or options.queue_url or options.database_replica_url
    if shared and not options.database_url:
        raise SettingsError("ranking_url, queue_url and database_replica_url need a database_url (postgresql://…)")
    for setting, url in server_urls(options):
        _check_url(setting, url)


async def open_database(options: BackendOptions, clock: Clock, stack: AsyncExitStack) -> DatabaseBackend:
    """Open the database. Raises NotUsable if unreachable or without a schema."""
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
    """Migrate the database to the newest schema; return the applied migrations.

    Needs no driver of another server. Raises SettingsError, and NotUsable when the database is unreachable.
    """
    options = options_of(settings)
    _check_schemes(options)
    plugin = registry.database_opener(options.database_url)
    if options.database_url:
        _check_url("database_url", options.database_url)
        return await plugin.migrate(options)
    with data_dir.lock(settings.data), data_dir.translate_errors(settings.data):
        return await plugin.migrate(options)


def _check_schemes(options: BackendOptions) -> None:
    for setting, url in server_urls(options):
        registry.check_scheme(setting, url)


def _check_url(setting: BackendSetting, url: str) -> None:
    """Raise SettingsError for an invalid URL or a missing driver."""
    plugin = registry.server_plugin(setting, url)
    try:
        plugin.check_url(url)
    except ValueError as error:
        raise SettingsError(f"{setting}: {error}") from None
