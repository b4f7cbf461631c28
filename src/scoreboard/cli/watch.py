"""`scoreboard watch`: a live board on a terminal, or its changes as lines."""

import signal
import time
from contextlib import aclosing, nullcontext
from typing import Any

import msgspec
from cyclopts import App
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from scoreboard.cli import output
from scoreboard.cli.client import to_command_error
from scoreboard.cli.errors import UsageError
from scoreboard.cli.parameters import AppId, Json, examples
from scoreboard.cli.target import DEFAULT, Target, find_server, run
from scoreboard.cli.top import EMPTY, BoardId, Region, Season, table, title
from scoreboard.client import AsyncScoreboard, Entry, LiveTop, ScoreboardClientError, State
from scoreboard.domain.board import SAFE_INTEGER
from scoreboard.domain.top import Change, Line, changes

REFRESH_PER_S = 8
OTHER_LINES = 6  # lines of the screen that are not standings

watch = App(
    name="watch",
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
    server: Target = DEFAULT,
) -> None:
    """Show the top of a board live until Ctrl-C. Public boards need no token.

    The number of places is a setting of the board: scoreboard boards update --top-n.
    """
    found = find_server(server, reading=True)
    if found is None:
        raise UsageError("no server is running on this data folder; start one with: scoreboard serve, or pass --url")

    async def watch_board() -> None:
        # SIGTERM ends the command like Ctrl-C does, so that the terminal is restored.
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
        view: Screen | Lines
        if output.is_terminal() and not json:
            view = Screen(f"{app}/{board}")
            console = Console(highlight=False, markup=False, emoji=False)
            # Regular redraws update the countdown and the size.
            display: Any = Live(view, console=console, screen=True, refresh_per_second=REFRESH_PER_S)
        else:
            view, display = Lines(as_json=json), nullcontext()
        with display:
            async with AsyncScoreboard(found.locate, app=app, token=found.token) as client:
                boards = client.watch(board, season=season, region=region, on_state=view.show_state)
                try:
                    async with aclosing(boards):
                        async for top in boards:
                            view.show_board(top)
                except ScoreboardClientError as error:
                    raise to_command_error(error) from error

    run(watch_board())


class Screen:
    """Content of the screen: a board, the moves of its players, and the connection."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._top: LiveTop | None = None
        self._state = State("connecting")
        self._state_at = time.monotonic()
        self._first_ranks: dict[str, int] = {}

    def show_board(self, top: LiveTop) -> None:
        """Replace the board. Movement is counted from the first board of a season."""
        if self._top is None or self._top.season != top.season:
            self._first_ranks = {}
        for entry in top.entries:
            self._first_ranks.setdefault(entry.player, entry.rank)
        self._top = top

    def show_state(self, state: State) -> None:
        self._state, self._state_at = state, time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        top = self._top
        name, connection = Column(no_wrap=True, overflow="ellipsis"), Column(justify="right", no_wrap=True)
        heading = Table.grid(name, connection, expand=True)
        heading.add_row(Text(self._title if top is None else title(top), style="bold"), self._connection())
        yield heading
        yield Text()
        room = max(1, (options.height or console.size.height) - OTHER_LINES)
        if top is None:
            yield Text("Waiting for the board ...", style="dim")
        elif not top.entries:
            yield Text(EMPTY, style="dim")
        else:
            yield table(top.entries[:room], self._movement)
        yield Text()
        yield self._footing(room)

    def _connection(self) -> Text:
        match self._state.name:
            case "live":
                return Text("● live", style="green")
            case "connecting":
                return Text("○ connecting", style="yellow")
            case "waiting":
                left_s = max(0.0, self._state_at + self._state.in_s - time.monotonic())
                return Text(f"○ reconnecting in {left_s:.0f} s", style="yellow")

    def _footing(self, room: int) -> Text:
        as_of = hidden = ""
        if self._top is not None:
            as_of = f"as of {self._top.at.astimezone():%H:%M:%S}  "
            hidden = f"{len(self._top.entries) - room} more not shown  " if len(self._top.entries) > room else ""
        if self._state.name == "live":
            return Text(f"{as_of}{hidden}Ctrl-C to stop", style="dim")
        stale = f"stale, {as_of}" if as_of else ""
        return Text(f"{stale}{self._state.reason}", style="yellow", overflow="ellipsis", no_wrap=True)

    def _movement(self, entry: Entry) -> Text:
        places = self._first_ranks.get(entry.player, entry.rank) - entry.rank
        if places == 0:
            return Text("")
        return Text(f"▲ {places}", style="green") if places > 0 else Text(f"▼ {-places}", style="red")


class Lines:
    """View of a board as lines: changes to stdout, connection states to stderr."""

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
            output.note("Reconnected.")


def _lines(top: LiveTop) -> list[Line]:
    """Return the fields of the entries whose changes are printed."""
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
