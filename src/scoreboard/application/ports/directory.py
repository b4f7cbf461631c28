"""The directory port: apps, boards, actions and players."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Protocol, TypeAlias

from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.submission import TableKey


class BoardChanged(NamedTuple):
    board: Board


class BoardGone(NamedTuple):
    board: int


class PlayerChanged(NamedTuple):
    """The creation, update or deletion of a player."""

    app: App
    player: str


class AnythingChanged(NamedTuple):
    """A gap in the notifications: everything that was read earlier may be outdated."""


Change: TypeAlias = BoardChanged | BoardGone | PlayerChanged | AnythingChanged


class Directory(Protocol):
    """The stored definitions of all apps.

    A look-up raises NotFound (`app_not_found`, `board_not_found`, ...) for a missing entry. A `create_` method raises
    Conflict (`app_exists`, ...) for an existing id. It ignores the `pk` that is passed, and assigns a new one that was
    never used before. A write is durable when it returns, and every later read sees it. Other processes that share
    the store see it within a second (apps, boards, actions) or at once (players). A method that accesses the store
    raises Unavailable when the store fails.
    """

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` after each change by another process, once reads here see it.

        `listener` must not raise.
        """

    async def apps(self) -> list[App]: ...
    async def app(self, app: str) -> App: ...
    async def create_app(self, app: App) -> App: ...
    async def update_app(self, app: App) -> None: ...
    async def delete_app(self, app: App) -> None:
        """Delete an app with its boards, actions, players and all their history."""

    async def boards(self, app: App) -> list[Board]: ...
    async def board(self, app: str, board: str) -> Board: ...
    async def create_board(self, board: Board) -> Board: ...
    async def update_board(self, board: Board) -> None: ...
    async def delete_board(self, board: Board) -> None:
        """Delete a board with its standings and history.

        A board that is created later under the same id shares nothing with it.
        """

    async def actions(self, app: App) -> list[Action]: ...
    async def action(self, app: str, action: str) -> Action: ...
    async def create_action(self, action: Action) -> Action: ...
    async def update_action(self, action: Action) -> None: ...
    async def delete_action(self, action: Action) -> None: ...

    async def players(self, app: App, after: str, limit: int) -> list[Player]:
        """Return at most `limit` players in the order of ids, starting after `after`."""

    async def find_players(self, app: App, players: Collection[str]) -> Mapping[str, Player]:
        """Return those of `players` that exist, by id."""

    async def create_player(self, app: App, player: Player) -> None: ...
    async def update_player(self, app: App, player: Player) -> None: ...
    async def delete_player(self, app: App, player: Player) -> Collection[tuple[TableKey, int]]:
        """Delete a player and all standings of the player.

        Return the tables that had a standing, each with the version of that standing.
        """
