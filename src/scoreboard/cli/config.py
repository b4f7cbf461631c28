"""`scoreboard config show`: the settings in force, and where each came from."""

import re
from dataclasses import asdict
from pathlib import Path

from cyclopts import App

from scoreboard.bootstrap import settings
from scoreboard.bootstrap.settings import Effective
from scoreboard.cli import show
from scoreboard.cli.resources import Json
from scoreboard.cli.serve import Given
from scoreboard.domain.redaction import HIDDEN, redact_url

_PASSWORD = re.compile(r"(?<=://)[^/@]*@")  # in an address

config = App(
    name="config", help="Look at the settings in force.", help_epilogue="Example:\n  scoreboard config show --json"
)


@config.command(
    name="show",
    help_epilogue="Examples:\n"
    "  scoreboard config show\n"
    "  scoreboard config show --port 9000            what `serve` would make of that\n"
    "  scoreboard config show --json | jq '.[] | select(.source != \"default\")'",
)
def show_(*, json: Json = False, given: Given | None = None) -> None:
    """Show every setting as it is in force, and what set it: the default, a variable or an option.

    It takes the options of `serve`. Secrets stay hidden.
    """
    found = [told(one) for one in settings.effective(**asdict(given or Given()))]
    show.things(("setting", "value", "source"), found, as_json=json)


def told(one: Effective) -> dict[str, object]:
    """A setting as it may be shown to anybody."""
    setting = one.setting
    return {
        "setting": setting.name,
        "value": _shown(one),
        "source": one.source,
        "default": _plain(setting.default),
        "variable": setting.variable,
        "range": setting.range or None,
        "unit": setting.unit or None,
        "meaning": setting.meaning,
    }


def _shown(one: Effective) -> str | int | None:
    value, setting = _plain(one.value), one.setting
    if setting.secret and value is not None:
        return redact_url(str(value)) if setting.name.endswith("_url") else HIDDEN
    return _PASSWORD.sub(f"{HIDDEN}@", value) if isinstance(value, str) else value


def _plain(value: Path | str | int) -> str | int | None:
    return value if isinstance(value, int) else str(value) or None
