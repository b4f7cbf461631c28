"""PlayerCache: the names next to scores, without a query per read."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from scoreboard.application.ports.directory import Directory
from scoreboard.domain.board import App, Player
from scoreboard.domain.errors import Unavailable

CAPACITY = 50_000  # players: the top N of thousands of live boards


class PlayerCache:
    """A bounded cache of players. `revision` grows with every invalidation."""

    def __init__(self, directory: Directory, capacity: int = CAPACITY) -> None:
        self._directory = directory
        self._capacity = capacity
        self._players: OrderedDict[tuple[int, str], Player] = OrderedDict()
        self.revision = 0

    async def get(self, app: App, players: Iterable[str]) -> Mapping[str, Player]:
        """Return players by id. An unknown or unreachable player has its id as its name."""
        found: dict[str, Player] = {}
        missing: list[str] = []
        for player in players:
            known = self._players.get((app.pk, player))
            if known is None:
                missing.append(player)
            else:
                self._players.move_to_end((app.pk, player))
                found[player] = known
        if missing:
            found.update(await self._fetch(app, missing))
        return found

    def invalidate(self, app: App, player: str) -> None:
        """Remove a player whose rename or deletion is durable: no later read returns it."""
        self.revision += 1
        self._players.pop((app.pk, player), None)

    def invalidate_all(self) -> None:
        """Remove all players: changes may have been missed."""
        self.revision += 1
        self._players.clear()

    async def _fetch(self, app: App, players: list[str]) -> dict[str, Player]:
        revision = self.revision
        try:
            known = await self._directory.find_players(app, players)
        except Unavailable:
            return {player: Player(player, player) for player in players}
        fetched = {player: known.get(player) or Player(player, player) for player in players}
        # The query may have read a player before a rename that is already invalidated.
        if revision == self.revision:
            self._players.update({(app.pk, player): known[player] for player in known})
            while len(self._players) > self._capacity:
                self._players.popitem(last=False)
        return fetched
