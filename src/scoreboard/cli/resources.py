"""Apps, boards, players and actions: their bodies in the API, and the texts of their commands."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import get_args

import msgspec

from scoreboard.entrypoints.contracts.v1 import schema

SLUG = "Its id: 1 to 50 of a-z, 0-9, '-' and '_'."


@dataclass(frozen=True)
class Resource:
    """One kind of resource.

    `body` creates one, `change` changes one, `page` lists them. `options` has a help text for each field.
    `columns` are those of a list. `cascades` names what a deletion also deletes. `commands` has for each command its
    help and its examples.
    """

    name: str
    plural: str
    body: type[msgspec.Struct]
    change: type[msgspec.Struct]
    page: type[msgspec.Struct]
    columns: tuple[str, ...]
    cascades: str
    help: str
    id_help: str
    options: Mapping[str, str]
    commands: Mapping[str, tuple[str, ...]]
    paged: bool = False

    def path(self, app: str | None) -> tuple[str, ...]:
        """Return the path of the collection, which is in an app unless it has the apps themselves."""
        return (self.plural,) if app is None else ("apps", app, self.plural)

    @property
    def nullable(self) -> frozenset[str]:
        """Return the fields that can be cleared."""
        return frozenset(
            field.name for field in msgspec.structs.fields(self.change) if NoneType in get_args(field.type)
        )


APPS = Resource(
    "app",
    "apps",
    schema.App,
    schema.AppChange,
    schema.Apps,
    columns=("app", "name", "time_zone"),
    cascades="with its boards, actions, players and their history",
    help="Manage apps. Each has its own boards, actions, players and tokens.",
    id_help=f"{SLUG} It is part of addresses and never changes.",
    options={
        "name": "Display name.",
        "time_zone": "Time zone in which its days begin, such as Europe/Berlin.",
    },
    commands={
        "list": ("List all apps.", "", "--json | jq -r '.[].app'"),
        "create": ("Create an app.", "demo", "chess --name 'Chess club' --time-zone Europe/Berlin"),
        "show": ("Show an app.", "demo", "demo --json"),
        "update": ("Change the given fields of an app.", "chess --name 'Chess & Go club'"),
        "delete": ("Delete an app with its boards, actions, players and their history.", "demo", "demo --yes"),
    },
)
BOARDS = Resource(
    "board",
    "boards",
    schema.Board,
    schema.BoardChange,
    schema.Boards,
    columns=("board", "name", "operator", "direction", "period", "top_n", "public"),
    cascades="with its standings and history",
    help="Manage boards. Each ranks the players of an app by one rule.",
    id_help=SLUG,
    options={
        "operator": "Effect of an update: add to the score (increment, the default), count if better (best), or replace"
        " the score (latest).",
        "direction": "Score that leads: the greatest (descending, the default) or the least (ascending).",
        "ties": "Order at equal scores: first to reach it (earliest, the default), last, or one shared rank (shared).",
        "numbering": "Ranks at equal scores: 1 2 3 (ordinal, the default), 1 1 3 (competition) or 1 1 2 (dense).",
        "period": "How often a new season begins; default all_time: never.",
        "time_zone": "Time zone in which its periods begin; default: that of the app.",
        "regions": "A region with its own table; repeat for more.",
        "name": "Display name.",
        "top_n": "Number of places to watch live, 1 to 1000; default 10.",
        "public": "Readable without a token; default yes.",
        "player_values": "Accept values from players' own tokens, not only actions; default no.",
        "consistency": "Response to an update: with its rank (direct, the default) or immediately (queued).",
        "priority": "Order of queued updates between boards; default normal.",
        "min_value": "Least value of one update.",
        "max_value": "Greatest value of one update.",
        "min_total": "Least score a player can have.",
        "max_total": "Greatest score a player can have.",
    },
    commands={
        "list": ("List the boards of an app.", "--app demo", "--app demo --json | jq -r '.[].board'"),
        "create": (
            "Create a board. Only the options of `update` can be changed later.",
            "main --app demo",
            "laps --app f1 --operator best --direction ascending",
            "week --app f1 --period weekly --region eu --region us",
        ),
        "show": ("Show the rules of a board.", "main --app demo", "main --app demo --json"),
        "update": (
            "Change the given fields of a board.",
            "main --app demo --top-n 25",
            "main --app demo --no-public --max-value 100",
        ),
        "delete": (
            "Delete a board with its standings and history. A new board with the same id starts empty.",
            "main --app demo --yes",
        ),
    },
)
PLAYERS = Resource(
    "player",
    "players",
    schema.Player,
    schema.PlayerChange,
    schema.Players,
    columns=("player", "username", "region", "email", "avatar_url"),
    cascades="with every standing",
    help="Manage the profiles of players. A player can score without a profile.",
    id_help="Its id: 1 to 50 printable characters.",
    options={
        "username": "Name on the boards; default: the id.",
        "avatar_url": "Address of a picture; starts with https:// or /.",
        "email": "Email address; not shown on boards.",
        "region": "Region in which the player counts on boards with regions.",
    },
    commands={
        "list": (
            "List players in the order of their ids.",
            "--app demo",
            "--app demo --limit 1000000 --json > players.json",
        ),
        "create": (
            "Create the profile of a player. Players need none to score.",
            "alice --app demo",
            "bob --app demo --username 'Bob B.' --region eu",
        ),
        "show": ("Show the profile of a player.", "alice --app demo"),
        "update": (
            "Change the given fields of a profile.",
            "alice --app demo --username 'Alice A.'",
            "alice --app demo --no-email --no-region",
        ),
        "delete": (
            "Delete the profile of a player and every standing on all boards of the app.",
            "alice --app demo --yes",
        ),
    },
    paged=True,
)
ACTIONS = Resource(
    "action",
    "actions",
    schema.Action,
    schema.ActionChange,
    schema.Actions,
    columns=("action", "points", "per_day", "cooldown_s"),
    cascades="",
    help="Manage actions. Clients send the name of an action, and the server knows its points.",
    id_help=SLUG,
    options={
        "points": "Points it is worth; a negative number subtracts. A change applies to later updates only.",
        "per_day": "How often it counts in a day for one player; default: no limit.",
        "cooldown_s": "Seconds before it counts again for the same player; default 0.",
    },
    commands={
        "list": ("List the actions of an app.", "--app demo"),
        "create": (
            "Create an action.",
            "level_complete --app demo --points 10",
            "daily_login --app demo --points 5 --per-day 1",
            "penalty --app demo --points -3 --cooldown-s 60",
        ),
        "show": ("Show an action.", "level_complete --app demo"),
        "update": (
            "Change the given fields of an action. Points that were given stay.",
            "level_complete --app demo --points 12",
            "daily_login --app demo --no-per-day",
        ),
        "delete": ("Delete an action. Points that it gave stay.", "daily_login --app demo --yes"),
    },
)
RESOURCES = (APPS, BOARDS, PLAYERS, ACTIONS)
