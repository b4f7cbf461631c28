"""Roles: each serves the addresses that docs/how-to/grow.md lists, and no others."""

from pathlib import Path

import pytest

from harness.service import Running, running
from scoreboard.bootstrap.mounting import PARTS, Part

ALL = ("/health/live", "/health/ready", "/metrics")
API = ("/docs", "/openapi.json", "/v1/apps")
LIVE = ("/", "/embed.js", "/v1/live")
BOTH = ("/asyncapi.json", "/v1/page")
SERVED: dict[Part, tuple[str, ...]] = {
    "api": (*ALL, *BOTH, *API),
    "live": (*ALL, *BOTH, *LIVE),
    "worker": ALL,
    "jobs": ALL,
}


@pytest.mark.parametrize("role", SERVED)
async def test_a_role_serves_only_its_addresses(tmp_path: Path, role: Part) -> None:
    async with running(tmp_path / "data", parts=frozenset({role})) as service:
        for path in (*ALL, *BOTH, *API, *LIVE):
            answer = await service.operator.get(path)
            assert (answer.status != 404) == (path in SERVED[role]), (path, answer.status)


async def test_the_api_has_the_documents_of_the_whole_service(tmp_path: Path, service: Running) -> None:
    async with running(tmp_path / "api", parts=frozenset({"api"})) as api:
        for document in ("/openapi.json", "/asyncapi.json"):
            assert (await api.anybody.get(document)).raw == (await service.anybody.get(document)).raw
    assert set(SERVED) == PARTS
