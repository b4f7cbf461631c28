"""Updates of tables in a server whose memory is full."""

import pytest

from harness.servers.redis import Server
from tests.making import board, standing, table
from tests.ports.capped import capped_rankings
from tests.properties.test_order import Plain

pytestmark = pytest.mark.slow

MAIN = board(top_n=2)
KEY = table(MAIN)
SIX = {f"p{n}": standing(100 - n) for n in range(6)}


@pytest.mark.parametrize("keep", [0, 4])
async def test_a_table_accepts_updates_and_removals(server: Server, keep: int) -> None:
    async with capped_rankings(server.url, keep) as backend:
        backend.given(KEY, MAIN, SIX)
        ranking = backend.ranking
        await ranking.total(KEY, MAIN)
        server.ask("CONFIG", "SET", "maxmemory", "1mb")
        for n in range(2):
            updates = {f"new{n}": standing(200 + n), "p1": standing(150 + n, version=2 + n)}
            await ranking.apply(KEY, MAIN, updates, place=False)
        await ranking.remove(KEY, "p0", 9)
        players = {"new0": standing(200), "new1": standing(201), "p1": standing(151, version=3), "p2": SIX["p2"]}
        assert list((await ranking.cache.slice(KEY, MAIN, 0, 2)).rows) == Plain(MAIN, players).ranked()[:2]
        assert await ranking.get_rank(KEY, MAIN, "p0") is None
        found = await ranking.cache.get_rank(KEY, MAIN, "p1")
        assert found is not None
        assert (found.entry.score, found.row) == (151, 2)
