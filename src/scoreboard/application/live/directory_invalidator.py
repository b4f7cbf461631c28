"""DirectoryInvalidator: react to changes of boards and players."""

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.directory import AnythingChanged, BoardChanged, BoardGone, Change, PlayerChanged
from scoreboard.application.standings.player_cache import PlayerCache


class DirectoryInvalidator:
    """The listener that applies directory changes to the player cache and to pages."""

    def __init__(self, players: PlayerCache, publisher: Publisher) -> None:
        self._players = players
        self._publisher = publisher

    def __call__(self, change: Change) -> None:
        """Invalidate and refresh what shows a change that reads already return."""
        match change:
            case BoardChanged(board):
                if not board.public:
                    self._publisher.board_restricted(board.pk, board)
                self._publisher.boards_changed(lambda other: other.pk == board.pk)
            case BoardGone(board_pk):
                self._publisher.board_restricted(board_pk, None)
            case PlayerChanged(app, player):
                self._players.invalidate(app, player)
                self._publisher.boards_changed(lambda board: board.app.pk == app.pk)
            case AnythingChanged():
                self._players.invalidate_all()
                self._publisher.boards_changed(lambda _: True)
