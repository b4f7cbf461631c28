"""The command: finds the board, skips what was confirmed, sends the rest, and says what became of it."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cyclopts import App

from scoreboard.cli import show
from scoreboard.cli.client import Client
from scoreboard.cli.display import displayed
from scoreboard.cli.errors import CommandError, RequestRefused, UsageError
from scoreboard.cli.progress import Confirmed, Progress
from scoreboard.cli.replay import pace, rows
from scoreboard.cli.replay.rows import Row, Survey
from scoreboard.cli.replay.sender import Sender, Tally
from scoreboard.cli.resources import AppId, Flag, Json
from scoreboard.cli.retrying import checked_patience
from scoreboard.cli.target import Connection, Target, connected, run
from scoreboard.domain.board import Operator

EPILOGUE = """\
FILE is CSV with the header time,player,score, or NDJSON, plain or gzip:

  time,player,score          {"time":1767225600,"player":"alice","score":10}
  1767225600,alice,10        {"time":1767225601.5,"player":"bob","score":7}
  1767225601.5,bob,7

Examples:
  scoreboard replay events.csv --app demo --board main --create
  scoreboard replay events.ndjson.gz --app demo --board main --speed 10
  export SCOREBOARD_URL=https://scores.example.com SCOREBOARD_TOKEN=...
  scoreboard replay events.csv --app demo --board main

Times set the pace only: a row counts when it is sent. When a replay is stopped
or fails half way, run the same command again (with a token of the same
subject): it goes on from there, and nothing counts twice.
Exit status 1 when some rows were refused.
"""
KEY = re.compile(r"[\x21-\x7e]{1,100}")
SPENT = frozenset({"key_reused", "key_spent"})
NOTHING = frozenset({"app_not_found", "board_not_found"})

replay = App(name="replay", help="Send the rows of a file as updates, each counted once.", help_epilogue=EPILOGUE)


@dataclass(frozen=True)
class Plan:
    """What was asked for. `operator` is None when it does not matter."""

    app: str
    board: str
    speed: float | None
    create: bool
    operator: Operator | None
    restart: bool
    patience_s: float
    key: str | None

    @property
    def path(self) -> tuple[str, ...]:
        return ("apps", self.app, "boards", self.board)


@dataclass
class Summary:
    """What was done. `confirmed_before` rows were not sent again."""

    tally: Tally
    confirmed_before: int
    skipped: int
    seconds: float


@replay.default
def main(
    file: Path,
    /,
    *,
    app: AppId,
    board: str,
    speed: str = pace.MAX,
    create: Flag = False,
    operator: Operator | None = None,
    skip_bad: Flag = False,
    restart: Flag = False,
    patience: float = 60,
    key: str | None = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Send the rows of a file as updates to a board, in the order of the file, each counted once.

    Parameters
    ----------
    file
        The rows.
    board
        Id of the board. One that adds up takes each score as an increment.
    speed
        1 for the pace of the time column, N for N times faster, max for as fast as possible.
    create
        Make the app and the board where they are absent.
    operator
        For a board that is made: what an update does; increment when absent.
    skip_bad
        Leave rows out that make no sense, instead of sending nothing.
    restart
        Send every row again; those that were counted are not counted again.
    patience
        Seconds without an answer after which to give up.
    key
        Count the file anew under this name, once: for a board that was deleted and made again.
    """
    if key is not None and not KEY.fullmatch(key):
        raise UsageError("--key is 1 to 100 visible ASCII characters, no spaces")
    plan = Plan(app, board, pace.speed_of(speed), create, operator, restart, checked_patience(patience), key)
    survey = rows.survey(file, skip_bad=skip_bad)
    summary = run(_replay(plan, survey, server))
    show.document(_document(summary)) if json else _print(plan, survey, summary)
    refused = summary.tally.refused.total()
    if refused:
        raise CommandError(
            f"{refused:,} of {summary.tally.rows:,} rows were refused by the server{_hint(summary.tally)}"
        )


async def _replay(plan: Plan, survey: Survey, target: Target | None) -> Summary:
    async with connected(target) as connection:
        board = await _board(connection.client, plan)
        where = connection.name if plan.key is None else f"{connection.name} {plan.key}"
        progress = Progress("replay", survey.digest, f"{plan.app}-{plan.board}", where)
        confirmed = Confirmed() if plan.restart else await _still_true(progress.load(), connection.client, plan)
        if confirmed.last:
            show.note(f"Going on after row {confirmed.last:,}, which was confirmed before (--restart sends all again).")
        started, before = time.monotonic(), confirmed.rows
        tally = await _send(plan, survey, connection, board, progress, confirmed)
        return Summary(tally, before, survey.bad, time.monotonic() - started)


