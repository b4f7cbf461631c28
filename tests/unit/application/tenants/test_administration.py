import weakref
from collections.abc import Callable
from typing import cast

import pytest

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


class Told:
    """Which boards were told to be looked at again, and which to be looked at by fewer, or by nobody."""

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
        self.told = Told()
        publish = cast("Publisher", self.told)
        self.ledger, self.directory = SqliteLedger(store), SqliteDirectory(store)
        self.ranking = MemoryRanking(self.ledger.standings, "epoch")
        self.names = PlayerCache(self.directory)
        self.tenants = Tenants(self.directory, self.ranking, DirectoryInvalidator(self.names, publish))
        self._at = NOON

    async def scored(self, board: Board, player: str, value: int) -> None:
        self._at += 1_000
        batch = [submission(board, player, value, self._at)]
        decision = await self.ledger.transact(batch, decide)
        for key, standings in decision.to_rank.items():
            await self.ranking.apply(key, board, standings, place=False)

    async def shown(self, board: Board) -> list[tuple[str, int]]:
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


async def test_a_player_deleted_is_not_shown_and_one_made_again_is_ranked_anew(
    service: Service, app: App, main: Board
) -> None:
    for player, value in (("ann", 5), ("bob", 3), ("ann", 1)):
        await service.scored(main, player, value)
    assert await service.shown(main) == [("ann", 6), ("bob", 3)]
    await service.tenants.delete_player(app, await service.tenants.player(app, "ann"))
    assert await service.shown(main) == [("bob", 3)]
    assert service.told.changed_boards(main)
    await service.scored(main, "ann", 2)
    assert await service.shown(main) == [("bob", 3), ("ann", 2)]


async def test_a_board_made_again_shows_nothing_of_the_old(service: Service, app: App, main: Board) -> None:
    await service.scored(main, "ann", 5)
    await service.tenants.delete_board(main)
    assert service.told.restricted == [(main.pk, None)]
    again = await service.tenants.create_board(app, "main", {"name": "Main"})
    assert await service.shown(again) == []
    await service.scored(again, "bob", 1)
    assert await service.shown(again) == [("bob", 1)]


async def test_the_ids_of_an_apps_players_are_freed_with_its_last_board(
    service: Service, app: App, main: Board
) -> None:
    another = await service.tenants.create_app(OPERATOR, "another", "Another", "UTC")
    elsewhere = await service.tenants.create_board(another, "main", {"name": "Main"})
    second = await service.tenants.create_board(app, "second", {})
    for board in (main, second, elsewhere):
        await service.scored(board, "ann", 5)
    held = weakref.ref(service.ranking.slots[app.pk])
    await service.tenants.delete_board(main)
    assert held() is not None
    await service.scored(second, "ann", 1)
    assert await service.shown(second) == [("ann", 6)]
    await service.tenants.delete_app(OPERATOR, app.slug)
    assert held() is None
    assert await service.shown(elsewhere) == [("ann", 5)]


async def test_a_board_that_is_public_no_more_is_restricted_and_no_other(service: Service, main: Board) -> None:
    renamed = await service.tenants.update_board(main, {"name": "Renamed"})
    assert service.told.restricted == []
    private = await service.tenants.update_board(renamed, {"public": False})
    assert service.told.restricted == [(main.pk, private)]
    await service.tenants.update_board(private, {"public": True})
    assert service.told.restricted == [(main.pk, private)]


async def test_a_change_meant_for_what_was_deleted_is_not_made_to_its_namesake(
    service: Service, app: App, main: Board
) -> None:
    await service.tenants.delete_board(main)
    again = await service.tenants.create_board(app, "main", {"name": "Main"})
    with pytest.raises(NotFound):
        await service.tenants.update_board(main, {"name": "Renamed"})
    assert await service.directory.board("game", "main") == again
    await service.tenants.delete_app(OPERATOR, app.slug)
    anew = await service.tenants.create_app(OPERATOR, "game", "Game", "UTC")
    for change in (service.tenants.update_app(app, {"name": "Renamed"}), service.tenants.create_board(app, "main", {})):
        with pytest.raises(NotFound):
            await change
    assert await service.directory.app("game") == anew
    assert await service.directory.boards(anew) == []


async def test_a_renamed_player_has_the_new_name_at_once_and_every_board_is_told(
    service: Service, app: App, main: Board
) -> None:
    ann = await service.tenants.create_player(app, "ann", "Ann", {})
    assert (await service.names.get(app, ["ann"]))["ann"].username == "Ann"
    await service.tenants.update_player(app, ann, {"username": "Annie"})
    assert (await service.names.get(app, ["ann"]))["ann"].username == "Annie"
    assert service.told.changed_boards(main)


async def test_a_player_made_after_it_was_shown_by_its_id_has_its_name(service: Service, app: App) -> None:
    assert (await service.names.get(app, ["ann"]))["ann"].username == "ann"
    await service.tenants.create_player(app, "ann", "Ann", {})
    assert (await service.names.get(app, ["ann"]))["ann"].username == "Ann"


async def test_what_is_wrong_is_refused_before_anything_changes(service: Service, app: App, main: Board) -> None:
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


async def test_what_is_left_out_of_a_new_thing_has_its_default(service: Service) -> None:
    app = await service.tenants.create_app(OPERATOR, "game", None, "Europe/Berlin")
    assert app.name == "game"
    board = await service.tenants.create_board(app, "main", {"name": None, "time_zone": None, "max_total": None})
    assert board == Board(board.pk, app, "main", "main", time_zone="Europe/Berlin")
    assert (await service.tenants.create_player(app, "ann", None, {"region": None})).username == "ann"


async def test_apps_are_managed_by_those_whom_the_policy_lets(service: Service, app: App) -> None:
    admin, server = principal_of("admin", "game", "one"), principal_of("server", "game", "one")
    assert await service.tenants.open(admin, "game") == app
    with pytest.raises(Forbidden):
        await service.tenants.open(server, "game")
    for refused in (
        service.tenants.apps(admin),
        service.tenants.create_app(admin, "more", None, "UTC"),
        service.tenants.delete_app(admin, "game"),
    ):
        with pytest.raises(Forbidden):
            await refused
    assert await service.tenants.apps(OPERATOR) == [app]
