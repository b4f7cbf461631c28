"""`scoreboard import`: imports resources or a ledger from a file, each row once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from scoreboard.cli.client import Client
from scoreboard.cli.parameters import ABSENT, AppId, BoardId, Json, Patience, annotate, examples
from scoreboard.cli.resources import ACTIONS, BOARDS, PLAYERS, Resource
from scoreboard.cli.target import DEFAULT, Target, run_with
from scoreboard.cli.transfer.collections import LEDGER, rows_of
from scoreboard.cli.transfer.importer import Importer
from scoreboard.cli.transfer.progress import ProgressFile
from scoreboard.cli.transfer.rows import Row, check
from scoreboard.cli.transfer.sinks import BoardSink, ResourceSink, RowSink

PATIENCE_S = 60.0

File = Annotated[Path, Parameter(name="file", allow_leading_hyphen=True, help="File with the rows; - is stdin.")]

import_ = App(
    name="import",
    help="Import boards, actions, players or a ledger from a file.",
    help_epilogue="FILE has the format of `scoreboard export`: CSV with a header or NDJSON, plain or\n"
    "gzip; - is stdin. If an import is stopped or fails, run the same command again: it\n"
    "continues after the last confirmed row. No row counts twice.\n\n"
    + examples("import players players.csv --app demo", "import ledger main.ndjson.gz --app demo --board main"),
)


def _command(resource: Resource | None) -> Callable[..., None]:
    """Return the command that imports a kind of resource, or a ledger if None."""

    def command(
        file: File,
        /,
        *,
        app: AppId,
        board: str = "",
        patience: Patience = PATIENCE_S,
        json: Json = False,
        server: Target = DEFAULT,
    ) -> None:
        source = check(str(file), LEDGER if resource is None else rows_of(resource))
        place = f"{app}/{board}" if resource is None else app

        async def import_rows(client: Client) -> Importer:
            sink: RowSink
            if resource is None:
                sink = BoardSink(client, app, board, ("ledger",), _to_entries)
            else:
                sink = ResourceSink(client, resource, app)
            plural = source.kind.plural.replace(" ", "-")
            progress = ProgressFile(f"import-{plural}", source.digest, place, client.server)
            importer = Importer(source, sink, progress, "importing", place)
            await importer.run()
            progress.delete()
            return importer

        run_with(server, import_rows, patience_s=patience).report(as_json=json)

    return annotate(command, board=BoardId if resource is None else Annotated[str, ABSENT])


def _to_entries(rows: Sequence[Row]) -> dict[str, Any]:
    return {"entries": [row.item for row in rows]}


for imported, remark, *shown in (
    (BOARDS, " The ranking rules of an existing board cannot be changed.", "boards.csv"),
    (ACTIONS, "", "actions.csv"),
    (PLAYERS, " Fields without a column are not changed.", "players.csv", "players.ndjson.gz"),
):
    import_.command(
        _command(imported),
        name=imported.plural,
        help=f"Create the {imported.plural} in a file, and update existing ones.{remark}",
        help_epilogue=examples(*(f"import {imported.plural} {file} --app copy" for file in shown)),
    )
import_.command(
    _command(None),
    name="ledger",
    help="Import the updates of another board with their original times, each once.",
    help_epilogue=examples(
        "import ledger main.ndjson.gz --app demo --board main",
        "export ledger - --app demo --board main |\n    scoreboard import ledger - --app copy --board main",
    ),
)
