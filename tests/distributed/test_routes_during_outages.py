"""Every route during an outage of a server: it works, or names the missing server.

`running` checks that the description of a route declares each of its answers.
"""

import pytest

from harness.service import Running, endpoints
from tests.distributed.calls import update
from tests.distributed.servers import Servers
from tests.http.test_walk import IDS, address, valid

pytestmark = pytest.mark.slow

OUTAGES = {"postgres": "storage_failed", "redis": "ranking_unavailable"}


@pytest.mark.parametrize("down", OUTAGES)
async def test_every_route_works_or_names_the_missing_server(service: Running, servers: Servers, down: str) -> None:
    board = await service.board()
    event = (await update(service, board, "alice", 5)).ok()["event"]
    (await service.operator.post("/v1/apps/game/actions", {"action": "quest", "points": 5})).ok(201)
    walked = [one for one in endpoints(service) if one.described]
    codes = set()
    server = getattr(servers, down)
    server.kill()
    try:
        for operation in sorted(walked, key=lambda one: one.method == "DELETE"):
            path = address(operation, **{**IDS, "event": event})
            body = None if operation.body is None else valid(operation)
            answer = await service.operator.call(operation.method, path, body)
            if answer.status >= 500:
                codes.add(answer.code)
                assert answer.headers["Retry-After"], operation.name
    finally:
        server.start()
    assert codes == {OUTAGES[down]}
