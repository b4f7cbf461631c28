"""Messages of the queue are sealed with the first of the keys and opened with any, as SCOREBOARD_QUEUE_KEYS says."""

from pathlib import Path

import pytest

from harness.service import Running, running
from harness.waiting import eventually
from tests.distributed.calls import known, top, update
from tests.distributed.servers import Servers

pytestmark = pytest.mark.slow

OLD, NEW = "an old key that has enough letters", "a new key that has enough letters too"


async def letters(api: Running) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (await api.operator.get("/v1/dead-letters")).ok()["dead_letters"]
    return found


async def test_keys_are_changed_and_what_was_sealed_with_another_waits_for_an_operator(
    servers: Servers, tmp_path: Path
) -> None:
    given = servers.settings(queue=True)
    async with running(tmp_path / "api", parts=frozenset({"api"}), **given, queue_keys=OLD) as api:
        board = await api.board(consistency="queued")
        async with running(tmp_path / "new", parts=frozenset({"worker"}), **given, queue_keys=NEW):
            (await update(api, board, "ann", 5)).ok(202)
            await eventually(lambda: letters(api), "it is refused as tampered with")
        (letter,) = await letters(api)
        assert "unknown key" in letter["reason"]
        assert await top(api, board) == []
        async with (
            running(tmp_path / "both", parts=frozenset({"worker"}), **given, queue_keys=f"{NEW}, {OLD}"),
            running(tmp_path / "changed", parts=frozenset({"api"}), **given, queue_keys=f"{NEW},{OLD}") as changed,
        ):
            await known(board, changed)
            (await update(changed, board, "bob", 7)).ok(202)
            (await changed.operator.post(f"/v1/dead-letters/{letter['letter']}/retry", {})).ok(204)

            async def applied() -> bool:
                return await top(api, board) == [(1, "bob", 7), (2, "ann", 5)]

            await eventually(applied, "both are applied")
        assert await letters(api) == []