async def _send(
    plan: Plan,
    survey: Survey,
    connection: Connection,
    board: dict[str, Any],
    progress: Progress,
    confirmed: Confirmed,
) -> Tally:
    """Sends what is not confirmed. However it ends, what was confirmed until then is saved."""
    field: Literal["increment", "score"] = "increment" if board["operator"] == "increment" else "score"
    keys = "-".join(part for part in (survey.digest[:16], plan.board, plan.key) if part)
    sender = Sender(connection.client, plan.path, field, keys, plan.patience_s)
    tally = Tally()
    try:
        with displayed("replaying", survey.rows, confirmed.rows) as display:
            async for batch in pace.batches(_after(survey.path, confirmed.last), plan.speed):
                await sender.send(batch, tally)
                confirmed.last, confirmed.proof = batch[-1].number, tally.last_event or confirmed.proof
                confirmed.rows += len(batch)
                progress.save(confirmed)
                display.at(confirmed.rows)
    except CommandError as error:
        raise CommandError(f"{error}; {_how_to_go_on(confirmed)}") from error
    except asyncio.CancelledError:
        show.note(f"Interrupted: {_how_to_go_on(confirmed)}.")
        raise
    finally:
        if tally.rows:
            progress.save(confirmed, now=True)
    return tally


def _after(path: Path, number: int) -> Iterator[Row]:
    return (row for row in rows.read(path) if isinstance(row, Row) and row.number > number)


def _how_to_go_on(confirmed: Confirmed) -> str:
    return f"stopped after row {confirmed.last:,}, the same command goes on from there"


async def _board(client: Client, plan: Plan) -> dict[str, Any]:
    """The board to send to, made if that was asked for."""
    try:
        board: dict[str, Any] = await client.call("GET", *plan.path)
    except RequestRefused as error:
        if error.code not in NOTHING or not plan.create:
            if error.code in NOTHING:
                raise CommandError(f"{error}; or add --create") from error
            raise
        return await _made(client, plan, app_too=error.code == "app_not_found")
    if plan.operator not in {None, board["operator"]}:
        raise UsageError(f"board {plan.board} is there with operator {board['operator']}, not {plan.operator}")
    return board


async def _made(client: Client, plan: Plan, *, app_too: bool) -> dict[str, Any]:
    if app_too:
        await client.call("POST", "apps", body={"app": plan.app})
    rules = {"board": plan.board, "operator": plan.operator or "increment"}
    board: dict[str, Any] = await client.call("POST", "apps", plan.app, "boards", body=rules)
    return board


async def _still_true(saved: Confirmed, client: Client, plan: Plan) -> Confirmed:
    """What was saved, if the server still has it: not when the board, the app or the folder was made anew since."""
    if saved.proof is None:
        return Confirmed()
    try:
        event = await client.call("GET", "apps", plan.app, "events", saved.proof)
    except RequestRefused:
        return Confirmed()
    return saved if event["board"] == plan.board else Confirmed()


def _hint(tally: Tally) -> str:
    """What to do about the refusals, where that is known."""
    if tally.refused.keys() & SPENT:
        return "; if the board was deleted and made again, --key NAME counts the file anew"
    return ""


def _document(summary: Summary) -> dict[str, object]:
    tally = summary.tally
    return {
        "rows": tally.rows,
        "applied": tally.applied,
        "replayed": tally.known,
        "refused": dict(tally.refused),
        "confirmed_before": summary.confirmed_before,
        "skipped": summary.skipped,
        "seconds": round(summary.seconds, 3),
        "rows_per_s": round(tally.rows / summary.seconds, 1),
    }


def _print(plan: Plan, survey: Survey, summary: Summary) -> None:
    tally = summary.tally
    rate = tally.rows / summary.seconds
    print(
        f"Sent {tally.rows:,} rows of {survey.path.name} to {plan.app}/{plan.board} "
        f"in {summary.seconds:,.1f} s, {rate:,.0f} rows/s."
    )
    print(f"  {tally.applied:>12,}  applied")
    print(f"  {tally.known:>12,}  already counted, not again")
    for code, count in tally.refused.most_common():
        print(f"  {count:>12,}  refused: {code}: {tally.details[code]}")
    if summary.confirmed_before:
        print(f"  {summary.confirmed_before:>12,}  confirmed before, not sent")
    if summary.skipped:
        print(f"  {summary.skipped:>12,}  bad, left out")
