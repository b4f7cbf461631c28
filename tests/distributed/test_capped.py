"""The whole service with a Redis that keeps only the top of each table."""

from pathlib import Path
from typing import Any

import pytest

from harness.service import Running, running
from harness.waiting import eventually
from scoreboard.bootstrap.settings import SettingsError
from tests.distributed.servers import Servers

pytestmark = pytest.mark.slow

KEEP, PLAYERS = 2_000, 3_000


async def filled_board(service: Running) -> str:
    """Create a board with players of 1 to PLAYERS points."""
    board, server = await service.board(), service.client("server", "game")
    for first in range(0, PLAYERS, 1_000):
        updates = [{"player": f"p{n}", "increment": n + 1} for n in range(first, first + 1_000)]
        (await server.post(f"{board}/scores/batch", {"updates": updates})).ok()
    return board


async def update(service: Running, board: str, player: str, increment: int) -> Any:
    answer = await service.client("server", "game").post(f"{board}/scores", {"player": player, "increment": increment})
    return answer.ok()


async def all_entries(service: Running, board: str) -> list[tuple[int, str]]:
    """Return every entry of the board, read page by page."""
    found: list[tuple[int, str]] = []
    more = ""
    while True:
        page = (await service.anybody.get(f"{board}/top?limit=700{more}")).ok()
        found += [(entry["rank"], entry["player"]) for entry in page["entries"]]
        if page["next_cursor"] is None:
            return found
        more = f"&cursor={page['next_cursor']}"


async def test_answers_are_the_same_as_with_all_entries_in_redis(servers: Servers, tmp_path: Path) -> None:
    async with running(tmp_path / "data", **servers.settings(ranking_keep=KEEP)) as service:
        board = await filled_board(service)
        name = next(iter(servers.redis.ask("KEYS", "sb:*:order")))
        assert servers.redis.ask("ZCARD", name) == KEEP
        assert await all_entries(service, board) == [(n + 1, f"p{PLAYERS - 1 - n}") for n in range(PLAYERS)]

        last = await update(service, board, "p0", 0)
        assert (last["rank"], last["rank_state"]) == (None, "out_of_range")
        standing = (await service.anybody.get(f"{board}/players/p0")).ok()
        assert [standing[name] for name in ("rank", "rank_state", "total", "gap_to_next")] == [3_000, "exact", 3_000, 1]
        around = (await service.anybody.get(f"{board}/players/p{PLAYERS - KEEP}/around?radius=1")).ok()
        assert [entry["rank"] for entry in around["entries"]] == [1_999, 2_000, 2_001]
        friends = {"players": ["p2999", "p1", "nobody"]}
        found = (await service.anybody.post(f"{board}/players/query", friends)).ok()
        assert [entry["rank"] for entry in found["entries"]] == [1, 2_999]

        first = await update(service, board, "p0", 10_000)
        assert (first["rank"], first["previous_rank"], first["rank_state"]) == (1, None, "exact")
        assert servers.redis.ask("ZCARD", name) == KEEP
        assert (await all_entries(service, board))[:2] == [(1, "p0"), (2, "p2999")]

        async def counted() -> bool:
            return bool((await service.anybody.get(f"{board}/top")).ok()["total"] == PLAYERS)

        await eventually(counted, "the total is that of all players")


async def test_too_small_a_cap_is_refused(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ranking_keep must be 0 \(keep all\) or at least 2,000"):
        async with running(tmp_path / "data", **servers.settings(ranking_keep=1_999)):
            pass
