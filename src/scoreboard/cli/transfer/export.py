"""`scoreboard export`: writes resources or a ledger to a file, all or nothing."""

import gzip
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, BinaryIO, cast

from cyclopts import App, Parameter

from scoreboard.cli import output
from scoreboard.cli.client import Client
from scoreboard.cli.errors import CommandError, UsageError
from scoreboard.cli.parameters import ABSENT, AppId, BoardId, Json, annotate, examples
from scoreboard.cli.resources import ACTIONS, BOARDS, PLAYERS, Resource
from scoreboard.cli.target import DEFAULT, Target, run_with
from scoreboard.cli.transfer import rows
from scoreboard.cli.transfer.collections import LEDGER, ledger_pages, resource_pages, rows_of
from scoreboard.cli.transfer.files import STANDARD
from scoreboard.cli.transfer.progress import display
from scoreboard.cli.transfer.rows import Format

FORMATS: dict[str, Format] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
PATIENCE_S = 60.0

File = Annotated[
    Path,
    Parameter(
        name="file", allow_leading_hyphen=True, help="File to write: .csv or .ndjson, with .gz for gzip; - is stdout."
    ),
]
Form = Annotated[
    Format | None,
    Parameter(name="--format", help="Format of the rows; default: from the extension of FILE, or ndjson."),
]

export = App(
    name="export",
    help="Export boards, actions, players or a ledger to a file.",
    help_epilogue="FILE ends in .csv or .ndjson, and in .gz for gzip; - is stdout.\n\n"
    + examples("export players players.csv --app demo", "export ledger main.ndjson.gz --app demo --board main"),
)


def _command(resource: Resource | None) -> Callable[..., None]:
    """Return the command that exports a kind of resource, or a ledger if None."""
    kind = LEDGER if resource is None else rows_of(resource)

    def command(
        path: File, /, *, app: AppId, board: str = "", form: Form = None, json: Json = False, server: Target = DEFAULT
    ) -> None:
        file = str(path)
        if json and file == STANDARD:
            raise UsageError("--json prints a report to stdout, but - writes the rows there; use one of them")
        row_format = form or _format_of(file)

        async def write_rows(client: Client) -> int:
            exported = 0
            with _open_output(file) as out, display("exporting", None) as show:
                out.write(rows.header(kind.columns, row_format))
                async for page in (
                    ledger_pages(client, app, board)
                    if resource is None
                    else resource_pages(client, resource, app, kind.struct)
                ):
                    out.write(rows.lines(page, row_format))
                    exported += len(page)
                    show(exported)
            return exported

        started = time.monotonic()
        exported = run_with(server, write_rows, patience_s=PATIENCE_S)
        seconds = time.monotonic() - started
        if json:
            output.json({"rows": exported, "file": file, "seconds": round(seconds, 3)})
        elif file != STANDARD:
            place = f"{app}/{board}" if resource is None else app
            count = output.count(exported, "row")
            output.note(f"Exported the {kind.plural} of {place} to {file}: {count} in {seconds:,.1f} s.")

    return annotate(command, board=BoardId if resource is None else Annotated[str, ABSENT])


for exported, name, text, *shown in (
    (BOARDS, "boards", "Export the rules of the boards of an app.", "boards.csv --app demo"),
    (ACTIONS, "actions", "Export the actions of an app.", "actions.csv --app demo", "- --app demo --format csv"),
    (PLAYERS, "players", "Export the player profiles of an app.", "players.csv --app demo"),
    (
        None,
        "ledger",
        "Export every applied update of a board, in order of acceptance.",
        "main.ndjson.gz --app demo --board main",
        "- --app demo --board main --format csv | head",
    ),
):
    export.command(
        _command(exported), name=name, help=text, help_epilogue=examples(*(f"export {name} {rest}" for rest in shown))
    )


def _format_of(file: str) -> Format:
    if file == STANDARD:
        return "ndjson"
    form = FORMATS.get(Path(file.removesuffix(".gz")).suffix)
    if form is None:
        raise UsageError(
            f"the format of {file!r} is unknown; use a name that ends in .csv or .ndjson (and .gz), or --format"
        )
    return form


@contextmanager
def _open_output(file: str) -> Iterator[BinaryIO]:
    """Open a file that replaces an earlier one atomically, unless the block fails."""
    if file == STANDARD:
        yield sys.stdout.buffer
        return
    path = Path(file)
    if path.exists() and not path.is_file():
        raise UsageError(f"{file} is not a regular file; to write to stdout, use -")
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("wb") as plain:
            with gzip.GzipFile("", "wb", 6, plain, mtime=0) if file.endswith(".gz") else nullcontext(plain) as out:
                yield cast("BinaryIO", out)
            plain.flush()
            os.fsync(plain.fileno())
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
