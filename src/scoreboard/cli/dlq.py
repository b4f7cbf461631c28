"""`scoreboard dlq`: dead letters, queued updates that could not be applied. They stay until somebody decides."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from scoreboard.cli import show
from scoreboard.cli.client import Client
from scoreboard.cli.errors import CommandError, RequestRefused, UsageError
from scoreboard.cli.resources import Flag, Json, Whole, Yes
from scoreboard.cli.target import Target, ask, connected, run

PATH = "dead-letters"
MOST = 1_000  # that are listed at once
COLUMNS = ("letter", "since", "count", "attempts", "reason")

Letter = Annotated[str, Parameter(name="letter")]
Letters = Annotated[str, Parameter(name="letters", negative="")]

dlq = App(
    name="dlq",
    help="Look at queued updates that could not be applied; send them again, or drop them.",
    help_epilogue="Example:\n  scoreboard dlq list",
)


@dlq.command(
    name="list",
    help_epilogue="Examples:\n"
    "  scoreboard dlq list\n"
    "  scoreboard dlq list --json | jq -r '.[] | select(.reason == \"not_storable\") | .letter'",
)
def list_(*, limit: Whole = 100, json: Json = False, server: Target | None = None) -> None:
    """List the oldest dead letters, and why each is one.

    Parameters
    ----------
    limit
        How many at most, up to 1,000.
    """
    if not 1 <= limit <= MOST:
        raise UsageError(f"--limit is from 1 to {MOST:,}")
    found = run(_listed(target=server, limit=limit))
    show.things(COLUMNS, found, as_json=json)
    if not found and not json:
        show.note("There are no dead letters.")


@dlq.command(
    name="show",
    help_epilogue="Examples:\n"
    "  scoreboard dlq show 5f0c5d2a9b7e4c1f8a3d6e2b1c4f7a90\n"
    "  scoreboard dlq show 5f0c5d2a9b7e4c1f8a3d6e2b1c4f7a90 --json | jq '.updates[].event'",
)
def show_(letter: Letter, /, *, json: Json = False, server: Target | None = None) -> None:
    """Show the updates in a dead letter.

    Parameters
    ----------
    letter
        Its id, as `list` tells it.
    """
    found = run(ask(server, "GET", PATH, letter))
    if json:
        show.document(found)
        return
    updates = found.pop("updates")
    show.thing(found, as_json=False)
    if updates is None:
        show.note("It cannot be opened: it was tampered with, or its key is not among SCOREBOARD_QUEUE_KEYS.")
    else:
        show.things(("app", "board", "player", "value", "accepted_at", "event"), updates, as_json=False)


@dlq.command(
    help_epilogue="Examples:\n"
    "  scoreboard dlq retry 5f0c5d2a9b7e4c1f8a3d6e2b1c4f7a90\n"
    "  scoreboard dlq retry --all                    when the fault is mended"
)
def retry(*letters: Letters, all: Flag = False, server: Target | None = None) -> None:  # noqa: A002 - its option
    """Send dead letters again. What was applied before is not counted again.

    Parameters
    ----------
    letters
        Their ids, as `list` tells them.
    all
        Every one, up to 1,000 at a time.
    """
    _check(letters, every=all)
    done = run(_each(server, letters, "POST", "retry"))
    show.note(f"Sent {show.counted(done, 'dead letter')} again.")


@dlq.command(
    help_epilogue="Examples:\n  scoreboard dlq drop 5f0c5d2a9b7e4c1f8a3d6e2b1c4f7a90\n  scoreboard dlq drop --all --yes"
)
def drop(*letters: Letters, all: Flag = False, yes: Yes = False, server: Target | None = None) -> None:  # noqa: A002 - its option
    """Drop dead letters: their updates are refused for good.

    Parameters
    ----------
    letters
        Their ids, as `list` tells them.
    all
        Every one, up to 1,000 at a time.
    """
    _check(letters, every=all)
    which = "all dead letters" if all else show.counted(len(letters), "dead letter")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"this refuses the updates of {which} for ever; say so with --yes")
        if not show.confirmed(f"Refuse the updates of {which} for ever?"):
            raise CommandError("nothing was dropped")
    show.note(f"Dropped {show.counted(run(_each(server, letters, 'DELETE')), 'dead letter')}.")


def _check(letters: Sequence[str], *, every: bool) -> None:
    if bool(letters) == every:
        raise UsageError("give the ids of dead letters or --all; see: scoreboard dlq list")


async def _listed(*, target: Target | None, limit: int) -> list[dict[str, Any]]:
    async with connected(target) as connection:
        return await _oldest(connection.client, limit)


async def _oldest(client: Client, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.call("GET", PATH, query={"limit": limit}))["dead_letters"]
    return found


async def _each(target: Target | None, letters: Sequence[str], method: str, *verb: str) -> int:
    """How many it was done to: these, or all but those that are gone by then."""
    async with connected(target) as connection:
        client = connection.client
        for letter in letters:
            await client.call(method, PATH, letter, *verb)
        if letters:
            return len(letters)
        every = [one["letter"] for one in await _oldest(client, MOST)]
        return sum([await _if_there(client, method, PATH, letter, *verb) for letter in every])


async def _if_there(client: Client, method: str, *path: str) -> bool:
    try:
        await client.call(method, *path)
    except RequestRefused as error:
        if error.code != "letter_not_found":
            raise
        return False
    return True
