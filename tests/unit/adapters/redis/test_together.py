"""Questions that are asked while a call is under way share the next."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from scoreboard.adapters.redis.together import PLAYERS_A_CALL, Together
from scoreboard.domain.board import App, Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import WORLD, TableKey

BOARD = Board(1, App(1, "game", "Game"), "main", "Main")
KEY = TableKey(1, "all", WORLD)


class Asked:
    """What the calls were for; a call returns, or fails, when it is let go."""

    def __init__(self) -> None:
        self.calls: list[set[str]] = []
        self.let_go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, key: TableKey, board: Board, players: Collection[str]) -> Mapping[str, str]:
        self.calls.append(set(players))
        await self.let_go.wait()
        if self.error is not None:
            raise self.error
        return {player: player.upper() for player in players if player != "nobody"}


async def asked(together: Together[str], *players: str, key: TableKey = KEY) -> "list[asyncio.Task[str | None]]":
    tasks = [asyncio.create_task(together.one(key, BOARD, player)) for player in players]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_each_is_answered_by_a_call_that_began_after_it_was_asked() -> None:
    ask = Asked()
    together = Together(ask)
    tasks = await asked(together, "ann")
    tasks += await asked(together, "ann", "bob", "nobody")
    assert ask.calls == [{"ann"}]
    ask.let_go.set()
    assert await asyncio.gather(*tasks) == ["ANN", "ANN", "BOB", None]
    assert ask.calls == [{"ann"}, {"ann", "bob", "nobody"}]


async def test_tables_do_not_wait_for_each_other() -> None:
    ask = Asked()
    together = Together(ask)
    tasks = await asked(together, "ann")
    tasks += await asked(together, "bob", key=TableKey(2, "all", WORLD))
    assert ask.calls == [{"ann"}, {"bob"}]
    ask.let_go.set()
    assert await asyncio.gather(*tasks) == ["ANN", "BOB"]


async def test_a_call_is_for_so_many_at_the_most() -> None:
    ask = Asked()
    tasks = await asked(Together(ask), *(f"p{n}" for n in range(PLAYERS_A_CALL + 1)))
    ask.let_go.set()
    await asyncio.gather(*tasks)
    assert [len(call) for call in ask.calls] == [PLAYERS_A_CALL, 1]


async def test_a_failure_is_told_to_those_who_shared_the_call() -> None:
    ask = Asked()
    together = Together(ask)
    first, second = await asked(together, "ann", "bob")
    ask.error = Unavailable("ranking_unavailable", "the ranking is away")
    ask.let_go.set()
    for task in (first, second):
        with pytest.raises(Unavailable):
            await task
    ask.error = None
    assert await together.one(KEY, BOARD, "ann") == "ANN"


async def test_a_caller_that_goes_away_harms_no_other() -> None:
    ask = Asked()
    gone, stays = await asked(Together(ask), "ann", "ann")
    gone.cancel()
    ask.let_go.set()
    assert await stays == "ANN"
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_closed_it_leaves_nobody_waiting() -> None:
    ask = Asked()
    together = Together(ask)
    tasks = [*await asked(together, "ann"), *await asked(together, "bob")]
    await together.close()
    assert all(isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*tasks, return_exceptions=True))
