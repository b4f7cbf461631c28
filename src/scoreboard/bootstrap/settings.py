"""Settings from the environment (`SCOREBOARD_PORT=9000`) and the command line.

Options take precedence. `CATALOGUE` describes every setting. Help texts, `config show` and the reference in the docs
are generated from it.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

PREFIX = "SCOREBOARD_"
TESTS = f"{PREFIX}TEST_"  # variables of the test suite, which are not settings

_ORIGIN = re.compile(r"https?://[a-z0-9.\-_\[\]:]+")  # as browsers send it: lower case, without a path
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


class SettingsError(ValueError):
    """Error that names a setting and the reason why its value is invalid."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the service; bounds are inclusive."""

    data: Annotated[Path, Meta(description="Folder for the database and the signing key; created if absent.")] = Path(
        "data"
    )
    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL database of all processes. Default: SQLite in the data folder, for one process.",
            examples=["postgresql://scoreboard:secret@db.example/scoreboard"],
            extra={"secret": True},
        ),
    ] = ""
    database_connections: Annotated[
        int,
        Meta(
            ge=2,
            le=200,
            description="Maximum number of PostgreSQL connections per process.",
            extra={"unit": "connections"},
        ),
    ] = 8
    database_replica_url: Annotated[
        str,
        Meta(
            description="PostgreSQL replica for long reads (ledger, whole tables, lists of players). Default: none.",
            examples=["postgresql://scoreboard:secret@replica.example/scoreboard"],
            extra={"secret": True},
        ),
    ] = ""
    ranking_url: Annotated[
        str,
        Meta(
            description="Redis or Valkey for the rankings, feed and rate limits of all processes. Default: in memory.",
            examples=[
                "redis://cache.example:6379/0",
                "redis+sentinel://a:26379,b:26379/main",
                "redis+cluster://a:6379",
            ],
            extra={"secret": True},
        ),
    ] = ""
    ranking_keep: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000,
            description="Number of best standings per table to keep in Redis; 0 keeps all. 10000 suits most boards.",
            examples=["10000"],
            extra={"unit": "standings"},
        ),
    ] = 0
    queue_url: Annotated[
        str,
        Meta(
            description="RabbitMQ for updates of queued boards. Default: none; updates are applied directly.",
            examples=["amqp://scoreboard:secret@queue.example/"],
            extra={"secret": True},
        ),
    ] = ""
    queue_fallback: Annotated[
        Literal["direct", "refuse"],
        Meta(description="Handling of queued updates while the queue is down: apply directly, or refuse with 503."),
    ] = "direct"
    queue_keys: Annotated[
        str,
        Meta(
            description="Keys for queue messages, separated by commas: the first one signs, all of them verify."
            " Default: derived from the signing key.",
            extra={"secret": True},
        ),
    ] = ""
    signing_key: Annotated[
        str,
        Meta(
            description="Key that signs tokens, the same in every process. Default: a file in the data folder.",
            extra={"secret": True},
        ),
    ] = ""
    host: Annotated[
        str, Meta(description="Address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for all networks.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port to listen on; 0 selects a free port.")] = 8_000
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Lowest level of log messages to write.")
    ] = "info"
    origins: Annotated[
        str,
        Meta(
            description="Other origins whose pages may read and watch boards, separated by commas; * allows all.",
            examples=["https://shop.example,https://www.example.com:8443"],
        ),
    ] = ""
    player_updates_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Updates per minute that one player's token may send.",
            extra={"unit": "updates per minute"},
        ),
    ] = 120
    server_updates_per_second: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000_000,
            description="Updates per second that one server's token may send.",
            extra={"unit": "updates per second"},
        ),
    ] = 100_000
    pending_updates: Annotated[
        int,
        Meta(
            ge=1_000,
            le=1_000_000,
            description="Updates that may wait for their batch before new ones are refused with 503.",
            extra={"unit": "updates"},
        ),
    ] = 20_000
    batch_interval_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000,
            description="Minimum time between two transactions of a process: 0 responds fastest, more reduces load.",
            extra={"unit": "milliseconds"},
        ),
    ] = 0
    live_connections: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Maximum number of open live connections.", extra={"unit": "connections"}),
    ] = 15_000
    http_connections: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Maximum number of other open connections; 0 derives it from the limit on open files.",
            extra={"unit": "connections"},
        ),
    ] = 0
    receipt_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3_650,
            description="How long idempotency keys and the outcomes of refused updates are kept.",
            extra={"unit": "days"},
        ),
    ] = 30

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        return tuple(origin.strip() for origin in self.origins.split(",") if origin.strip())


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of commands that call a remote server."""

    url: Annotated[
        str, Meta(description="URL of a remote server that commands call.", examples=["https://scores.example.com"])
    ] = ""
    token: Annotated[str, Meta(description="Admin token for the remote server.", extra={"secret": True})] = ""


Kind: TypeAlias = Literal["path", "text", "number", "choice"]
Reader: TypeAlias = Literal["service", "commands"]

_KINDS: dict[type, Kind] = {Path: "path", str: "text", int: "number"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `low` and `high` are the bounds of a number, in `unit` if any."""

    name: str
    kind: Kind
    default: Path | str | int
    meaning: str
    reader: Reader
    unit: str = ""
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()
    example: str = ""
    secret: bool = False

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def range(self) -> str:
        """Return the allowed values as text; empty if any text is allowed."""
        if self.kind == "number":
            return f"{self.low} to {self.high}"
        return ", ".join(self.choices)

    def parse(self, raw: object) -> Path | str | int:
        """Parse and check a value. Raises SettingsError without the setting's name."""
        text = str(raw)
        match self.kind:
            case "number" if not _WHOLE.fullmatch(text) or not self.low <= int(text) <= self.high:
                raise SettingsError(f"{text!r} is not a whole number from {self.range}")
            case "number":
                return int(text)
            case "choice" if text not in self.choices:
                raise SettingsError(f"{text!r} is not one of {self.range}")
            case _ if self.default and not text:
                raise SettingsError(f"the value is empty; omit the setting to use {str(self.default)!r}")
            case "path":
                return Path(text).expanduser()
        if self.name == "origins":
            _check_origins(text)
        return text


