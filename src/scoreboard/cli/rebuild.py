"""`scoreboard rebuild`: the rankings of a running server, made again from the totals."""

from typing import Annotated, Any

from cyclopts import Parameter

from scoreboard.cli import show
from scoreboard.cli.errors import UsageError
from scoreboard.cli.resources import Json
from scoreboard.cli.retrying import Patient
from scoreboard.cli.target import Target, connected, run

PATIENCE_S = 600.0

Some = Annotated[str | None, Parameter(help="Id of the app; every app when absent.")]


def rebuild(
    *,
    app: Some = None,
    board: Annotated[str | None, Parameter(help="Id of the board; every board of the app when absent.")] = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Throw the rankings of a running server away, and make them again from the totals.

    Nothing is lost: the ledger and the totals are the truth. Updates go on meanwhile; a read waits, or says that the
    ranking is warming.
    """
    if board is not None and app is None:
        raise UsageError("--board needs --app")
    made = run(_rebuilt(app, board, server))
    if made is None:
        show.note("No server runs on this folder: `scoreboard serve` makes the rankings when it starts.")
        made = []
    show.things(("app", "board", "tables", "standings"), made, as_json=json)


async def _rebuilt(app: str | None, board: str | None, target: Target | None) -> list[dict[str, Any]] | None:
    async with connected(target) as connection:
        if not connection.served:
            return None
        client = Patient(connection.client, PATIENCE_S)
        return [await _one(client, *place) for place in await places(client, app, board)]


async def places(client: Patient, app: str | None, board: str | None) -> list[tuple[str, str]]:
    """The boards that are meant, by app and id."""
    if app is not None and board is not None:
        return [(app, board)]
    apps = [app] if app else [one["app"] for one in (await client.call("GET", "apps"))["apps"]]
    return [
        (one, found["board"]) for one in apps for found in (await client.call("GET", "apps", one, "boards"))["boards"]
    ]


async def _one(client: Patient, app: str, board: str) -> dict[str, Any]:
    path = ("apps", app, "boards", board)
    made = await client.call("POST", *path, "rebuild")
    if made["rank_state"] != "exact":  # a large one: a read is answered when it is there
        made["standings"] = (await client.call("GET", *path, "top", query={"limit": 1}))["total"]
    return {"app": app, "board": board, "tables": made["tables"], "standings": made["standings"]}
