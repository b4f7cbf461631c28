"""`scoreboard config show`: the settings in force and their sources."""

import re
from typing import Any

from cyclopts import App

from scoreboard.bootstrap import settings
from scoreboard.cli import output
from scoreboard.cli.parameters import Json, examples
from scoreboard.cli.serve import SettingOptions, given_settings
from scoreboard.domain.redaction import HIDDEN, redact_url

_PASSWORD = re.compile(r"(?<=://)[^/@]*@")

config = App(name="config", help="Inspect the settings in force.", help_epilogue=examples("config show --json"))


@config.command(
    name="show",
    help_epilogue=examples(
        "config show",
        "config show --port 9000            what `serve` would use",
        "config show --json | jq '.[] | select(.source != \"default\")'",
    ),
)
def show_(*, json: Json = False, options: SettingOptions | None = None) -> None:
    """Show every setting and its source: the default, a variable or an option.

    The options are those of `serve`. Secrets are hidden.
    """
    rows = [_describe(one) for one in settings.effective(**given_settings(options))]
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
