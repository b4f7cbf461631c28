"""Apps, boards, actions and players."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Protocol, TypeAlias

from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.submission import TableKey


class BoardChanged(NamedTuple):
    board: Board


class BoardGone(NamedTuple):
    board: int


class PlayerChanged(NamedTuple):
    """Made, renamed or deleted."""

    app: App
    player: str


class AnythingChanged(NamedTuple):
    """What was told meanwhile is lost: everything that was read before may be old."""


Change: TypeAlias = BoardChanged | BoardGone | PlayerChanged | AnythingChanged


class Directory(Protocol):
    """What is looked up raises NotFound (`app_not_found`, `board_not_found`, ...) when it is not there; what is created
    raises Conflict (`app_exists`, ...) when it is. A write is durable when it returns, and seen by every read after it.
    In other processes that share the store it is seen within a second (apps, boards, actions) or at once (players).
    The `number` of what is passed to a `create_` is ignored: the store gives a new one, never used before.
    """

    def listen(self, heard: Callable[[Change], None]) -> None:
        """Tell `heard` of what other processes change, each time when reads here see it. It must not raise."""
        ...

    async def apps(self) -> list[App]: ...
    async def app(self, app: str) -> App: ...
    async def create_app(self, app: App) -> App: ...
    async def update_app(self, app: App) -> None: ...
    async def delete_app(self, app: App) -> None:
        """Deletes its boards, actions, players and all their history too."""
        ...

    async def boards(self, app: App) -> list[Board]: ...
    async def board(self, app: str, board: str) -> Board: ...
    async def create_board(self, board: Board) -> Board: ...
    async def update_board(self, board: Board) -> None: ...
    async def delete_board(self, board: Board) -> None:
        """Deletes its standings and history too. A board made later under the same id shares nothing with it."""
        ...

    async def actions(self, app: App) -> list[Action]: ...
    async def action(self, app: str, action: str) -> Action: ...
    async def create_action(self, action: Action) -> Action: ...
    async def update_action(self, action: Action) -> None: ...
    async def delete_action(self, action: Action) -> None: ...

    async def players(self, app: App, after: str, limit: int) -> list[Player]:
        """Players in the order of their ids, from the first after `after`."""
        ...

    async def find_players(self, app: App, players: Collection[str]) -> Mapping[str, Player]:
        """Those of `players` that exist, by id."""
        ...

    async def create_player(self, app: App, player: Player) -> None: ...
    async def update_player(self, app: App, player: Player) -> None: ...
    async def delete_player(self, app: App, player: Player) -> Collection[tuple[TableKey, int]]:
        """Deletes the player and every standing; returns the tables that held one, each with its version."""
        ...
