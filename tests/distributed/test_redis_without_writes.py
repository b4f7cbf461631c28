"""A Redis that rejects writes, as with too few replicas.

Its data becomes outdated, and must not be shown.
"""

from pathlib import Path

import pytest

from harness.service import running
from harness.waiting import eventually
from tests.acceptance.command_line import CommandLine
from tests.distributed.calls import propagated, top, update
from tests.distributed.servers import Servers
from tests.live.watching import page, scores_of

pytestmark = pytest.mark.slow


async def test_reads_of_every_process_are_exact_and_open_pages_continue(servers: Servers, tmp_path: Path) -> None:
    settings = servers.settings()
    async with (
        running(tmp_path / "one", **settings) as one,
        running(tmp_path / "other", **settings) as other,
        page(other) as live,
    ):
        board = await one.board()
        await propagated(board, other)
        (await update(one, board, "ann", 1)).ok()
        assert await top(other, board) == [(1, "ann", 1)]
        _, shown = await live.watch()
        servers.redis.ask("CONFIG", "SET", "min-replicas-to-write", 1)
        try:
            result = (await update(one, board, "bob", 5)).ok()
            assert (result["score"], result["rank"], result["rank_state"]) == (5, None, "unavailable")
            for _ in range(20):
                assert await top(other, board) == await top(one, board) == [(1, "bob", 5), (2, "ann", 1)]
            assert (await other.anybody.get(f"{board}/players/ann")).ok()["rank"] == 2
            while scores_of(shown) != [("bob", 5), ("ann", 1)]:
                shown = await live.next("top")
        finally:
            servers.redis.ask("CONFIG", "SET", "min-replicas-to-write", 0)

        async def caught_up() -> bool:
            ranked = (await update(one, board, "cid", 0)).ok()["rank_state"] == "exact"
            return ranked and await top(other, board) == [(1, "bob", 5), (2, "ann", 1), (3, "cid", 0)]

        await eventually(caught_up, "the ranking has caught up")


def test_the_doctor_reports_it(servers: Servers, tmp_path: Path) -> None:
    cli, given = CommandLine(tmp_path), servers.environment()
    servers.redis.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    try:
        assert "NOREPLICAS" in cli.run("doctor", **given).out
    finally:
        servers.redis.ask("CONFIG", "SET", "min-replicas-to-write", 0)
    assert "NOREPLICAS" not in cli.run("doctor", **given).out
