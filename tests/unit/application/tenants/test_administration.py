import weakref
from collections.abc import Callable
from typing import cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.live.directory_invalidator import DirectoryInvalidator
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.standings.player_cache import PlayerCache
from scoreboard.application.tenants.administration import Tenants
from scoreboard.application.updates.decide import decide
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import Forbidden, Invalid, NotFound
from tests.making import NOON, submission, table

OPERATOR = principal_of("admin", "*", "operator")


class FakePublisher:
    """A publisher that records changed and restricted boards."""

    def __init__(self) -> None:
        self.changed_boards: Callable[[Board], bool] = lambda _: False
        self.restricted: list[tuple[int, Board | None]] = []

    def board_restricted(self, number: int, board: Board | None) -> None:
        self.restricted.append((number, board))

    def boards_changed(self, which: Callable[[Board], bool]) -> None:
        self.changed_boards = which

    def changed(self, *_: object) -> None:
        return None


class Service:
    def __init__(self, store: Database) -> None:
        self.publisher = FakePublisher()
        publisher = cast("Publisher", self.publisher)
        self.ledger, self.directory = SqliteLedger(store), SqliteDirectory(store)
        self.ranking = MemoryRanking(self.ledger.standings, "epoch", load_s=BOUND_S)
        self.players = PlayerCache(self.directory)
        self.tenants = Tenants(self.directory, self.ranking, DirectoryInvalidator(self.players, publisher))
        self._at = NOON

    async def add_score(self, board: Board, player: str, value: int) -> None:
        self._at += 1_000
        batch = [submission(board, player, value, self._at)]
        decision = await self.ledger.transact(batch, decide)
        for key, standings in decision.to_rank.items():
            await self.ranking.apply(key, board, standings, place=False)

    async def read_top(self, board: Board) -> list[tuple[str, int]]:
        await self.ranking.warm(table(board), board)
        return [(one.player, one.score) for one in (await self.ranking.slice(table(board), board, 0, 10)).rows]


@pytest.fixture
def service(store: Database) -> Service:
    return Service(store)


@pytest.fixture
async def app(service: Service) -> App:
    return await service.tenants.create_app(OPERATOR, "game", "Game", "UTC")


@pytest.fixture
async def main(service: Service, app: App) -> Board:
    return await service.tenants.create_board(app, "main", {"name": "Main"})


async def test_a_deleted_player_is_not_ranked_until_it_scores_again(service: Service, app: App, main: Board) -> None:
    for player, value in (("ann", 5), ("bob", 3), ("ann", 1)):
        await service.add_score(main, player, value)
    assert await service.read_top(main) == [("ann", 6), ("bob", 3)]
    await service.tenants.delete_player(app, await service.tenants.player(app, "ann"))
    assert await service.read_top(main) == [("bob", 3)]
    assert service.publisher.changed_boards(main)
    await service.add_score(main, "ann", 2)
    assert await service.read_top(main) == [("bob", 3), ("ann", 2)]


async def test_a_board_created_again_is_empty(service: Service, app: App, main: Board) -> None:
    await service.add_score(main, "ann", 5)
    await service.tenants.delete_board(main)
    assert service.publisher.restricted == [(main.pk, None)]
    again = await service.tenants.create_board(app, "main", {"name": "Main"})
    assert await service.read_top(again) == []
    await service.add_score(again, "bob", 1)
    assert await service.read_top(again) == [("bob", 1)]


async def test_player_ids_are_freed_with_the_last_board_of_an_app(service: Service, app: App, main: Board) -> None:
    another = await service.tenants.create_app(OPERATOR, "another", "Another", "UTC")
    elsewhere = await service.tenants.create_board(another, "main", {"name": "Main"})
    second = await service.tenants.create_board(app, "second", {})
    for board in (main, second, elsewhere):
        await service.add_score(board, "ann", 5)
    slots = weakref.ref(service.ranking.slots[app.pk])
    await service.tenants.delete_board(main)
    assert slots() is not None
    await service.add_score(second, "ann", 1)
    assert await service.read_top(second) == [("ann", 6)]
    await service.tenants.delete_app(OPERATOR, app.slug)
    assert slots() is None
    assert await service.read_top(elsewhere) == [("ann", 5)]


