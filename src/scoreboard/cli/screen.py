"""A live board on a terminal: the whole screen while it lasts, and the terminal as it was afterwards."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scoreboard.cli import standings
from scoreboard.client import Entry, LiveTop, State

DRAWN_PER_S = 8
AROUND = 6  # lines that are not standings


@contextmanager
def screen(title: str) -> Iterator["Screen"]:
    """Drawn a few times a second, whatever happens: for countdowns, and for terminals that change their size."""
    drawn = Screen(title)
    console = Console(highlight=False, markup=False, emoji=False)
    with Live(drawn, console=console, screen=True, refresh_per_second=DRAWN_PER_S):
        yield drawn


class Screen:
    """What is to be seen: the board, how players moved since they were first seen here, and how the connection is."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._top: LiveTop | None = None
        self._state = State("connecting")
        self._state_at = time.monotonic()
        self._first_ranks: dict[str, int] = {}

    def board(self, top: LiveTop) -> None:
        """Show this from now on. A season begins anew."""
        if self._top is None or self._top.season != top.season:
            self._first_ranks = {}
        for entry in top.entries:
            self._first_ranks.setdefault(entry.player, entry.rank)
        self._top = top

    def state(self, state: State) -> None:
        self._state, self._state_at = state, time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._heading(options.max_width)
        yield Text()
        room = max(1, (options.height or console.size.height) - AROUND)
        if self._top is None:
            yield Text("Waiting for the board ...", style="dim")
        elif not self._top.entries:
            yield Text(standings.EMPTY, style="dim")
        else:
            yield standings.table(self._top.entries[:room], self._movement)
        yield Text()
        yield self._footing(room)

    def _heading(self, width: int) -> Table:
        """What is watched on the left, how it is connected on the right."""
        top = self._top
        what = self._title if top is None else standings.of_what(top.app, top.board, top.season, top.region, top.total)
        line = Table.grid(expand=True)
        line.add_column(no_wrap=True, overflow="ellipsis")
        line.add_column(justify="right", no_wrap=True)
        line.add_row(Text(what, style="bold"), self._connection())
        return line

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
        """Places won or lost since the player was first seen here."""
        places = self._first_ranks.get(entry.player, entry.rank) - entry.rank
        if places == 0:
            return Text("")
        return Text(f"▲ {places}", style="green") if places > 0 else Text(f"▼ {-places}", style="red")
