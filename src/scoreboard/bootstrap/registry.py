"""Registry of backend plugins, by setting and URL scheme.

A plugin is imported when it is first used, so a service needs only the drivers of the servers it uses. Another
distribution adds a plugin with an entry point. Its group is `scoreboard.backends.` and the setting, such as
`scoreboard.backends.queue_url`. Its name is the scheme (`sqs`), and its object is the plugin's class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from typing import Any, Literal, TypeAlias, cast

from scoreboard.application.ports.backend import DatabaseOpener, QueueOpener, RankingOpener, ServerPlugin
from scoreboard.bootstrap.settings import SettingsError

BackendSetting: TypeAlias = Literal["database_url", "database_replica_url", "ranking_url", "queue_url"]

GROUP = "scoreboard.backends"
NO_SERVER = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A built-in plugin: its class as "module:name", and the extra with its driver."""

    schemes: tuple[str, ...]
    plugin: str
    extra: str = ""


_POSTGRES = ("postgresql", "postgres")
_REDIS = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")

BUILT_IN: Mapping[BackendSetting, tuple[Row, ...]] = {
    "database_url": (
        Row((NO_SERVER,), "scoreboard.adapters.sqlite.plugin:SqlitePlugin"),
        Row(_POSTGRES, "scoreboard.adapters.postgres.plugin:PostgresPlugin", "postgres"),
    ),
    "database_replica_url": (
        Row(_POSTGRES, "scoreboard.adapters.postgres.plugin:PostgresReplicaPlugin", "postgres"),
    ),
    "ranking_url": (
        Row((NO_SERVER,), "scoreboard.adapters.memory.plugin:MemoryPlugin"),
        Row(_REDIS, "scoreboard.adapters.redis.plugin:RedisPlugin", "redis"),
    ),
    "queue_url": (Row(("amqp", "amqps"), "scoreboard.adapters.rabbitmq.plugin:RabbitPlugin", "rabbitmq"),),
}  # fmt: skip


def database_opener(url: str) -> DatabaseOpener:
    return cast("DatabaseOpener", plugin("database_url", url))


def ranking_opener(url: str) -> RankingOpener:
    return cast("RankingOpener", plugin("ranking_url", url))


def queue_opener(url: str) -> QueueOpener:
    return cast("QueueOpener", plugin("queue_url", url))


def server_plugin(setting: BackendSetting, url: str) -> ServerPlugin:
    """Return the plugin that checks and diagnoses the server of a non-empty URL."""
    return cast("ServerPlugin", plugin(setting, url))


def check_scheme(setting: BackendSetting, url: str) -> None:
    """Raise SettingsError for a URL that no plugin opens."""
    _find(setting, url)


def plugin(setting: BackendSetting, url: str) -> Any:
    """Import the plugin of a URL. Raises SettingsError for a missing driver."""
    row = _find(setting, url)
    try:
        return resolve_name(row.plugin)()
    except ImportError as error:
        install = f"; run: pip install 'scoreboard[{row.extra}]'" if row.extra else ""
        raise SettingsError(f"{setting}: {error.name} is not installed{install}") from error


def _find(setting: BackendSetting, url: str) -> Row:
    """Return the row of a URL's scheme. Raises SettingsError, which hides secrets."""
    built_in = {scheme: row for row in BUILT_IN[setting] for scheme in row.schemes}
    scheme, separator, _ = url.partition("://")
    if bool(scheme) == bool(separator):
        if scheme in built_in:
            return built_in[scheme]
        for added in _entry_points(setting):
            if added.name == scheme:
                return Row((scheme,), f"{added.module}:{added.attr}")
    schemes = [*filter(None, built_in), *(added.name for added in _entry_points(setting))]
    raise SettingsError(f"{setting} must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")


def _entry_points(setting: BackendSetting) -> list[EntryPoint]:
    return sorted(entry_points(group=f"{GROUP}.{setting}"))
