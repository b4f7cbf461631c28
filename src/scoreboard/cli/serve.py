"""`scoreboard serve` and `scoreboard migrate`: the service itself, and its store."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scoreboard.bootstrap import backends, mounting, settings
from scoreboard.bootstrap import serve as role
from scoreboard.cli import show
from scoreboard.cli.resources import Flag, Json
from scoreboard.cli.target import run

Data = Annotated[Path | None, Parameter(help="Data folder, made when absent (or SCOREBOARD_DATA).")]


def _option(name: str) -> Parameter:
    """The option of a setting, told by the catalogue. Its value is read there too, so that errors are told alike."""
    (setting,) = [setting for setting in settings.CATALOGUE if setting.name == name]
    default = f"default {setting.default}" if setting.default else ""
    told = "; ".join(filter(None, (setting.range, default, setting.variable)))
    return Parameter(help=f"{setting.meaning} [{told}]", metavar=setting.kind.upper())


@Parameter(name="*", group="Settings")
@dataclass(frozen=True)
class Given:
    """The settings of the service, as options."""

    data: Annotated[Path | None, _option("data")] = None
    database_url: Annotated[str | None, _option("database_url")] = None
    database_connections: Annotated[str | None, _option("database_connections")] = None
    database_replica_url: Annotated[str | None, _option("database_replica_url")] = None
    ranking_url: Annotated[str | None, _option("ranking_url")] = None
    ranking_keep: Annotated[str | None, _option("ranking_keep")] = None
    queue_url: Annotated[str | None, _option("queue_url")] = None
    queue_fallback: Annotated[str | None, _option("queue_fallback")] = None
    queue_keys: Annotated[str | None, _option("queue_keys")] = None
    signing_key: Annotated[str | None, _option("signing_key")] = None
    host: Annotated[str | None, _option("host")] = None
    port: Annotated[str | None, _option("port")] = None
    log_level: Annotated[str | None, _option("log_level")] = None
    origins: Annotated[str | None, _option("origins")] = None
    player_updates_per_minute: Annotated[str | None, _option("player_updates_per_minute")] = None
    server_updates_per_second: Annotated[str | None, _option("server_updates_per_second")] = None
    pending_updates: Annotated[str | None, _option("pending_updates")] = None
    batch_interval_ms: Annotated[str | None, _option("batch_interval_ms")] = None
    live_connections: Annotated[str | None, _option("live_connections")] = None
    http_connections: Annotated[str | None, _option("http_connections")] = None
    receipt_days: Annotated[str | None, _option("receipt_days")] = None


def serve(*, demo: Flag = False, given: Given | None = None) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    Parameters
    ----------
    demo
        With an app whose board moves by itself, to look at.
    """
    chosen = settings.load(**asdict(given or Given()))
    run(role.serve(chosen, demo=demo))


def api(*, given: Given | None = None) -> None:
    """Run the HTTP API alone; any number of them, on PostgreSQL and Redis."""
    _alone("api", given)


def live(*, given: Given | None = None) -> None:
    """Run the live page and the live boards alone; any number of them."""
    _alone("live", given)


def worker(*, given: Given | None = None) -> None:
    """Apply what is queued; any number of workers."""
    _alone("worker", given)


def jobs(*, given: Given | None = None) -> None:
    """Run what one process at a time does: repair, retention, drift check, partitions; others stand by."""
    _alone("jobs", given)


def _alone(part: mounting.Part, given: Given | None) -> None:
    chosen = settings.load(**asdict(given or Given()))
    run(role.serve(chosen, parts=frozenset({part})))


def migrate(
    *,
    data: Data = None,
    database_url: Annotated[str | None, _option("database_url")] = None,
    json: Json = False,
) -> None:
    """Bring the store up to this version: SQLite's in the data folder, which `serve` does at its start too, or
    PostgreSQL's, while the old version still serves."""
    applied = run(backends.migrate(settings.load(data=data, database_url=database_url)))
    if json:
        show.document({"applied": applied})
        return
    for name in applied:
        print(name)
    if not applied:
        show.note("The store is up to date.")
