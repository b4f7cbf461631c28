"""What the metrics say of servers is what they answer."""

import math

from scoreboard.application.upkeep.probe import Probe
from scoreboard.domain import codes


async def test_a_server_that_fails_is_told_and_so_is_its_return() -> None:
    away = True

    async def ask() -> None:
        if away:
            raise codes.STORAGE_FAILED.error("away")

    async def well() -> None: ...

    probe = Probe({"postgresql": ask, "redis": well}, None)
    assert probe.answers == {}
    await probe.once()
    assert probe.answers == {"postgresql": False, "redis": True}
    away = False
    await probe.once()
    assert probe.answers == {"postgresql": True, "redis": True}
    assert math.isnan(probe.waiting)
