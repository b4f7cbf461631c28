"""Apps, boards, players and actions: their API types and command texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import get_args

import msgspec

from scoreboard.entrypoints.contracts.v1 import schema

SLUG = ": 1 to 50 of a-z, 0-9, '-' and '_'"


@dataclass(frozen=True)
class Resource:
    """One kind of resource.

    `body` creates one, `change` changes one. `noun` stands for one in help texts. `columns` are those of a list.
    `cascades` names what a deletion also deletes. `options` has a help text for each field, `examples` and `remarks`
    have texts for commands.
    """

    name: str
    noun: str
    body: type[msgspec.Struct]
    change: type[msgspec.Struct]
    columns: tuple[str, ...]
    cascades: str
    help: str
    id_rule: str
    options: Mapping[str, str]
    examples: Mapping[str, tuple[str, ...]]
    remarks: Mapping[str, str] = field(default_factory=dict)
    paged: bool = False

    @property
    def plural(self) -> str:
        return f"{self.name}s"

    def path(self, app: str | None) -> tuple[str, ...]:
        """Return the path of the collection; `app` is None for the apps themselves."""
        return (self.plural,) if app is None else ("apps", app, self.plural)

    @property
    def nullable(self) -> frozenset[str]:
        """Return the fields that can be cleared."""
        return frozenset(
            field.name for field in msgspec.structs.fields(self.change) if NoneType in get_args(field.type)
        )


APPS = Resource(
    "app",
    "an app",
    schema.App,
    schema.AppChange,
    columns=("app", "name", "time_zone"),
    cascades="with its boards, actions, players and their history",
    help="Manage apps. Each has its own boards, actions, players and tokens.",
    id_rule=f"{SLUG}; it is part of URLs and cannot be changed",
    options={
        "name": "Display name.",
        "time_zone": "Time zone of its days and seasons, such as Europe/Berlin; default UTC.",
    },
    examples={
        "create": ("demo", "chess --name 'Chess club' --time-zone Europe/Berlin"),
        "update": ("chess --name 'Chess & Go club'",),
    },
)
BOARDS = Resource(
    "board",
    "a board",
    schema.Board,
    schema.BoardChange,
    columns=("board", "name", "operator", "direction", "period", "top_n", "public"),
    cascades="with its standings and history",
    help="Manage boards. Each ranks the players of an app by its own rules.",
    id_rule=SLUG,
    options={
        "operator": "Effect of an update: add to the score (increment, the default), replace it if better (best), or"
        " always replace it (latest).",
        "direction": "Order of scores: highest first (descending, the default) or lowest first (ascending).",
        "ties": "Order of equal scores: first to reach it (earliest, the default), last to reach it (latest), or equal"
        " ranks (shared).",
        "numbering": "Ranks of equal scores: 1 2 3 (ordinal, the default), 1 1 3 (competition) or 1 1 2 (dense).",
        "period": "How often a new season begins; default all_time (never).",
        "time_zone": "Time zone of its seasons; default: that of the app.",
        "regions": "Region with its own table; repeat the option for more regions.",
        "name": "Display name.",
        "top_n": "Number of places shown live, 1 to 1000; default 10.",
        "public": "Readable without a token; default yes.",
        "player_values": "Let players' own tokens send values, not only actions; default no.",
        "consistency": "When to respond to an update: once it is applied, with its rank (direct, the default), or once"
        " it is queued (queued).",
        "priority": "Priority of its queued updates over those of other boards; default normal.",
        "min_value": "Minimum value of one update.",
        "max_value": "Maximum value of one update.",
        "min_total": "Minimum score of a player.",
        "max_total": "Maximum score of a player.",
    },
    examples={
        "create": (
            "main --app demo",
            "laps --app f1 --operator best --direction ascending",
            "week --app f1 --period weekly --region eu --region us",
        ),
        "update": ("main --app demo --top-n 25", "main --app demo --no-public --max-value 100"),
    },
    remarks={
        "create": "Only the options of `update` can be changed later.",
        "delete": "A new board with the same id starts empty.",
    },
)
PLAYERS = Resource(
    "player",
    "the profile of a player",
    schema.Player,
    schema.PlayerChange,
    columns=("player", "username", "region", "email", "avatar_url"),
    cascades="and all their standings in the app",
    help="Manage the profiles of players. A player can score without a profile.",
    id_rule=": 1 to 50 printable characters",
    options={
        "username": "Name on the boards; default: the id.",
        "avatar_url": "URL of a picture; starts with https:// or /.",
        "email": "Email address; not shown on boards.",
        "region": "Region in which the player is ranked, on boards with regions.",
    },
    examples={
        "list": ("--app demo", "--app demo --limit 1000000 --json > players.json"),
        "create": ("alice --app demo", "bob --app demo --username 'Bob B.' --region eu"),
        "update": ("alice --app demo --username 'Alice A.'", "alice --app demo --no-email --no-region"),
    },
    remarks={"create": "A player can score without one."},
    paged=True,
)
ACTIONS = Resource(
    "action",
    "an action",
    schema.Action,
    schema.ActionChange,
    columns=("action", "points", "per_day", "cooldown_s"),
    cascades="",
    help="Manage actions. Clients send the id of an action, and the server defines its points.",
    id_rule=SLUG,
    options={
        "points": "Points for each use; a negative number subtracts. A change applies to later updates only.",
        "per_day": "Maximum number of uses per player per day; default: no limit.",
        "cooldown_s": "Seconds between two uses by the same player; default 0.",
    },
    examples={
        "create": (
            "level_complete --app demo --points 10",
            "daily_login --app demo --points 5 --per-day 1",
            "penalty --app demo --points -3 --cooldown-s 60",
        ),
        "update": ("level_complete --app demo --points 12", "daily_login --app demo --no-per-day"),
    },
    remarks={"update": "Points already awarded remain.", "delete": "Points already awarded remain."},
)
RESOURCES = (APPS, BOARDS, PLAYERS, ACTIONS)
