"""Each role answers what docs/how-to/grow.md and the reference say of it, and nothing else."""

from pathlib import Path

import pytest

from harness.service import Running, running
from scoreboard.bootstrap.mounting import PARTS, Part

EVERY = ("/health/live", "/health/ready", "/metrics")
API = ("/docs", "/openapi.json", "/v1/apps")
LIVE = ("/", "/embed.js", "/v1/live")
BOTH = ("/asyncapi.json", "/v1/page")
ANSWERED: dict[Part, tuple[str, ...]] = {
    "api": (*EVERY, *BOTH, *API),
    "live": (*EVERY, *BOTH, *LIVE),
    "worker": EVERY,
    "jobs": EVERY,
}


@pytest.mark.parametrize("role", ANSWERED)
async def test_a_role_answers_what_is_its_own(tmp_path: Path, role: Part) -> None:
    async with running(tmp_path / "data", parts=frozenset({role})) as one:
        for path in (*EVERY, *BOTH, *API, *LIVE):
            answer = await one.operator.get(path)
            assert (answer.status != 404) == (path in ANSWERED[role]), (path, answer.status)


async def test_the_api_describes_all_that_the_whole_service_does(tmp_path: Path, service: Running) -> None:
    async with running(tmp_path / "api", parts=frozenset({"api"})) as api:
        for document in ("/openapi.json", "/asyncapi.json"):
            assert (await api.anybody.get(document)).raw == (await service.anybody.get(document)).raw
    assert set(ANSWERED) == PARTS
