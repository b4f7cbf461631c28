"""`scoreboard import`: imports resources or a ledger from a file, each row once."""

from collections.abc import Callable
from typing import Annotated

from cyclopts import App, Parameter

from scoreboard.cli.client import RetryingClient
from scoreboard.cli.parameters import AppId, Json, Patience, examples
from scoreboard.cli.resources import ACTIONS, BOARDS, PLAYERS, Resource
from scoreboard.cli.target import Target, connect, run
from scoreboard.cli.transfer.collections import LEDGER, rows_of
from scoreboard.cli.transfer.importer import Importer, RowSink
from scoreboard.cli.transfer.progress import ProgressFile
from scoreboard.cli.transfer.sinks import BoardSink, ResourceSink
from scoreboard.cli.transfer.source import Source, check

PATIENCE_S = 60.0

File = Annotated[str, Parameter(name="file", allow_leading_hyphen=True, help="File with the rows; - is stdin.")]
Board = Annotated[str, Parameter(help="Id of the board, which must exist: scoreboard import boards")]

import_ = App(
    name="import",
    help="Import boards, actions, players or a ledger from a file.",
    help_epilogue="FILE has the format of `scoreboard export`: CSV with a header or NDJSON, plain or\n"
    "gzip; - is stdin. If an import is stopped or fails, run the same command again: it\n"
    "continues after the last confirmed row. No row counts twice.\n\n"
    + examples("import players players.csv --app demo", "import ledger main.ndjson.gz --app demo --board main"),
)


def _resource_command(resource: Resource) -> Callable[..., None]:
    def command(
        file: File, /, *, app: AppId, patience: Patience = PATIENCE_S, json: Json = False, server: Target | None = None
    ) -> None:
        source = check(file, rows_of(resource))
        _import(source, lambda client: ResourceSink(client, resource, app), app, patience, server, as_json=json)

    return command


for imported, remark, *shown in (
    (BOARDS, " The ranking rules of an existing board never change.", "boards.csv"),
    (ACTIONS, "", "actions.csv"),
    (PLAYERS, " Fields without a column stay unchanged.", "players.csv", "players.ndjson.gz"),
):
    import_.command(
        _resource_command(imported),
        name=imported.plural,
        help=f"Create the {imported.plural} in a file, and update those that exist and differ.{remark}",
        help_epilogue=examples(*(f"import {imported.plural} {file} --app copy" for file in shown)),
    )


@import_.command(
    help_epilogue=examples("import ledger main.ndjson.gz --app demo --board main")
    + "\n  scoreboard export ledger - --app demo --board main |\n    scoreboard import ledger - --app copy --board main"
)
def ledger(
    file: File,
    /,
    *,
    app: AppId,
    board: Board,
    patience: Patience = PATIENCE_S,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Import the updates of another board at the times when they were accepted, each once."""

    def to_sink(client: RetryingClient) -> RowSink:
        return BoardSink(client, app, board, ("ledger",), lambda rows: {"entries": [row.item for row in rows]})

    _import(check(file, LEDGER), to_sink, f"{app}/{board}", patience, server, as_json=json)


def _import(
    source: Source,
    to_sink: Callable[[RetryingClient], RowSink],
    place: str,
    patience_s: float,
    target: Target | None,
    *,
    as_json: bool,
) -> None:
    async def import_rows() -> None:
        async with connect(target) as connection:
            command = f"import-{source.kind.plural.replace(' ', '-')}"
            progress = (
                None
                if source.digest is None
                else ProgressFile(command, source.digest, place.replace("/", "-"), connection.name)
            )
            importer = Importer(source, to_sink(RetryingClient(connection.client, patience_s)), progress, "importing")
            summary = await importer.run()
            if progress is not None:
                progress.delete()
        importer.report(summary, place, as_json=as_json)

    run(import_rows())
