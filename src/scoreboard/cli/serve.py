"""Commands with settings: `serve`, the roles, `migrate` and `config show`."""

import re
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from scoreboard.bootstrap import backends, mounting, settings
from scoreboard.bootstrap import serve as service
from scoreboard.cli import output
from scoreboard.cli.parameters import NO_OPTIONS, Flag, Json, annotate, examples, options_type
from scoreboard.cli.target import run
from scoreboard.domain.redaction import HIDDEN, redact_url

Data = Annotated[Path | None, Parameter(help="Data folder, created if absent (or SCOREBOARD_DATA).")]
ROLES: dict[mounting.Part, str] = {
    "api": "Run only the HTTP API. Any number of processes can share PostgreSQL and Redis.",
    "live": "Run only the live page and live boards, in any number of processes.",
    "worker": "Run only a worker that applies queued updates. Any number can run at once.",
    "jobs": "Run the background jobs: repair, retention, drift check, partitions. One process is active at a time.",
}
SHARED_SETTINGS = """

Roles share PostgreSQL, Redis and, if used, RabbitMQ. Set in the environment:
  SCOREBOARD_DATABASE_URL, SCOREBOARD_RANKING_URL, SCOREBOARD_QUEUE_URL and SCOREBOARD_SIGNING_KEY."""
_PASSWORD = re.compile(r"(?<=://)[^/@]*@")


def _option(setting: settings.Setting) -> Any:
    """Return the option of a setting. `settings` reads and checks its text."""
    default = f"default {setting.default}" if setting.default else ""
    details = "; ".join(filter(None, (setting.range, default, setting.variable)))
    return Annotated[str | None, Parameter(help=f"{setting.meaning} [{details}]", metavar=setting.kind.upper())]


OPTIONS = {setting.name: _option(setting) for setting in settings.CATALOGUE if setting.reader == "service"}
SETTING_OPTIONS = options_type(OPTIONS, group="Settings")


def serve(
    *,
    demo: Annotated[Flag, Parameter(help="Create a demo app with simulated players.")] = False,
    options: Any = NO_OPTIONS,
) -> None:
    """Run the service until Ctrl-C or SIGTERM."""
    run(service.serve(settings.load(**options), demo=demo))


def role(part: mounting.Part) -> App:
    """Return the command that runs one role."""

    def run_role(*, options: Any = NO_OPTIONS) -> None:
        run(service.serve(settings.load(**options), parts=frozenset({part})))

    epilogue = examples(f"{part} --host 0.0.0.0 --port 8000") + SHARED_SETTINGS
    command = App(name=part, help=ROLES[part], help_epilogue=epilogue)
    command.default(annotate(run_role, options=SETTING_OPTIONS))
    return command


def migrate(*, data: Data = None, database_url: Any = None, json: Json = False) -> None:
    """Update the database schema to this version.

    PostgreSQL can be migrated while the old version is running. `serve` migrates SQLite when it starts.
    """
    applied = run(backends.migrate(settings.load(data=data, database_url=database_url)))
    if json:
        output.json({"applied": applied})
    elif applied:
        print("\n".join(applied))
    else:
        output.note("The database is up to date.")


def show_settings(*, json: Json = False, options: Any = NO_OPTIONS) -> None:
    """Show every setting and its source: the default, a variable or an option.

    The options are those of `serve`. Secrets are hidden.
    """
    rows = [_describe(one) for one in settings.effective(**options)]
    output.table(("setting", "value", "source"), rows, as_json=json)


def _describe(effective: settings.Effective) -> dict[str, Any]:
    setting, value, default = effective.setting, effective.value, effective.setting.default
    shown = value if isinstance(value, int) else str(value) or None
    if isinstance(shown, str) and setting.secret:
        shown = redact_url(shown) if setting.name.endswith("_url") else HIDDEN
    elif isinstance(shown, str):
        shown = _PASSWORD.sub(f"{HIDDEN}@", shown)
    return {
        "setting": setting.name,
        "value": shown,
        "source": effective.source,
        "default": default if isinstance(default, int) else str(default) or None,
        "variable": setting.variable,
        "range": setting.range or None,
        "unit": setting.unit or None,
        "meaning": setting.meaning,
    }


annotate(serve, options=SETTING_OPTIONS)
annotate(migrate, database_url=OPTIONS["database_url"])
annotate(show_settings, options=SETTING_OPTIONS)
config = App(name="config", help="Inspect the current settings.", help_epilogue=examples("config show --json"))
config.command(
    show_settings,
    name="show",
    help_epilogue=examples(
        "config show",
        "config show --port 9000            what `serve` would use",
        "config show --json | jq '.[] | select(.source != \"default\")'",
    ),
)
