"""`scoreboard rebuild`: rebuilds the rankings of a running server from the totals."""

from typing import Annotated, Any

from cyclopts import Parameter

from scoreboard.cli import output
from scoreboard.cli.client import Client
from scoreboard.cli.errors import UsageError
from scoreboard.cli.parameters import Json
from scoreboard.cli.target import DEFAULT, Target, run_with

PATIENCE_S = 600.0


def rebuild(
    *,
    app: Annotated[str | None, Parameter(help="Id of the app; default: every app.")] = None,
    board: Annotated[str | None, Parameter(help="Id of the board; default: every board of the app.")] = None,
    json: Json = False,
    server: Target = DEFAULT,
) -> None:
    """Discard the rankings of a running server and rebuild them from the totals.

    No score is lost: the ledger and the totals are the source of truth. Updates continue during a rebuild. Reads wait,
    or report that the ranking is warming.
    """
    if board is not None and app is None:
        raise UsageError("--board needs --app")

    async def rebuild_boards(client: Client) -> list[dict[str, Any]]:
        rebuilt: list[dict[str, Any]] = []
        if not client.served:
            output.note("No server is running on this folder. `scoreboard serve` builds the rankings when it starts.")
            return rebuilt
        for path in [("apps", app, "boards", board)] if app and board else await board_paths(client, app):
            result = await client.call("POST", *path, "rebuild")
            if result["rank_state"] != "exact":  # the read waits until the rebuild of a large board is done
                result["standings"] = (await client.call("GET", *path, "top", query={"limit": 1}))["total"]
            counts = {name: result[name] for name in ("tables", "standings")}
            rebuilt.append({"app": path[1], "board": path[3], **counts})
        return rebuilt

    rebuilt = run_with(server, rebuild_boards, patience_s=PATIENCE_S)
    output.table(("app", "board", "tables", "standings"), rebuilt, as_json=json)


async def board_paths(client: Client, app: str | None = None) -> list[tuple[str, str, str, str]]:
    """Return the API paths of all boards, of one app or of every app."""
    apps = [app] if app else [one["app"] for one in (await client.call("GET", "apps"))["apps"]]
    return [
        ("apps", one, "boards", board["board"])
        for one in apps
        for board in (await client.call("GET", "apps", one, "boards"))["boards"]
    ]
