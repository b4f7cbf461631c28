import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.errors import Conflict, NotFound
from tests.making import WIDE
from tests.ports.backends import Tenancy

Step = Callable[[], Awaitable[object]]
ANN = Player("ann", "Ann", "https://example.org/a.png", "ann@example.org", "eu")
EVERYTHING: dict[str, Any] = {
    "operator": "best",
    "direction": "ascending",
    "ties": "shared",
    "numbering": "dense",
    "period": "weekly",
    "time_zone": "Europe/Berlin",
    "regions": ("eu", "us"),
    "top_n": 3,
    "public": False,
    "player_values": True,
    "consistency": "queued",
    "priority": "high",
    **WIDE,
}


async def usernames(tenancy: Tenancy, app: App, *players: str) -> dict[str, str]:
    return {one.id: one.username for one in (await tenancy.directory.find_players(app, players)).values()}


async def test_an_unknown_object_is_not_found_with_the_code_of_its_kind(tenancy: Tenancy, app: App) -> None:
    directory = tenancy.directory
    for look_up, code in (
        (directory.app("none"), "app_not_found"),
        (directory.board("none", "main"), "app_not_found"),
        (directory.board("game", "main"), "board_not_found"),
        (directory.action("none", "win"), "app_not_found"),
        (directory.action("game", "win"), "action_not_found"),
    ):
        with pytest.raises(NotFound) as raised:
            await look_up
        assert raised.value.code == code


async def test_an_existing_object_is_a_conflict_with_the_code_of_its_kind(tenancy: Tenancy, app: App) -> None:
    directory = tenancy.directory
    board = await tenancy.board(app)
    action = await directory.create_action(Action(0, app, "win", 5))
    await directory.create_player(app, ANN)
    for create, code in (
        (directory.create_app(app), "app_exists"),
        (directory.create_board(board), "board_exists"),
        (directory.create_action(action), "action_exists"),
        (directory.create_player(app, ANN), "player_exists"),
    ):
        with pytest.raises(Conflict) as raised:
            await create
        assert raised.value.code == code


async def test_everything_survives_a_restart(tenancy: Tenancy) -> None:
    app = await tenancy.app(time_zone="Asia/Kolkata")
    board = await tenancy.board(app, **EVERYTHING)
    action = await tenancy.directory.create_action(Action(0, app, "win", 5, per_day=2, cooldown_s=60))
    await tenancy.directory.create_player(app, ANN)
    for _ in range(2):
        directory = tenancy.directory
        assert await directory.apps() == [app]
        assert await directory.app("game") == app
        assert await directory.boards(app) == [board]
        assert await directory.board("game", "main") == board
        assert await directory.actions(app) == [action]
        assert await directory.action("game", "win") == action
        assert await directory.players(app, "", 10) == [ANN]
        assert await directory.find_players(app, ["ann"]) == {"ann": ANN}
        await tenancy.reopened()


async def test_any_text_may_be_looked_up_as_a_player_id(tenancy: Tenancy, app: App) -> None:
    await tenancy.directory.create_player(app, ANN)
    assert await tenancy.directory.find_players(app, ["\0", "ann", "ann\0", "'"]) == {"ann": ANN}
    assert await tenancy.directory.players(app, "am\0", 10) == [ANN]
    assert await tenancy.directory.players(app, "ann\0", 10) == []


async def test_a_change_is_visible_at_once_and_after_a_restart(tenancy: Tenancy, app: App) -> None:
    directory = tenancy.directory
    board = replace(await tenancy.board(app), name="Renamed", top_n=99)
    action = replace(await directory.create_action(Action(0, app, "win", 5)), points=7, per_day=1)
    bea = replace(ANN, username="Bea", avatar_url=None, email=None, region=None)
    await directory.create_player(app, ANN)
    await directory.update_board(board)
    await directory.update_action(action)
    await directory.update_player(app, bea)
    for _ in range(2):
        assert await tenancy.directory.board("game", "main") == board
        assert await tenancy.directory.action("game", "win") == action
        assert await tenancy.directory.find_players(app, ["ann"]) == {"ann": bea}
        await tenancy.reopened()


async def test_boards_and_actions_have_the_changed_app(tenancy: Tenancy, app: App) -> None:
    await tenancy.board(app)
    await tenancy.directory.create_action(Action(0, app, "win", 5))
    changed = replace(app, name="New", time_zone="Asia/Kolkata")
    await tenancy.directory.update_app(changed)
    for _ in range(2):
        assert await tenancy.directory.app("game") == changed
        assert (await tenancy.directory.board("game", "main")).app == changed
        assert (await tenancy.directory.action("game", "win")).app == changed
        await tenancy.reopened()


