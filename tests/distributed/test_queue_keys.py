"""The keys of SCOREBOARD_QUEUE_KEYS: the first signs messages, each verifies them."""

from pathlib import Path

import pytest

from harness.service import Running, running
from harness.waiting import eventually
from tests.distributed.calls import propagated, top, update
from tests.distributed.servers import Servers

pytestmark = pytest.mark.slow

OLD, NEW = "an old key that has enough letters", "a new key that has enough letters too"


async def dead_letters(api: Running) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await api.operator.get("/v1/dead-letters")).ok()["dead_letters"]
    return found


async def test_a_message_with_another_key_is_dead_lettered_until_the_key_is_added(
    servers: Servers, tmp_path: Path
) -> None:
    given = servers.settings(queue=True)
    async with running(tmp_path / "api", parts=frozenset({"api"}), **given, queue_keys=OLD) as api:
        board = await api.board(consistency="queued")
        async with running(tmp_path / "new", parts=frozenset({"worker"}), **given, queue_keys=NEW):
            (await update(api, board, "ann", 5)).ok(202)
            await eventually(lambda: dead_letters(api), "its signature is rejected")
        (letter,) = await dead_letters(api)
        assert "unknown key" in letter["reason"]
        assert await top(api, board) == []
        async with (
            running(tmp_path / "both", parts=frozenset({"worker"}), **given, queue_keys=f"{NEW}, {OLD}"),
            running(tmp_path / "changed", parts=frozenset({"api"}), **given, queue_keys=f"{NEW},{OLD}") as changed,
        ):
            await propagated(board, changed)
            (await update(changed, board, "bob", 7)).ok(202)
            (await changed.operator.post(f"/v1/dead-letters/{letter['letter']}/retry", {})).ok(204)

            async def applied() -> bool:
                return await top(api, board) == [(1, "bob", 7), (2, "ann", 5)]

            await eventually(applied, "both are applied")
        assert await dead_letters(api) == []
