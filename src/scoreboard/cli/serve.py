"""`scoreboard serve`, the roles, and `scoreboard migrate`."""

from dataclasses import asdict, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from scoreboard.bootstrap import backends, mounting, settings
from scoreboard.bootstrap import serve as service
from scoreboard.cli import output
from scoreboard.cli.parameters import Flag, Json, annotate, examples
from scoreboard.cli.target import run

Data = Annotated[Path | None, Parameter(help="Data folder, created if absent (or SCOREBOARD_DATA).")]
ROLES: dict[mounting.Part, str] = {
    "api": "Run only the HTTP API. Any number of processes can share PostgreSQL and Redis.",
    "live": "Run only the live page and live boards, in any number of processes.",
    "worker": "Run only a worker that applies queued updates. Any number can run.",
    "jobs": "Run the background jobs: repair, retention, drift check, partitions. One process at a time is active.",
}
SHARED_SETTINGS = """

Roles share PostgreSQL, Redis and, if there is one, RabbitMQ. Set in the environment:
  SCOREBOARD_DATABASE_URL, SCOREBOARD_RANKING_URL, SCOREBOARD_QUEUE_URL and SCOREBOARD_SIGNING_KEY."""


def _option(setting: settings.Setting) -> Any:
    """Return the option of a setting. Its value stays text, which `settings` reads and checks."""
    default = f"default {setting.default}" if setting.default else ""
    details = "; ".join(filter(None, (setting.range, default, setting.variable)))
    return Annotated[str | None, Parameter(help=f"{setting.meaning} [{details}]", metavar=setting.kind.upper())]


OPTIONS = {setting.name: _option(setting) for setting in settings.CATALOGUE if setting.reader == "service"}
if TYPE_CHECKING:
    SettingOptions = Any
else:
    SettingOptions = Parameter(name="*", group="Settings")(
        make_dataclass(
            "SettingOptions",
            [(name, option, None) for name, option in OPTIONS.items()],
            frozen=True,
            namespace={"__module__": __name__},
        )
    )


def given_settings(options: SettingOptions | None) -> dict[str, Any]:
    """Return the settings that were given as options, None for the others."""
    return {} if options is None else asdict(options)


def serve(*, demo: Flag = False, options: SettingOptions | None = None) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    Parameters
    ----------
    demo
        Create a demo app with a board that moves.
    """
    run(service.serve(settings.load(**given_settings(options)), demo=demo))


def role(part: mounting.Part) -> App:
    """Return the command that runs one role."""
    command = App(
        name=part,
        help=ROLES[part],
        help_epilogue=examples(f"{part} --host 0.0.0.0 --port 8000") + SHARED_SETTINGS,
    )

    @command.default
    def run_role(*, options: SettingOptions | None = None) -> None:
        run(service.serve(settings.load(**given_settings(options)), parts=frozenset({part})))

    return command


def migrate(*, data: Data = None, database_url: Any = None, json: Json = False) -> None:
    """Update the database schema to this version.

    PostgreSQL is migrated while the old version still serves. `serve` migrates SQLite at its start.
    """
    applied = run(backends.migrate(settings.load(data=data, database_url=database_url)))
    if json:
        output.json({"applied": applied})
        return
    for name in applied:
        print(name)
    if not applied:
        output.note("The database is up to date.")


annotate(migrate, database_url=OPTIONS["database_url"])