async def test_primary_keys_are_never_reused(tenancy: Tenancy) -> None:
    seen: list[tuple[int, int, int]] = []
    for _ in range(3):
        app = await tenancy.app()
        board = await tenancy.board(app)
        action = await tenancy.directory.create_action(Action(0, app, "win", 5))
        seen.append((app.pk, board.pk, action.pk))
        await tenancy.directory.delete_app(app)
        await tenancy.reopened()
    assert all(len(set(numbers)) == 3 for numbers in zip(*seen, strict=True))


async def test_lists_are_in_the_order_of_ids_within_one_app(tenancy: Tenancy) -> None:
    game, another = await tenancy.app("game"), await tenancy.app("another")
    for name in ("b", "a"):
        await tenancy.board(game, name)
        await tenancy.directory.create_action(Action(0, game, name, 1))
    await tenancy.board(another, "c")
    assert [app.slug for app in await tenancy.directory.apps()] == ["another", "game"]
    assert [board.slug for board in await tenancy.directory.boards(game)] == ["a", "b"]
    assert [action.slug for action in await tenancy.directory.actions(game)] == ["a", "b"]
    assert await tenancy.directory.actions(another) == []


async def test_players_are_listed_in_pages_in_the_order_of_their_ids(tenancy: Tenancy, app: App) -> None:
    ids = ["B", "a", "aa", "b", "é", "\uffff", "😀"]
    for player in ids[::-1]:
        await tenancy.directory.create_player(app, Player(player, player))
    found: list[str] = []
    while page := await tenancy.directory.players(app, found[-1] if found else "", 2):
        assert len(page) <= 2
        found += [one.id for one in page]
    assert found == ids


async def test_existing_players_are_found(tenancy: Tenancy, app: App) -> None:
    another = await tenancy.app("another")
    for player in ("ann", "bob"):
        await tenancy.directory.create_player(app, Player(player, player.title()))
    await tenancy.directory.create_player(another, Player("ann", "Another"))
    assert await usernames(tenancy, app, "ann", "zoe", "bob", "ann") == {"ann": "Ann", "bob": "Bob"}
    assert await usernames(tenancy, another, "ann", "bob") == {"ann": "Another"}
    assert await usernames(tenancy, app) == {}


async def test_a_deletion_survives_a_restart(tenancy: Tenancy, app: App) -> None:
    directory = tenancy.directory
    board = await tenancy.board(app)
    action = await directory.create_action(Action(0, app, "win", 5))
    await directory.create_player(app, ANN)
    await directory.delete_board(board)
    await directory.delete_action(action)
    assert await directory.delete_player(app, ANN) == []
    for _ in range(2):
        assert await tenancy.directory.boards(app) == []
        assert await tenancy.directory.actions(app) == []
        assert await usernames(tenancy, app, "ann") == {}
        await tenancy.reopened()


async def test_the_deletion_of_an_app_includes_its_contents(tenancy: Tenancy, app: App) -> None:
    await tenancy.board(app)
    await tenancy.directory.create_action(Action(0, app, "win", 5))
    await tenancy.directory.create_player(app, ANN)
    await tenancy.directory.delete_app(app)
    assert await tenancy.directory.apps() == []
    again = await tenancy.app()
    assert await tenancy.directory.boards(again) == []
    assert await tenancy.directory.actions(again) == []
    assert await tenancy.directory.players(again, "", 10) == []


@pytest.mark.parametrize("kind", ["app", "board", "action"])
async def test_a_change_after_the_deletion_restores_nothing(tenancy: Tenancy, app: App, main: Board, kind: str) -> None:
    directory = tenancy.directory
    action = await directory.create_action(Action(0, app, "win", 5))
    race: dict[str, tuple[Step, Step, Step]] = {
        "app": (lambda: directory.delete_app(app), lambda: directory.update_app(app), lambda: directory.app("game")),
        "board": (
            lambda: directory.delete_board(main),
            lambda: directory.update_board(main),
            lambda: directory.board("game", "main"),
        ),
        "action": (
            lambda: directory.delete_action(action),
            lambda: directory.update_action(action),
            lambda: directory.action("game", "win"),
        ),
    }
    delete, update, look_up = race[kind]
    await delete()
    with contextlib.suppress(NotFound):
        await update()
    with pytest.raises(NotFound):
        await look_up()


async def test_a_board_of_a_deleted_app_cannot_be_created(tenancy: Tenancy, app: App) -> None:
    await tenancy.directory.delete_app(app)
    with pytest.raises(NotFound):
        await tenancy.board(app)
