"""`scoreboard export`: all of a kind, page by page, into a file that is there only when it is whole."""

import contextlib
import gzip
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

from cyclopts import App, Parameter

from scoreboard.cli import show
from scoreboard.cli.display import displayed
from scoreboard.cli.errors import CommandError, UsageError
from scoreboard.cli.resources import AppId, Json
from scoreboard.cli.retrying import Patient
from scoreboard.cli.target import Target, connected, run
from scoreboard.cli.transfer import rows
from scoreboard.cli.transfer.collection import ACTIONS, BOARDS, LEDGER, PLAYERS, Collection, entries, things
from scoreboard.cli.transfer.rows import Format

STANDARD = "-"  # stdin or stdout instead of a file
FORMATS: dict[str, Format] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}
PATIENCE_S = 60.0

File = Annotated[
    str,
    Parameter(
        name="file", allow_leading_hyphen=True, help="Where to: .csv or .ndjson, .gz behind it packs; - is stdout."
    ),
]
Form = Annotated[Format | None, Parameter(name="--format", help="Of the rows; by the name of FILE, or ndjson.")]
Pages = Callable[[Patient], AsyncIterator[list[Any]]]

export = App(
    name="export",
    help="Write boards, actions, players or a ledger to a file.",
    help_epilogue="FILE ends in .csv or .ndjson, and in .gz to be packed; - is stdout.\n\n"
    "Examples:\n"
    "  scoreboard export players players.csv --app demo\n"
    "  scoreboard export ledger main.ndjson.gz --app demo --board main",
)


def _of_an_app(collection: Collection) -> Callable[..., None]:
    """The command for things of which an app has many."""

    def command(
        file: File, /, *, app: AppId, form: Form = None, json: Json = False, server: Target | None = None
    ) -> None:
        run(_export(collection, lambda c: things(c, collection, app), str(file), app, form, server, as_json=json))

    return command


for exported, text, *examples in (
    (BOARDS, "Write the rules of the boards of an app.", "boards.csv --app demo"),
    (ACTIONS, "Write the actions of an app.", "actions.csv --app demo", "- --app demo --format csv"),
    (PLAYERS, "Write the profiles of the players of an app.", "players.csv --app demo", "players.ndjson.gz --app demo"),
):
    export.command(
        _of_an_app(exported),
        name=exported.plural,
        help=text,
        help_epilogue="Examples:\n" + "\n".join(f"  scoreboard export {exported.plural} {rest}" for rest in examples),
    )


@export.command(
    help_epilogue="Examples:\n"
    "  scoreboard export ledger main.ndjson.gz --app demo --board main\n"
    "  scoreboard export ledger - --app demo --board main --format csv | head",
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
    """Write every update that counted on a board, in the order in which they were accepted."""
    run(_export(LEDGER, lambda c: entries(c, app, board), str(file), f"{app}/{board}", form, server, as_json=json))


async def _export(
    collection: Collection,
    pages: Pages,
    file: str,
    place: str,
    form: Format | None,
    target: Target | None,
    *,
    as_json: bool,
) -> None:
    if as_json and file == STANDARD:
        raise UsageError("--json tells about a file; with - stdout has the rows themselves")
    form = form or format_of(file)
    count, started = 0, time.monotonic()
    async with connected(target) as connection:
        with _writing(file) as out, displayed("exporting", None) as display:
            out.write(rows.header(collection.columns, form))
            async for page in pages(Patient(connection.client, PATIENCE_S)):
                out.write(rows.written(page, form))
                count += len(page)
                display.at(count)
    seconds = time.monotonic() - started
    if as_json:
        show.document({"rows": count, "file": file, "seconds": round(seconds, 3)})
    elif file != STANDARD:
        show.note(
            f"Exported the {collection.plural} of {place} to {file}: {show.counted(count, 'row')} in {seconds:,.1f} s."
        )


def format_of(file: str) -> Format:
    """By the name. Raises UsageError when it does not tell."""
    if file == STANDARD:
        return "ndjson"
    form = FORMATS.get(Path(file.removesuffix(".gz")).suffix)
    if form is None:
        raise UsageError(
            f"{file!r} does not tell its format: a name in .csv or .ndjson (or .gz behind it), or --format"
        )
    return form


@contextmanager
def _writing(file: str) -> Iterator[BinaryIO]:
    """Written under another name, and there in one step when all is done. What was there before stays until then."""
    if file == STANDARD:
        yield sys.stdout.buffer
        return
    path = Path(file)
    if path.exists() and not path.is_file():
        raise UsageError(f"{file} is not a plain file; - is stdout")
    draft = path.with_name(f"{path.name}.part")
    try:
        with draft.open("wb") as plain:
            yield from _packed(plain, packed=file.endswith(".gz"))
            plain.flush()
            os.fsync(plain.fileno())
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _packed(plain: BinaryIO, *, packed: bool) -> Iterator[BinaryIO]:
    if not packed:
        yield plain
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=plain, compresslevel=6, mtime=0) as file:
        yield cast("BinaryIO", file)