async def test_only_a_board_that_becomes_private_is_restricted(service: Service, main: Board) -> None:
    renamed = await service.tenants.update_board(main, {"name": "Renamed"})
    assert service.publisher.restricted == []
    private = await service.tenants.update_board(renamed, {"public": False})
    assert service.publisher.restricted == [(main.pk, private)]
    await service.tenants.update_board(private, {"public": True})
    assert service.publisher.restricted == [(main.pk, private)]


async def test_a_change_to_a_deleted_board_or_app_does_not_affect_its_successor(
    service: Service, app: App, main: Board
) -> None:
    await service.tenants.delete_board(main)
    again = await service.tenants.create_board(app, "main", {"name": "Main"})
    with pytest.raises(NotFound):
        await service.tenants.update_board(main, {"name": "Renamed"})
    assert await service.directory.board("game", "main") == again
    await service.tenants.delete_app(OPERATOR, app.slug)
    successor = await service.tenants.create_app(OPERATOR, "game", "Game", "UTC")
    for change in (service.tenants.update_app(app, {"name": "Renamed"}), service.tenants.create_board(app, "main", {})):
        with pytest.raises(NotFound):
            await change
    assert await service.directory.app("game") == successor
    assert await service.directory.boards(successor) == []


async def test_a_new_player_name_is_visible_at_once_and_published_to_all_boards(
    service: Service, app: App, main: Board
) -> None:
    ann = await service.tenants.create_player(app, "ann", "Ann", {})
    assert (await service.players.get(app, ["ann"]))["ann"].username == "Ann"
    await service.tenants.update_player(app, ann, {"username": "Annie"})
    assert (await service.players.get(app, ["ann"]))["ann"].username == "Annie"
    assert service.publisher.changed_boards(main)


async def test_the_name_of_a_new_player_replaces_a_cached_id(service: Service, app: App) -> None:
    assert (await service.players.get(app, ["ann"]))["ann"].username == "ann"
    await service.tenants.create_player(app, "ann", "Ann", {})
    assert (await service.players.get(app, ["ann"]))["ann"].username == "Ann"


async def test_an_invalid_change_is_refused_and_changes_nothing(service: Service, app: App, main: Board) -> None:
    with pytest.raises(Invalid):
        await service.tenants.update_board(main, {"top_n": 0})
    with pytest.raises(Invalid):
        await service.tenants.update_app(app, {"time_zone": "nowhere"})
    with pytest.raises(Invalid):
        await service.tenants.create_player(app, "", "", {})
    assert await service.directory.board("game", "main") == main
    assert await service.directory.app("game") == app
    with pytest.raises(NotFound):
        await service.tenants.player(app, "ann")


async def test_missing_fields_have_defaults(service: Service) -> None:
    app = await service.tenants.create_app(OPERATOR, "game", None, "Europe/Berlin")
    assert app.name == "game"
    board = await service.tenants.create_board(app, "main", {"name": None, "time_zone": None, "max_total": None})
    assert board == Board(board.pk, app, "main", "main", time_zone="Europe/Berlin")
    assert (await service.tenants.create_player(app, "ann", None, {"region": None})).username == "ann"


async def test_only_authorized_principals_manage_apps(service: Service, app: App) -> None:
    admin, server = principal_of("admin", "game", "one"), principal_of("server", "game", "one")
    assert await service.tenants.open(admin, "game") == app
    with pytest.raises(Forbidden):
        await service.tenants.open(server, "game")
    for call in (
        service.tenants.apps(admin),
        service.tenants.create_app(admin, "more", None, "UTC"),
        service.tenants.delete_app(admin, "game"),
    ):
        with pytest.raises(Forbidden):
            await call
    assert await service.tenants.apps(OPERATOR) == [app]
