"""Apps, boards, players and actions are managed alike: five verbs over one address each."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import CoercionError, Parameter, Token

from scoreboard.cli import show
from scoreboard.cli.errors import CommandError, UsageError
from scoreboard.cli.target import Target, ask, connected, run

PAGE = 1_000


def _whole(_kind: type, tokens: Sequence[Token]) -> int:
    """What is written, to the last digit: the library would round 5.5, and large numbers with a point."""
    (token,) = tokens
    if not _WHOLE.fullmatch(token.value):
        raise CoercionError(token=token, target_type=int)
    return int(token.value)


_WHOLE = re.compile(r"[+-]?[0-9]{1,100}")
Whole = Annotated[int, Parameter(converter=_whole)]
AppId = Annotated[str, Parameter(name="--app", help="Id of the app.")]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, for programs.")]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Yes = Annotated[bool, Parameter(name="--yes", negative="", show_default=False, help="Do not ask; needed in scripts.")]


@dataclass(frozen=True)
class Kind:
    """`columns` are those of a list; `goes_too` says what a deletion takes along."""

    word: str
    plural: str
    columns: tuple[str, ...]
    goes_too: str

    def path(self, app: str | None) -> tuple[str, ...]:
        """Of all of them: in an app, or the apps themselves."""
        return (self.plural,) if app is None else ("apps", app, self.plural)


def list_all(kind: Kind, app: str | None, target: Target | None, *, as_json: bool) -> None:
    answer = run(ask(target, "GET", *kind.path(app)))
    _print_all(kind, answer[kind.plural], as_json=as_json)


def list_some(kind: Kind, app: str, after: str, limit: int, target: Target | None, *, as_json: bool) -> None:
    """At most `limit`, in the order of their ids, from the first after `after`."""
    if limit < 1:
        raise UsageError("--limit is 1 or more")
    found = run(_some(kind, app, after, limit, target))
    _print_all(kind, found, as_json=as_json)
    if len(found) == limit and not as_json:
        show.note(f"The first {limit}; for more, add: --after '{found[-1][kind.word]}'")


def create(kind: Kind, app: str | None, fields: Mapping[str, Any], target: Target | None, *, as_json: bool) -> None:
    """`fields` that are None are left to the server's defaults."""
    made = run(ask(target, "POST", *kind.path(app), body=_given(fields)))
    if not as_json:
        show.note(f"Created {kind.word} {made[kind.word]}.")
    show.thing(made, as_json=as_json)


def show_one(kind: Kind, app: str | None, name: str, target: Target | None, *, as_json: bool) -> None:
    show.thing(run(ask(target, "GET", *kind.path(app), name)), as_json=as_json)


def update(
    kind: Kind,
    app: str | None,
    name: str,
    fields: Mapping[str, Any],
    target: Target | None,
    *,
    cleared: Mapping[str, bool] | None = None,
    as_json: bool,
) -> None:
    """Change the fields that are not None, and empty those that are true in `cleared`."""
    change = _given(fields)
    for field in (field for field, clear in (cleared or {}).items() if clear):
        if field in change:
            option = field.replace("_", "-")
            raise UsageError(f"give --{option} or --no-{option}, not both")
        change[field] = None
    if not change:
        raise UsageError(f"say what to change; see: scoreboard {kind.plural} update --help")
    show.thing(run(ask(target, "PATCH", *kind.path(app), name, body=change)), as_json=as_json)


def delete(kind: Kind, app: str | None, name: str, target: Target | None, *, yes: bool) -> None:
    """Asks first, on a terminal; elsewhere `yes` must be said."""
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"this deletes the {kind.word} {name!r} {kind.goes_too} for ever; say so with --yes")
        if not show.confirmed(f"Delete the {kind.word} {name!r} {kind.goes_too} for ever?"):
            raise CommandError("nothing was deleted")
    run(ask(target, "DELETE", *kind.path(app), name))
    show.note(f"Deleted {kind.word} {name}.")


async def _some(kind: Kind, app: str, after: str, limit: int, target: Target | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with connected(target) as connection:
        while len(found) < limit:
            wanted = min(PAGE, limit - len(found))
            query = {"after": found[-1][kind.word] if found else after, "limit": wanted}
            page = (await connection.client.call("GET", *kind.path(app), query=query))[kind.plural]
            found += page
            if len(page) < wanted:
                break
    return found


def _print_all(kind: Kind, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    show.things(kind.columns, rows, as_json=as_json)
    if not rows and not as_json:
        show.note(f"There are no {kind.plural} yet; make one with: scoreboard {kind.plural} create --help")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