@dataclass(frozen=True, slots=True)
class Effective:
    """Effective value of a setting. Its source is `default`, a variable or an option."""

    setting: Setting
    value: Path | str | int
    source: str


def effective(environment: Mapping[str, str] = os.environ, **options: object) -> list[Effective]:
    """Return all effective values; None means no option. Raises SettingsError."""
    _check_names(environment)
    return [_effective(setting, environment.get(setting.variable), options.get(setting.name)) for setting in CATALOGUE]


def load(environment: Mapping[str, str] = os.environ, **options: object) -> Settings:
    """Return the effective settings of the service. Raises SettingsError."""
    values = effective(environment, **options)
    return Settings(**{e.setting.name: e.value for e in values if e.setting.reader == "service"})  # type: ignore[arg-type]  # parsed by kind


def _effective(setting: Setting, variable: str | None, option: object) -> Effective:
    text, source = (variable, setting.variable) if option is None else (option, setting.option)
    if text is None:
        return Effective(setting, setting.default, "default")
    try:
        return Effective(setting, setting.parse(text), source)
    except SettingsError as error:
        raise SettingsError(f"{source}: {error}") from None


def _check_names(environment: Mapping[str, str]) -> None:
    known = {setting.variable.removeprefix(PREFIX) for setting in CATALOGUE}
    for variable in environment:
        name = variable.removeprefix(PREFIX)
        if name not in {variable, *known} and not variable.startswith(TESTS):
            near = difflib.get_close_matches(name.upper(), known, 1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "see: scoreboard serve --help"
            raise SettingsError(f"unknown setting {variable}; {hint}")


def _check_origins(text: str) -> None:
    for origin in (part.strip() for part in text.split(",")):
        if origin and origin != "*" and not _ORIGIN.fullmatch(origin):
            raise SettingsError(f"{origin!r} is not an origin; use a form such as https://shop.example")


def _settings_of(kind: type[msgspec.Struct], reader: Reader) -> Iterator[Setting]:
    """Yield the fields of a struct, each Annotated with one Meta."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        value, (meta,) = get_args(hint)[0], hint.__metadata__
        yield Setting(
            name,
            "choice" if get_origin(value) is Literal else _KINDS[value],
            getattr(kind(), name),
            meta.description,
            reader,
            low=meta.ge or 0,
            high=meta.le or 0,
            choices=get_args(value),
            example=(meta.examples or [""])[0],
            **(meta.extra or {}),
        )


CATALOGUE: tuple[Setting, ...] = (*_settings_of(Settings, "service"), *_settings_of(Client, "commands"))
