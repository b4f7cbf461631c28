"""`scoreboard watch`: a board that moves, on a terminal or as lines that scripts read."""

import signal
from contextlib import aclosing, nullcontext

import msgspec
from cyclopts import App

from scoreboard.cli import show
from scoreboard.cli.client import told
from scoreboard.cli.errors import UsageError
from scoreboard.cli.resources import AppId, Json
from scoreboard.cli.screen import screen
from scoreboard.cli.target import Target, Way, run, way_to
from scoreboard.cli.top import Region, Season
from scoreboard.client import AsyncScoreboard, LiveTop, ScoreboardClientError, State
from scoreboard.domain.board import SAFE_INTEGER
from scoreboard.domain.top import Change, Line, changes

EXAMPLES = """\
Examples:
  scoreboard watch main --app demo
  scoreboard watch laps --app f1 --region eu
  scoreboard watch main --app demo --url https://scores.example.com
  scoreboard watch main --app demo | cut -f 4,5
  scoreboard watch main --app demo --json | jq -r 'select(.rank == 1) | .player'

Without a terminal, or with --json, there is a line for each player whose place
or score changed, at first for everybody: when, rank, rank before, score and
player, between tabs. A rank of '-' (null in JSON) is outside the top N. A lost
connection comes back by itself; what was missed is told then.
"""

watch = App(
    name="watch",
    help="Show the top of a board as it moves, until Ctrl-C. Public boards need no token.",
    help_epilogue=EXAMPLES,
)


@watch.default
def main(
    board: str,
    /,
    *,
    app: AppId,
    season: Season = None,
    region: Region = None,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Show the top of a board as it moves, until Ctrl-C. Public boards need no token.

    Parameters
    ----------
    board
        Id of the board; how many places it shows is its setting: scoreboard boards update --top-n.
    """
    way = way_to(server, reading=True)
    if way is None:
        raise UsageError("nothing serves this data folder; start it with: scoreboard serve, or give --url")
    run(_watch(way, app, board, season, region, as_json=json))


class Lines:
    """What changes, a line each on stdout; how the connection is, on stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._before: LiveTop | None = None
        self._lost = False

    def board(self, top: LiveTop) -> None:
        """What is new in it. A season begins with an empty board."""
        before = self._before if self._before is not None and self._before.season == top.season else None
        for change in changes([] if before is None else _places(before), _places(top)):
            print(_json(top, change) if self._as_json else _text(top, change), flush=True)
        self._before = top

    def state(self, state: State) -> None:
        if state.name == "waiting":
            self._lost = True
            show.note(f"{state.reason} (trying again in {state.in_s:.1f} s)")
        elif state.name == "live" and self._lost:
            self._lost = False
            show.note("Live again.")


async def _watch(way: Way, app: str, board: str, season: str | None, region: str | None, *, as_json: bool) -> None:
    # To be ended is to be interrupted: the terminal is left as it was.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    on_screen = show.is_terminal() and not as_json
    with screen(f"{app}/{board}") if on_screen else nullcontext(Lines(as_json=as_json)) as view:
        async with AsyncScoreboard(way.locate, app=app, token=way.token) as client:
            boards = client.watch(board, season=season, region=region, on_state=view.state)
            try:
                async with aclosing(boards):
                    async for top in boards:
                        view.board(top)
            except ScoreboardClientError as error:
                raise told(error) from error


def _places(top: LiveTop) -> list[Line]:
    """Who stands where, with how much; what else a line has does not count as a change here."""
    return [Line(entry.rank, entry.player, "", None, entry.score, 0) for entry in top.entries]


def _json(top: LiveTop, change: Change) -> str:
    """A score is text where JSON readers may lose digits."""
    exact = abs(change.score) <= SAFE_INTEGER
    fields = {
        "at": top.at,
        "season": top.season,
        "rank": change.rank,
        "previous_rank": change.previous_rank,
        "score": change.score if exact else str(change.score),
        "player": change.player,
    }
    return msgspec.json.encode(fields).decode()


def _text(top: LiveTop, change: Change) -> str:
    at = top.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ranks = (str(rank or "-") for rank in (change.rank, change.previous_rank))
    return "\t".join((at, *ranks, str(change.score), change.player))
