"""`scoreboard import`: the rows of a file, each taken once, from where the last time ended."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli import show
from scoreboard.cli.display import displayed
from scoreboard.cli.errors import CommandError, RequestRefused, UsageError
from scoreboard.cli.progress import Confirmed, Progress
from scoreboard.cli.resources import AppId, Json
from scoreboard.cli.retrying import Patient, checked_patience
from scoreboard.cli.target import Connection, Target, connected, run
from scoreboard.cli.transfer.collection import ACTIONS, BOARDS, LEDGER, PLAYERS, Collection
from scoreboard.cli.transfer.export import PATIENCE_S
from scoreboard.cli.transfer.source import Source, surveyed
from scoreboard.cli.transfer.taking import Tally, entries_to, things_to

ENTRIES, THINGS = 1_000, 64  # rows at a time
WORDS = ("created", "updated", "unchanged", "applied", "known")
MEANING = {"known": "already there, not counted again"}

File = Annotated[Path, Parameter(name="file", allow_leading_hyphen=True, help="The rows; - is stdin.")]
Patience = Annotated[float, Parameter(help="Seconds without an answer after which to give up.")]

import_ = App(
    name="import",
    help="Take boards, actions, players or a ledger from a file.",
    help_epilogue="FILE is what `scoreboard export` writes, or alike: CSV with a header or NDJSON, plain\n"
    "or gzip; - is stdin. When an import is stopped or fails half way, run the same\n"
    "again: it goes on from there. Importing a file twice is as good as once.\n\n"
    "Examples:\n"
    "  scoreboard import players players.csv --app demo\n"
    "  scoreboard import ledger main.ndjson.gz --app demo --board main",
)


@dataclass(frozen=True)
class Job:
    """What is to be taken, and where to. `board` is None but for a ledger."""

    collection: Collection
    source: Source
    app: str
    board: str | None
    patience_s: float

    @property
    def place(self) -> str:
        return self.app if self.board is None else f"{self.app}/{self.board}"


def _to_an_app(collection: Collection) -> Callable[..., None]:
    """The command for things of which an app has many."""

    def command(
        file: File, /, *, app: AppId, patience: Patience = PATIENCE_S, json: Json = False, server: Target | None = None
    ) -> None:
        _import(
            Job(collection, surveyed(str(file), collection), app, None, checked_patience(patience)),
            server,
            as_json=json,
        )

    return command


PUT = "Make the {} of a file, and change those that are there and differ."
for imported, more, *files in (
    (BOARDS, " How a board ranks is never changed.", "boards.csv"),
    (ACTIONS, "", "actions.csv"),
    (PLAYERS, " Columns that are absent stay as they are.", "players.csv", "players.ndjson.gz"),
):
    import_.command(
        _to_an_app(imported),
        name=imported.plural,
        help=PUT.format(imported.plural) + more,
        help_epilogue="Examples:\n"
        + "\n".join(f"  scoreboard import {imported.plural} {file} --app copy" for file in files),
    )


@import_.command(
    help_epilogue="Examples:\n"
    "  scoreboard import ledger main.ndjson.gz --app demo --board main\n"
    "  scoreboard export ledger - --app demo --board main |\n"
    "    scoreboard import ledger - --app copy --board main",
)
def ledger(
    file: File,
    /,
    *,
    app: AppId,
    board: Annotated[str, Parameter(help="Id of the board, which must be there: scoreboard import boards")],
    patience: Patience = PATIENCE_S,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Take the updates of another board over, at the instants they were accepted at, each once."""
    _import(Job(LEDGER, surveyed(str(file), LEDGER), app, board, checked_patience(patience)), server, as_json=json)


def _import(job: Job, target: Target | None, *, as_json: bool) -> None:
    started = time.monotonic()
    tally, before = run(_taken(job, target))
    seconds = time.monotonic() - started
    if as_json:
        show.document(_document(tally, before, seconds))
    else:
        _print(job, tally, before, seconds)
    refused = tally.became["refused"]
    if refused:
        raise CommandError(f"{refused:,} of {show.counted(tally.became.total(), 'row')} refused by the server")


