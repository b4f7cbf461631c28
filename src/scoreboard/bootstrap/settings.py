"""Settings: from the environment (`SCOREBOARD_PORT=9000`), or given by the command line, which wins.

`CATALOGUE` describes every one; help texts, `config show` and the reference in the docs are made from it.
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
TESTS = f"{PREFIX}TEST_"  # variables of the test suite, which are no settings

_ORIGIN = re.compile(r"https?://[a-z0-9.\-_\[\]:]+")  # as browsers send it: small letters, no path
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")


class SettingsError(ValueError):
    """One plain line: which setting, and what is wrong with it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the service is run with. Each field says what it does; its bounds are inclusive."""

    data: Annotated[Path, Meta(description="Folder of the database and the signing key, made when absent.")] = Path(
        "data"
    )
    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL to keep everything in; empty is SQLite in the data folder, in one process.",
            examples=["postgresql://scoreboard:secret@db.example/scoreboard"],
            extra={"secret": True},
        ),
    ] = ""
    database_connections: Annotated[
        int,
        Meta(
            ge=2,
            le=200,
            description="Connections to PostgreSQL that one process may have.",
            extra={"unit": "connections"},
        ),
    ] = 8
    database_replica_url: Annotated[
        str,
        Meta(
            description="Replica of it for long reads: the ledger, whole tables, lists of players; empty is none.",
            examples=["postgresql://scoreboard:secret@replica.example/scoreboard"],
            extra={"secret": True},
        ),
    ] = ""
    ranking_url: Annotated[
        str,
        Meta(
            description="Redis or Valkey for ranking, feed and limits of all processes; empty is in process.",
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
            description="Standings of each table to keep in Redis, the best; 0 keeps all. 10000 is a good number.",
            examples=["10000"],
            extra={"unit": "standings"},
        ),
    ] = 0
    queue_url: Annotated[
        str,
        Meta(
            description="RabbitMQ for updates of queued boards; empty applies them at once.",
            examples=["amqp://scoreboard:secret@queue.example/"],
            extra={"secret": True},
        ),
    ] = ""
    queue_fallback: Annotated[
        Literal["direct", "refuse"],
        Meta(description="What becomes of queued updates while the queue is away: applied at once, or refused (503)."),
    ] = "direct"
    queue_keys: Annotated[
        str,
        Meta(
            description="Keys that sign messages in the queue, separated by commas: the first signs, all are known."
            " Empty takes one from the signing key.",
            extra={"secret": True},
        ),
    ] = ""
    signing_key: Annotated[
        str,
        Meta(
            description="What tokens are signed with, in every process the same; empty is a file in the data folder.",
            extra={"secret": True},
        ),
    ] = ""
    host: Annotated[
        str, Meta(description="Address to listen on: 127.0.0.1 is this machine only, 0.0.0.0 every network.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")] = 8_000
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is worth a line of the log.")
    ] = "info"
    origins: Annotated[
        str,
        Meta(
            description="Origins of other sites whose pages may read and watch, separated by commas; * for all.",
            examples=["https://shop.example,https://www.example.com:8443"],
        ),
    ] = ""
    player_updates_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Updates a player's token may send in a minute.",
            extra={"unit": "updates a minute"},
        ),
    ] = 120
    server_updates_per_second: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000_000,
            description="Updates a server's token may send in a second.",
            extra={"unit": "updates a second"},
        ),
    ] = 100_000
    pending_updates: Annotated[
        int,
        Meta(
            ge=1_000,
            le=1_000_000,
            description="Updates that may wait for a commit before more are refused with 503.",
            extra={"unit": "updates"},
        ),
    ] = 20_000
    batch_interval_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000,
            description="Least time between two transactions of one process: 0 answers soonest, more costs less.",
            extra={"unit": "milliseconds"},
        ),
    ] = 0
    live_connections: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Open live connections, of all clients.", extra={"unit": "connections"}),
    ] = 15_000
    http_connections: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="Open connections besides; 0 is what the system's limit on open files has room for.",
            extra={"unit": "connections"},
        ),
    ] = 0
    receipt_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3_650,
            description="How long an idempotency key is remembered, and the outcome of a refused update.",
            extra={"unit": "days"},
        ),
    ] = 30

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        return tuple(origin.strip() for origin in self.origins.split(",") if origin.strip())


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """What commands reach a server elsewhere with."""

    url: Annotated[
        str, Meta(description="Address of a server elsewhere, for commands.", examples=["https://scores.example.com"])
    ] = ""
    token: Annotated[str, Meta(description="Admin token for that server.", extra={"secret": True})] = ""


Kind: TypeAlias = Literal["path", "text", "number", "choice"]
Reader: TypeAlias = Literal["service", "commands"]

_KINDS: dict[type, Kind] = {Path: "path", str: "text", int: "number"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as people meet it. `low` and `high` are the bounds of a number, in `unit` where it has one;
    `choices` are those of a choice. `reader` is who reads it: the service, or commands that speak to one elsewhere."""

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
        """What it may be, in words; empty when it may be anything."""
        if self.kind == "number":
            return f"{self.low} to {self.high}"
        return ", ".join(self.choices)

    def read(self, given: object) -> Path | str | int:
        """The value that is meant. Raises SettingsError, which does not name the setting."""
        text = str(given)
        match self.kind:
            case "number" if not _WHOLE.fullmatch(text) or not self.low <= int(text) <= self.high:
                raise SettingsError(f"{text!r} is not a whole number from {self.range}")
            case "number":
                return int(text)
            case "choice" if text not in self.choices:
                raise SettingsError(f"{text!r} is not one of {self.range}")
            case _ if self.default and not text:
                raise SettingsError(f"{text!r} is empty; leave it out for {str(self.default)!r}")
            case "path":
                return Path(text).expanduser()
        if self.name == "origins":
            _check_origins(text)
        return text


