"""`scoreboard serve` and `scoreboard migrate`: the service itself, and its store."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scoreboard.bootstrap import serve as role
from scoreboard.bootstrap import service, settings
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
    host: Annotated[str | None, _option("host")] = None
    port: Annotated[str | None, _option("port")] = None
    log_level: Annotated[str | None, _option("log_level")] = None
    origins: Annotated[str | None, _option("origins")] = None
    player_updates_per_minute: Annotated[str | None, _option("player_updates_per_minute")] = None
    server_updates_per_second: Annotated[str | None, _option("server_updates_per_second")] = None
    pending_updates: Annotated[str | None, _option("pending_updates")] = None
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


def migrate(*, data: Data = None, json: Json = False) -> None:
    """Bring the store of a data folder up to this version; `serve` does so at its start, too."""
    applied = service.migrate(settings.load(data=data))
    if json:
        show.document({"applied": applied})
        return
    for name in applied:
        print(name)
    if not applied:
        show.note("The store is up to date.")
