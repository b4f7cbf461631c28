"""Settings: from the environment (`SCOREBOARD_PORT=9000`), or given by the command line, which wins."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PREFIX = "SCOREBOARD_"
ELSEWHERE = frozenset({"URL", "TOKEN"})  # read by the command line as a client of a running server


class SettingsError(ValueError):
    """One plain line: which setting, and what is wrong with it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`data` is the folder of the embedded store. Rates are updates; sizes and counts are limits, not promises."""

    data: Path = Path("data")
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8_000
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    origins: str = ""  # of other sites' pages, separated by commas; * is everybody
    player_updates_per_minute: Annotated[int, Meta(ge=1, le=1_000_000)] = 120
    server_updates_per_second: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    pending_updates: Annotated[int, Meta(ge=1_000, le=1_000_000)] = 20_000
    live_connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 15_000
    http_connections: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Open connections besides; 0 is what the system's limit on open files has room for.",
            extra={"unit": "connections"},
        ),
    ] = 0

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        return tuple(origin.strip() for origin in self.origins.split(",") if origin.strip())


def load(environment: Mapping[str, str] = os.environ, **given: object) -> Settings:
    """The settings in force; what is given as None was not given. Raises SettingsError."""
    known = Settings.__struct_fields__
    values: dict[str, object] = {}
    for variable, text in environment.items():
        if (
            variable.startswith(PREFIX)
            and (short := variable.removeprefix(PREFIX)) not in ELSEWHERE
            and not short.startswith("TEST_")
        ):
            name = short.lower()
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
                raise SettingsError(f"there is no setting {variable}{hint}")
            values[name] = text
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        raise SettingsError(f"{_named(place)}: {reason[0].lower()}{reason[1:]}") from error


def _named(place: str) -> str:
    name = place.strip("`$.")
    return f"setting {name} ({PREFIX}{name.upper()})"


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path) and str(value):
        return Path(value).expanduser()
    raise ValueError("a path is needed")
