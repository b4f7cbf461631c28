import math

from scoreboard.application.upkeep.probe import Probe
from scoreboard.domain import codes


async def test_the_answers_follow_a_failure_and_a_recovery() -> None:
    reachable = False

    async def ping() -> None:
        if not reachable:
            raise codes.STORAGE_FAILED.error("unreachable")

    async def answer() -> None: ...

    probe = Probe({"postgresql": ping, "redis": answer}, None)
    assert probe.answers == {}
    await probe.once()
    assert probe.answers == {"postgresql": False, "redis": True}
    reachable = True
    await probe.once()
    assert probe.answers == {"postgresql": True, "redis": True}
    assert math.isnan(probe.waiting)
