"""Registry: which plugin opens a URL, by the setting that the URL is given in and by its scheme.

A plugin is named by text and imported when it is first used, so that a service needs the drivers of its own servers and
no others. Another distribution adds a plugin by an entry point: the group is `scoreboard.backends.` and the setting
(such as `scoreboard.backends.queue_url`), the name is the scheme (`sqs`), the object is the plugin's class.
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
    """`plugin` is the class, as "module:name"; `extra` is what to install for its driver."""

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
    """Return the plugin that checks and diagnoses the server of a URL, which is not empty."""
    return cast("ServerPlugin", plugin(setting, url))


def check_scheme(setting: BackendSetting, url: str) -> None:
    """Raise SettingsError for a URL that no plugin opens."""
    _find(setting, url)


def plugin(setting: BackendSetting, url: str) -> Any:
    """Import the plugin of a URL. Raises SettingsError when its driver is not installed."""
    row = _find(setting, url)
    try:
        return resolve_name(row.plugin)()
    except ImportError as error:
        install = f"; pip install 'scoreboard[{row.extra}]'" if row.extra else ""
        raise SettingsError(f"{setting}: {error.name} is not installed{install}") from error


def _find(setting: BackendSetting, url: str) -> Row:
    """Return the row of a URL's scheme. Raises SettingsError, which names the schemes there are and not the URL."""
    known = {scheme: row for row in BUILT_IN[setting] for scheme in row.schemes}
    scheme, separator, _ = url.partition("://")
    if bool(scheme) == bool(separator):
        if scheme in known:
            return known[scheme]
        for added in _added(setting):
            if added.name == scheme:
                return Row((scheme,), f"{added.module}:{added.attr}")
    schemes = [*filter(None, known), *(added.name for added in _added(setting))]
    raise SettingsError(f"{setting} begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")


def _added(setting: BackendSetting) -> list[EntryPoint]:
    return sorted(entry_points(group=f"{GROUP}.{setting}"))
