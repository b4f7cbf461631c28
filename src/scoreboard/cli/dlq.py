"""`scoreboard dlq`: dead letters, the queued updates that could not be applied."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import output
from scoreboard.cli.client import Client
from scoreboard.cli.errors import RequestRefused, UsageError
from scoreboard.cli.parameters import Flag, Json, Whole, Yes, examples
from scoreboard.cli.target import DEFAULT, Target, request, run_with

PATH = "dead-letters"
MOST = 1_000  # that one request lists
ID = "5f0c5d2a9b7e4c1f8a3d6e2b1c4f7a90"

Letters = Annotated[str, Parameter(name="letters", negative="", help="Ids of dead letters from `list`.")]
All = Annotated[Flag, Parameter(name="--all", help="All dead letters, up to 1,000 per call.")]

dlq = App(
    name="dlq",
    help="Inspect queued updates that could not be applied, and requeue or drop them.",
    help_epilogue=examples("dlq list"),
)


@dlq.command(
    name="list",
    help_epilogue=examples("dlq list", "dlq list --json | jq -r '.[] | select(.reason == \"not_storable\") | .letter'"),
)
def list_(
    *,
    limit: Annotated[Whole, Parameter(help="Maximum number to list, up to 1,000.")] = 100,
    json: Json = False,
    server: Target = DEFAULT,
) -> None:
    """List the oldest dead letters and their reasons."""
    if not 1 <= limit <= MOST:
        raise UsageError(f"--limit must be 1 to {MOST:,}, not {limit}")
    letters = request(server, "GET", PATH, query={"limit": limit})["dead_letters"]
    columns = ("letter", "since", "count", "attempts", "reason")
    output.table(columns, letters, as_json=json, empty="There are no dead letters.")


@dlq.command(name="show", help_epilogue=examples(f"dlq show {ID}", f"dlq show {ID} --json | jq '.updates[].event'"))
def show_(
    letter: Annotated[str, Parameter(name="letter", help="Id of the dead letter from `list`.")],
    /,
    *,
    json: Json = False,
    server: Target = DEFAULT,
) -> None:
    """Show the updates in a dead letter."""
    found = request(server, "GET", PATH, letter)
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
def retry(*letters: Letters, every: All = False, server: Target = DEFAULT) -> None:
    """Requeue dead letters. Updates that were applied before do not count again."""
    _require_letters(letters, every=every)
    output.note(f"Requeued {output.count(_for_each(server, letters, 'POST', 'retry'), 'dead letter')}.")


@dlq.command(help_epilogue=examples(f"dlq drop {ID}", "dlq drop --all --yes"))
def drop(*letters: Letters, every: All = False, yes: Yes = False, server: Target = DEFAULT) -> None:
    """Drop dead letters. Their updates are refused."""
    _require_letters(letters, every=every)
    which = "all dead letters" if every else output.count(len(letters), "dead letter")
    output.require_consent(f"refuse the updates of {which}", yes=yes)
    output.note(f"Dropped {output.count(_for_each(server, letters, 'DELETE'), 'dead letter')}.")


def _require_letters(letters: Sequence[str], *, every: bool) -> None:
    if bool(letters) == every:
        raise UsageError("pass either ids of dead letters or --all; see: scoreboard dlq list")


def _for_each(target: Target, letters: Sequence[str], method: str, *verb: str) -> int:
    """Send a request for each of `letters`, or for all, and return the number found."""

    async def send(client: Client) -> int:
        done = 0
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

    return run_with(target, send)
