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
    """A directory that reads at once, but returns after `going` is set."""

    def __init__(self, *players: str) -> None:
        self.players = {player: Player(player, player.title()) for player in players}
        self.queries: list[list[str]] = []
        self.going = asyncio.Event()
        self.going.set()

    async def find_players(self, _: App, players: Collection[str]) -> Mapping[str, Player]:
        self.queries.append(list(players))
        found = {player: self.players[player] for player in players if player in self.players}
        await self.going.wait()
        return found

    def rename(self, player: str, username: str) -> None:
        self.players[player] = Player(player, username)


@pytest.fixture
async def directory() -> HeldDirectory:
    return HeldDirectory("ann", "bob", "cat")


@pytest.fixture
def cache(directory: HeldDirectory) -> PlayerCache:
    return PlayerCache(cast("Directory", directory), capacity=2)


async def usernames(cache: PlayerCache, *players: str, app: App = APP) -> list[str]:
    found = await cache.get(app, players)
    return [found[player].username for player in players]


async def test_a_player_is_queried_once(cache: PlayerCache, directory: HeldDirectory) -> None:
    assert await usernames(cache, "ann", "bob") == ["Ann", "Bob"]
    assert await usernames(cache, "bob", "ann") == ["Bob", "Ann"]
    assert directory.queries == [["ann", "bob"]]


async def test_the_id_of_an_unknown_player_is_its_name_until_it_is_known(
    cache: PlayerCache, directory: HeldDirectory
) -> None:
    assert await usernames(cache, "zoe", "ann") == ["zoe", "Ann"]
    directory.rename("zoe", "Zoe")
    assert await usernames(cache, "zoe") == ["Zoe"]


async def test_a_player_has_the_new_name_after_an_invalidation(cache: PlayerCache, directory: HeldDirectory) -> None:
    await usernames(cache, "ann")
    revision = cache.revision
    directory.rename("ann", "Annie")
    cache.invalidate(APP, "ann")
    assert cache.revision > revision
    assert await usernames(cache, "ann") == ["Annie"]


async def test_a_name_read_before_a_rename_is_not_cached_after_it(cache: PlayerCache, directory: HeldDirectory) -> None:
    directory.going.clear()
    reading = asyncio.create_task(usernames(cache, "ann", "bob"))
    while not directory.queries:  # noqa: ASYNC110 - lets the other task run
        await asyncio.sleep(0)
    directory.rename("ann", "Annie")
    cache.invalidate(APP, "ann")
    directory.going.set()
    await reading
    assert await usernames(cache, "ann", "bob") == ["Annie", "Bob"]


async def test_apps_do_not_share_names(cache: PlayerCache, directory: HeldDirectory) -> None:
    await usernames(cache, "ann")
    directory.rename("ann", "Another")
    assert await usernames(cache, "ann", app=replace(APP, pk=2)) == ["Another"]
    assert await usernames(cache, "ann") == ["Ann"]


async def test_the_least_recently_used_player_is_evicted(cache: PlayerCache, directory: HeldDirectory) -> None:
    for players in (["ann", "bob"], ["ann"], ["cat"]):
        await usernames(cache, *players)
    directory.queries.clear()
    await usernames(cache, "ann", "cat")
    assert directory.queries == []
    await usernames(cache, "bob")
    assert directory.queries == [["bob"]]


async def test_more_players_than_the_capacity_are_all_named(cache: PlayerCache) -> None:
    assert await usernames(cache, "ann", "bob", "cat") == ["Ann", "Bob", "Cat"]