async def _taken(job: Job, target: Target | None) -> tuple[Tally, int]:
    """What became of the rows that were sent, and how many were confirmed before."""
    async with connected(target) as connection:
        progress = _progress(job, connection)
        patient = Patient(connection.client, job.patience_s)
        confirmed = Confirmed() if progress is None else await _still_true(progress.load(), patient, job)
        if confirmed.last:
            show.note(f"Going on after row {confirmed.last:,}, which was confirmed before.")
        before = confirmed.rows
        tally = await _send(job, patient, confirmed, progress)
        if progress is not None:
            progress.clear()
        return tally, before


def _progress(job: Job, connection: Connection) -> Progress | None:
    if job.source.digest is None:
        return None
    place = job.place.replace("/", "-")
    return Progress(f"import-{job.collection.plural.replace(' ', '-')}", job.source.digest, place, connection.name)


async def _still_true(saved: Confirmed, client: Patient, job: Job) -> Confirmed:
    """What was saved, if the server still has it: not when the app, the board or the folder was made anew since."""
    if saved.proof is None:
        return Confirmed()
    try:
        if job.board is None:
            await client.call("GET", "apps", job.app, job.collection.plural, saved.proof)
            return saved
        event = await client.call("GET", "apps", job.app, "events", saved.proof)
    except RequestRefused:
        return Confirmed()
    return saved if event["board"] == job.board else Confirmed()


async def _send(job: Job, client: Patient, confirmed: Confirmed, progress: Progress | None) -> Tally:
    """Sends what is not confirmed. However it ends, what was confirmed until then is saved."""
    if job.board is None:
        take, size = things_to(client, job.collection, job.app), THINGS
    else:
        take, size = entries_to(client, job.app, job.board), ENTRIES
    tally = Tally()
    try:
        with displayed("importing", job.source.total, confirmed.rows) as display:
            for batch in job.source.batches(size, confirmed.last):
                for row, became in zip(batch, await take(batch), strict=True):
                    tally.add(row, became)
                confirmed.last, confirmed.rows = batch[-1].number, confirmed.rows + len(batch)
                confirmed.proof = tally.proof or confirmed.proof
                if progress is not None:
                    progress.save(confirmed)
                display.at(confirmed.rows)
    except CommandError as error:
        if isinstance(error, UsageError) and not confirmed.rows:
            raise
        raise CommandError(f"{error}; {_how_to_go_on(confirmed)}") from error
    except asyncio.CancelledError:
        show.note(f"Interrupted: {_how_to_go_on(confirmed)}.")
        raise
    finally:
        if progress is not None and confirmed.rows:
            progress.save(confirmed, now=True)
    return tally


def _how_to_go_on(confirmed: Confirmed) -> str:
    return f"stopped after row {confirmed.last:,}; the same command goes on, and nothing counts twice"


def _document(tally: Tally, before: int, seconds: float) -> dict[str, object]:
    told = {word: tally.became[word] for word in WORDS if tally.became[word]}
    reasons = {
        code: {"rows": count, "line": tally.first[code][0], "detail": tally.first[code][1]}
        for code, count in tally.reasons.items()
    }
    return {
        "rows": tally.became.total(),
        **told,
        "refused": reasons,
        "confirmed_before": before,
        "seconds": round(seconds, 3),
    }


def _print(job: Job, tally: Tally, before: int, seconds: float) -> None:
    rows = tally.became.total()
    print(
        f"Imported {job.source.name} into {job.place}: {show.counted(rows, 'row')} in {seconds:,.1f} s, "
        f"{rows / seconds:,.0f} rows/s."
    )
    for word in (word for word in WORDS if tally.became[word]):
        print(f"  {tally.became[word]:>12,}  {MEANING.get(word, word)}")
    for code, count in tally.reasons.most_common():
        line, detail = tally.first[code]
        print(f"  {count:>12,}  refused: {code}: {detail} (first in line {line:,})")
    if before:
        print(f"  {before:>12,}  confirmed before, not sent")
