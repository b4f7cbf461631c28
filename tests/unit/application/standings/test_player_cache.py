import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import cast

import pytest

from scoreboard.application.ports.directory import Directory
from scoreboard.application.standings.player_cache import PlayerCache
from scoreboard.domain.board import App, Player
from tests.making import APP


class HeldDirectory:
    """Reads at once, but answers no sooner than `going`."""

    def __init__(self, *players: str) -> None:
        self.players = {player: Player(player, player.title()) for player in players}
        self.asked: list[list[str]] = []
        self.going = asyncio.Event()
        self.going.set()

    async def find_players(self, _: App, players: Collection[str]) -> Mapping[str, Player]:
        self.asked.append(list(players))
        found = {player: self.players[player] for player in players if player in self.players}
        await self.going.wait()
        return found

    def rename(self, player: str, username: str) -> None:
        self.players[player] = Player(player, username)


@pytest.fixture
async def directory() -> HeldDirectory:
    return HeldDirectory("ann", "bob", "cat")


@pytest.fixture
def names(directory: HeldDirectory) -> PlayerCache:
    return PlayerCache(cast("Directory", directory), capacity=2)


async def usernames(names: PlayerCache, *players: str, app: App = APP) -> list[str]:
    found = await names.get(app, players)
    return [found[player].username for player in players]


async def test_a_player_is_asked_for_once(names: PlayerCache, directory: HeldDirectory) -> None:
    assert await usernames(names, "ann", "bob") == ["Ann", "Bob"]
    assert await usernames(names, "bob", "ann") == ["Bob", "Ann"]
    assert directory.asked == [["ann", "bob"]]


async def test_one_that_is_unknown_has_its_id_for_a_name_until_it_is_known(
    names: PlayerCache, directory: HeldDirectory
) -> None:
    assert await usernames(names, "zoe", "ann") == ["zoe", "Ann"]
    directory.rename("zoe", "Zoe")
    assert await usernames(names, "zoe") == ["Zoe"]


async def test_a_renamed_player_has_the_new_name(names: PlayerCache, directory: HeldDirectory) -> None:
    await usernames(names, "ann")
    dated = names.revision
    directory.rename("ann", "Annie")
    names.invalidate(APP, "ann")
    assert names.revision > dated
    assert await usernames(names, "ann") == ["Annie"]


async def test_a_name_read_before_a_rename_is_not_kept_after_it(names: PlayerCache, directory: HeldDirectory) -> None:
    directory.going.clear()
    reading = asyncio.create_task(usernames(names, "ann", "bob"))
    while not directory.asked:  # noqa: ASYNC110 - a turn for the other task, no time
        await asyncio.sleep(0)
    directory.rename("ann", "Annie")
    names.invalidate(APP, "ann")
    directory.going.set()
    await reading
    assert await usernames(names, "ann", "bob") == ["Annie", "Bob"]


async def test_apps_do_not_share_names(names: PlayerCache, directory: HeldDirectory) -> None:
    await usernames(names, "ann")
    directory.rename("ann", "Another")
    assert await usernames(names, "ann", app=replace(APP, pk=2)) == ["Another"]
    assert await usernames(names, "ann") == ["Ann"]


async def test_beyond_its_capacity_the_one_unused_for_longest_is_asked_for_again(
    names: PlayerCache, directory: HeldDirectory
) -> None:
    for players in (["ann", "bob"], ["ann"], ["cat"]):
        await usernames(names, *players)
    directory.asked.clear()
    await usernames(names, "ann", "cat")
    assert directory.asked == []
    await usernames(names, "bob")
    assert directory.asked == [["bob"]]


async def test_more_players_than_it_keeps_are_all_named(names: PlayerCache) -> None:
    assert await usernames(names, "ann", "bob", "cat") == ["Ann", "Bob", "Cat"]
