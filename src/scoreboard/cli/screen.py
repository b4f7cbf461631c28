"""Live board on a terminal, drawn on the alternate screen."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scoreboard.cli import standings
from scoreboard.client import Entry, LiveTop, State

REFRESH_PER_S = 8
OTHER_LINES = 6  # lines of the screen that are not standings


class Screen:
    """Content of the screen: the board, how its players moved, and the state of the connection."""

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
        title = self._title if top is None else standings.title(top.app, top.board, top.season, top.region, top.total)
        heading = Table.grid(expand=True)
        heading.add_column(no_wrap=True, overflow="ellipsis")
        heading.add_column(justify="right", no_wrap=True)
        heading.add_row(Text(title, style="bold"), self._connection())
        yield heading
        yield Text()
        room = max(1, (options.height or console.size.height) - OTHER_LINES)
        if top is None:
            yield Text("Waiting for the board ...", style="dim")
        elif not top.entries:
            yield Text(standings.EMPTY, style="dim")
        else:
            yield standings.table(top.entries[:room], self._movement)
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
            hidden = f"{len(self._top.entries) - room} more do not fit  " if len(self._top.entries) > room else ""
        if self._state.name == "live":
            return Text(f"{as_of}{hidden}Ctrl-C ends", style="dim")
        stale = f"stale, {as_of}" if as_of else ""
        return Text(f"{stale}{self._state.reason}", style="yellow", overflow="ellipsis", no_wrap=True)

    def _movement(self, entry: Entry) -> Text:
        places = self._first_ranks.get(entry.player, entry.rank) - entry.rank
        if places == 0:
            return Text("")
        return Text(f"▲ {places}", style="green") if places > 0 else Text(f"▼ {-places}", style="red")


@contextmanager
def open_screen(title: str) -> Iterator[Screen]:
    """Show a screen until the block ends, and restore the terminal. Regular redraws update countdowns and the size."""
    screen = Screen(title)
    console = Console(highlight=False, markup=False, emoji=False)
    with Live(screen, console=console, screen=True, refresh_per_second=REFRESH_PER_S):
        yield screen
