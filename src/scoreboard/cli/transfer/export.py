"""`scoreboard export`: writes resources or a ledger to a file, which appears when it is complete."""

import contextlib
import gzip
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

from cyclopts import App, Parameter

from scoreboard.cli import output
from scoreboard.cli.client import RetryingClient
from scoreboard.cli.errors import CommandError, UsageError
from scoreboard.cli.parameters import AppId, Json, examples
from scoreboard.cli.resources import ACTIONS, BOARDS, PLAYERS, Resource
from scoreboard.cli.target import Target, connect, run
from scoreboard.cli.transfer import rows
from scoreboard.cli.transfer.collections import LEDGER, RowType, ledger_pages, resource_pages, rows_of
from scoreboard.cli.transfer.files import STANDARD
from scoreboard.cli.transfer.progress import display
from scoreboard.cli.transfer.rows import Format

FORMATS: dict[str, Format] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
PATIENCE_S = 60.0

File = Annotated[
    str,
    Parameter(
        name="file", allow_leading_hyphen=True, help="File to write: .csv or .ndjson, with .gz for gzip; - is stdout."
    ),
]
Form = Annotated[
    Format | None, Parameter(name="--format", help="Format of the rows; default: by the name of FILE, or ndjson.")
]
Pages = Callable[[RetryingClient], AsyncIterator[list[Any]]]

export = App(
    name="export",
    help="Export boards, actions, players or a ledger to a file.",
    help_epilogue="FILE ends in .csv or .ndjson, and in .gz for gzip; - is stdout.\n\n"
    + examples("export players players.csv --app demo", "export ledger main.ndjson.gz --app demo --board main"),
)


def _resource_command(resource: Resource) -> Callable[..., None]:
    def command(
        file: File, /, *, app: AppId, form: Form = None, json: Json = False, server: Target | None = None
    ) -> None:
        kind = rows_of(resource)
        run(_export(kind, lambda c: resource_pages(c, resource, app), file, app, form, server, as_json=json))

    return command


for exported, text, *shown in (
    (BOARDS, "Export the rules of the boards of an app.", "boards.csv --app demo"),
    (ACTIONS, "Export the actions of an app.", "actions.csv --app demo", "- --app demo --format csv"),
    (PLAYERS, "Export the profiles of an app.", "players.csv --app demo", "players.ndjson.gz --app demo"),
):
    export.command(
        _resource_command(exported),
        name=exported.plural,
        help=text,
        help_epilogue=examples(*(f"export {exported.plural} {rest}" for rest in shown)),
    )


@export.command(
    help_epilogue=examples(
        "export ledger main.ndjson.gz --app demo --board main",
        "export ledger - --app demo --board main --format csv | head",
    )
)
def ledger(
    file: File,
    /,
    *,
    app: AppId,
    board: Annotated[str, Parameter(help="Id of the board.")],
    form: Form = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Export every applied update of a board in the order in which they were accepted."""
    run(_export(LEDGER, lambda c: ledger_pages(c, app, board), file, f"{app}/{board}", form, server, as_json=json))


async def _export(
    kind: RowType, pages: Pages, file: str, place: str, form: Format | None, target: Target | None, *, as_json: bool
) -> None:
    if as_json and file == STANDARD:
        raise UsageError("--json reports on a file, but - writes the rows to stdout; give one of them")
    form = form or _format_of(file)
    exported, started = 0, time.monotonic()
    async with connect(target) as connection:
        with _open_output(file) as out, display("exporting", None) as show:
            out.write(rows.header(kind.columns, form))
            async for page in pages(RetryingClient(connection.client, PATIENCE_S)):
                out.write(rows.lines(page, form))
                exported += len(page)
                show(exported)
    seconds = time.monotonic() - started
    if as_json:
        output.json({"rows": exported, "file": file, "seconds": round(seconds, 3)})
    elif file != STANDARD:
        output.note(
            f"Exported the {kind.plural} of {place} to {file}: {output.count(exported, 'row')} in {seconds:,.1f} s."
        )


def _format_of(file: str) -> Format:
    if file == STANDARD:
        return "ndjson"
    form = FORMATS.get(Path(file.removesuffix(".gz")).suffix)
    if form is None:
        raise UsageError(
            f"the format of {file!r} is unknown; end its name in .csv or .ndjson (and .gz), or give --format"
        )
    return form


@contextlib.contextmanager
def _open_output(file: str) -> Iterator[BinaryIO]:
    """Open a file that replaces an earlier one atomically when the block ends without an error."""
    if file == STANDARD:
        yield sys.stdout.buffer
        return
    path = Path(file)
    if path.exists() and not path.is_file():
        raise UsageError(f"{file} is not a plain file; to write to stdout, give -")
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("wb") as plain:
            if file.endswith(".gz"):
                with gzip.GzipFile(filename="", mode="wb", fileobj=plain, compresslevel=6, mtime=0) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield plain
            plain.flush()
            os.fsync(plain.fileno())
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
