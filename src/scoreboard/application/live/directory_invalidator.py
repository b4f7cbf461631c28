"""DirectoryInvalidator: what changed elsewhere, or here, changes what is shown."""

from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.directory import AnythingChanged, BoardChanged, BoardGone, Change, PlayerChanged
from scoreboard.application.standings.player_cache import PlayerCache


class DirectoryInvalidator:
    """The one place that says what a change of the directory means for open pages."""

    def __init__(self, names: PlayerCache, publish: Publisher) -> None:
        self._names = names
        self._publish = publish

    def __call__(self, change: Change) -> None:
        """Reads see the change by now."""
        match change:
            case BoardChanged(board):
                if not board.public:
                    self._publish.board_restricted(board.pk, board)
                self._publish.boards_changed(lambda one: one.pk == board.pk)
            case BoardGone(number):
                self._publish.board_restricted(number, None)
            case PlayerChanged(app, player):
                self._names.invalidate(app, player)
                self._publish.boards_changed(lambda one: one.app.pk == app.pk)
            case AnythingChanged():
                self._names.invalidate_all()
                self._publish.boards_changed(lambda _: True)
