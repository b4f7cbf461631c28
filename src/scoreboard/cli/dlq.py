"""`scoreboard dlq`: dead letters, the queued updates that could not be applied."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import output
from scoreboard.cli.errors import RequestRefused, UsageError
from scoreboard.cli.parameters import Flag, Json, Whole, Yes, examples, require_consent
from scoreboard.cli.target import Target, connect, request, run

PATH = "dead-letters"
MOST = 1_000  # that one request lists
ID = "5f0c5d2a9b7e4c1f8a3d6e2b1c4f7a90"

Letters = Annotated[str, Parameter(name="letters", negative="", help="Ids of dead letters from `list`.")]
All = Annotated[Flag, Parameter(help="Every dead letter, up to 1,000 at a time.")]

dlq = App(
    name="dlq",
    help="Inspect queued updates that could not be applied, and retry or drop them.",
    help_epilogue=examples("dlq list"),
)


@dlq.command(
    name="list",
    help_epilogue=examples("dlq list", "dlq list --json | jq -r '.[] | select(.reason == \"not_storable\") | .letter'"),
)
def list_(*, limit: Whole = 100, json: Json = False, server: Target | None = None) -> None:
    """List the oldest dead letters and their reasons.

    Parameters
    ----------
    limit
        Greatest number to list, up to 1,000.
    """
    if not 1 <= limit <= MOST:
        raise UsageError(f"--limit is {limit}; give 1 to {MOST:,}")
    letters = run(request(server, "GET", PATH, query={"limit": limit}))["dead_letters"]
    output.table(("letter", "since", "count", "attempts", "reason"), letters, as_json=json)
    if not letters and not json:
        output.note("There are no dead letters.")


@dlq.command(name="show", help_epilogue=examples(f"dlq show {ID}", f"dlq show {ID} --json | jq '.updates[].event'"))
def show_(
    letter: Annotated[str, Parameter(name="letter", help="Its id from `list`.")],
    /,
    *,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Show the updates in a dead letter."""
    found = run(request(server, "GET", PATH, letter))
    if json:
        output.json(found)
        return
    updates = found.pop("updates")
    output.record(found, as_json=False)
    if updates is None:
        output.note("Its signature is invalid: it was modified, or its key is missing from SCOREBOARD_QUEUE_KEYS.")
    else:
        output.table(("app", "board", "player", "value", "accepted_at", "event"), updates, as_json=False)


@dlq.command(help_epilogue=examples(f"dlq retry {ID}", "dlq retry --all                    after the fault is fixed"))
def retry(*letters: Letters, all: All = False, server: Target | None = None) -> None:  # noqa: A002 - its option
    """Requeue dead letters. Updates that were applied before do not count again."""
    _require_letters(letters, every=all)
    done = run(_for_each(server, letters, "POST", "retry"))
    output.note(f"Requeued {output.count(done, 'dead letter')}.")


@dlq.command(help_epilogue=examples(f"dlq drop {ID}", "dlq drop --all --yes"))
def drop(*letters: Letters, all: All = False, yes: Yes = False, server: Target | None = None) -> None:  # noqa: A002 - its option
    """Drop dead letters. Their updates are refused."""
    _require_letters(letters, every=all)
    which = "all dead letters" if all else output.count(len(letters), "dead letter")
    require_consent(f"refuse the updates of {which}", yes=yes)
    output.note(f"Dropped {output.count(run(_for_each(server, letters, 'DELETE')), 'dead letter')}.")


def _require_letters(letters: Sequence[str], *, every: bool) -> None:
    if bool(letters) == every:
        raise UsageError("give either the ids of dead letters or --all; see: scoreboard dlq list")


async def _for_each(target: Target | None, letters: Sequence[str], method: str, *verb: str) -> int:
    """Send a request for each of `letters`, or for all, and return the number that existed."""
    done = 0
    async with connect(target) as connection:
        client = connection.client
        listed = letters or [
            one["letter"] for one in (await client.call("GET", PATH, query={"limit": MOST}))["dead_letters"]
        ]
        for letter in listed:
            try:
                await client.call(method, PATH, letter, *verb)
                done += 1
            except RequestRefused as error:
                if letters or error.code != "letter_not_found":
                    raise
    return done
