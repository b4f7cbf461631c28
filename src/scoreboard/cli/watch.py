"""`scoreboard watch`: a live board on a terminal, or its changes as lines."""

import signal
from contextlib import aclosing, nullcontext

import msgspec
from cyclopts import App

from scoreboard.cli import output
from scoreboard.cli.client import to_command_error
from scoreboard.cli.errors import UsageError
from scoreboard.cli.parameters import AppId, Json, examples
from scoreboard.cli.screen import open_screen
from scoreboard.cli.target import Server, Target, find_server, run
from scoreboard.cli.top import BoardId, Region, Season
from scoreboard.client import AsyncScoreboard, LiveTop, ScoreboardClientError, State
from scoreboard.domain.board import SAFE_INTEGER
from scoreboard.domain.top import Change, Line, changes

watch = App(
    name="watch",
    help="Show the live top of a board until Ctrl-C. Public boards need no token.",
    help_epilogue=examples(
        "watch main --app demo",
        "watch laps --app f1 --region eu",
        "watch main --app demo --url https://scores.example.com",
        "watch main --app demo | cut -f 4,5",
        "watch main --app demo --json | jq -r 'select(.rank == 1) | .player'",
    )
    + """

Without a terminal or with --json, it prints a line for each player whose place
or score changed, starting with every player. The fields are separated by tabs:
time, rank, previous rank, score, player. A rank of '-' (null in JSON) is
outside the top N. After a lost connection, it reconnects and prints the
changes since then.
""",
)


@watch.default
def main(
    board: BoardId,
    /,
    *,
    app: AppId,
    season: Season = None,
    region: Region = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Show the live top of a board until Ctrl-C. Public boards need no token.

    The number of places is a setting of the board: scoreboard boards update --top-n.
    """
    found = find_server(server, reading=True)
    if found is None:
        raise UsageError("no server runs on this data folder; start one with: scoreboard serve, or give --url")
    run(_watch(found, app, board, season, region, as_json=json))


class Lines:
    """Prints each change as a line to stdout, and the state of the connection to stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._before: LiveTop | None = None
        self._lost = False

    def show_board(self, top: LiveTop) -> None:
        """Print the changes since the board before. A season starts with an empty board."""
        before = self._before if self._before is not None and self._before.season == top.season else None
        for change in changes([] if before is None else _lines(before), _lines(top)):
            print(_as_json(top, change) if self._as_json else _as_text(top, change), flush=True)
        self._before = top

    def show_state(self, state: State) -> None:
        if state.name == "waiting":
            self._lost = True
            output.note(f"{state.reason} (trying again in {state.in_s:.1f} s)")
        elif state.name == "live" and self._lost:
            self._lost = False
            output.note("Live again.")


async def _watch(
    server: Server, app: str, board: str, season: str | None, region: str | None, *, as_json: bool
) -> None:
    # SIGTERM ends the command like Ctrl-C does, so that the terminal is restored.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    on_screen = output.is_terminal() and not as_json
    with open_screen(f"{app}/{board}") if on_screen else nullcontext(Lines(as_json=as_json)) as view:
        async with AsyncScoreboard(server.locate, app=app, token=server.token) as client:
            boards = client.watch(board, season=season, region=region, on_state=view.show_state)
            try:
                async with aclosing(boards):
                    async for top in boards:
                        view.show_board(top)
            except ScoreboardClientError as error:
                raise to_command_error(error) from error


def _lines(top: LiveTop) -> list[Line]:
    """Return rank, player and score of each entry; a change of the other fields is not printed."""
    return [Line(entry.rank, entry.player, "", None, entry.score, 0) for entry in top.entries]


def _as_json(top: LiveTop, change: Change) -> str:
    fields = {
        "at": top.at,
        "season": top.season,
        "rank": change.rank,
        "previous_rank": change.previous_rank,
        # JSON readers may lose digits of larger numbers.
        "score": change.score if abs(change.score) <= SAFE_INTEGER else str(change.score),
        "player": change.player,
    }
    return msgspec.json.encode(fields).decode()


def _as_text(top: LiveTop, change: Change) -> str:
    at = top.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ranks = (str(rank or "-") for rank in (change.rank, change.previous_rank))
    return "\t".join((at, *ranks, str(change.score), change.player))