@dataclass(frozen=True, slots=True)
class Effective:
    """The value in force, and what set it: `default`, or the name of the variable or the option."""

    setting: Setting
    value: Path | str | int
    source: str


def effective(environment: Mapping[str, str] = os.environ, **given: object) -> list[Effective]:
    """Every setting as it is in force; what is given as None was not given. Raises SettingsError."""
    _check_names(environment)
    return [_effective(setting, environment.get(setting.variable), given.get(setting.name)) for setting in CATALOGUE]


def load(environment: Mapping[str, str] = os.environ, **given: object) -> Settings:
    """The settings of the service in force; what is given as None was not given. Raises SettingsError."""
    found = effective(environment, **given)
    return Settings(**{one.setting.name: one.value for one in found if one.setting.reader == "service"})  # type: ignore[arg-type]  # read by kind


def _effective(setting: Setting, variable: str | None, option: object) -> Effective:
    text, source = (variable, setting.variable) if option is None else (option, setting.option)
    if text is None:
        return Effective(setting, setting.default, "default")
    try:
        return Effective(setting, setting.read(text), source)
    except SettingsError as error:
        raise SettingsError(f"{source}: {error}") from None


def _check_names(environment: Mapping[str, str]) -> None:
    known = {setting.variable.removeprefix(PREFIX) for setting in CATALOGUE}
    for variable in environment:
        name = variable.removeprefix(PREFIX)
        if name not in {variable, *known} and not variable.startswith(TESTS):
            near = difflib.get_close_matches(name.upper(), known, 1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "see: scoreboard serve --help"
            raise SettingsError(f"there is no setting {variable}; {hint}")


def _check_origins(text: str) -> None:
    for origin in (part.strip() for part in text.split(",")):
        if origin and origin != "*" and not _ORIGIN.fullmatch(origin):
            raise SettingsError(f"{origin!r} is not an origin; one looks like https://shop.example")


def _described(kind: type[msgspec.Struct], reader: Reader) -> Iterator[Setting]:
    """The fields of a struct; each is Annotated with one Meta."""
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


CATALOGUE: tuple[Setting, ...] = (*_described(Settings, "service"), *_described(Client, "commands"))
