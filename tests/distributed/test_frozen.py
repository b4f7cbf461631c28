"""Shutdown while a server is frozen: it accepts connections, but does not respond."""

import asyncio
import json
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harness.client import Client
from harness.process import Process, process
from harness.servers.processes import frozen
from harness.service import Running, running
from harness.waiting import eventually
from tests.distributed.servers import Servers
from tests.distributed.test_processes import minted

pytestmark = pytest.mark.slow

ROLES = ("serve", "api", "live", "worker", "jobs")
PLAIN = ("live page ", "API ", "health ", "press Ctrl-C to stop", "stopping: ", "stopped")


class Sender:
    """A client that sends updates of 1, each with its own key, until its server ends."""

    def __init__(self, client: Client, board: str, player: str) -> None:
        self._client = client
        self._board = board
        self.player = player
        self.sent: dict[str, bool] = {}  # by key, whether it was accepted

    async def run(self) -> None:
        while True:
            key = f"{self._board}-{self.player}-{len(self.sent)}"
            self.sent[key] = False
            try:
                answer = await self.send(self._client, key)
            except aiohttp.ClientError:
                return
            self.sent[key] = answer in {200, 202}
            await asyncio.sleep(0.02)  # The other senders need their turns.

    async def send(self, client: Client, key: str) -> int:
        body = {"player": self.player, "increment": 1}
        return (await client.post(f"{self._board}/scores", body, Idempotency_Key=key)).status

    @property
    def accepted(self) -> int:
        return sum(self.sent.values())

    async def is_exact(self, service: Running) -> bool:
        """Retry unaccepted updates. Return whether each update counts once."""
        client = service.client("server", "game")
        for key, accepted in self.sent.items():
            if not accepted:
                self.sent[key] = await self.send(client, key) in {200, 202}
        standing = await service.anybody.get(f"{self._board}/players/{self.player}")
        return standing.status == 200 and standing.body["score"] == len(self.sent)


def pid_of(servers: Servers, which: str) -> int:
    server: Any = {"postgres": servers.postgres, "redis": servers.redis, "rabbitmq": servers.broker}[which]
    return int(server.pid)


def check_log(log: str) -> None:
    """Check that every line is an event with its reason, or plain text for people."""
    for line in log.splitlines():
        if not line.startswith(PLAIN):
            event = json.loads(line)
            assert event["event"]
            assert event.get("error", "something"), line


@pytest.mark.parametrize("which", ["postgres", "redis", "rabbitmq"])
async def test_every_role_stops_and_no_accepted_update_is_lost(servers: Servers, tmp_path: Path, which: str) -> None:
    environment = servers.environment(queue=True)
    with ExitStack() as stack:
        roles = [stack.enter_context(process(tmp_path / role, port=None, role=role, **environment)) for role in ROLES]
        for role in roles:
            await role.ready()
        async with aiohttp.ClientSession() as http:
            senders = await senders_to(roles[:2], http)
            sending = [asyncio.create_task(sender.run()) for sender in senders]
            await eventually(lambda: all(sender.accepted > 2 for sender in senders), "updates are accepted")
            with frozen(pid_of(servers, which)):
                for role in roles:
                    role.terminate()
                statuses = [await role.ended() for role in roles]
            await asyncio.gather(*sending)
        assert statuses == [0] * len(ROLES), [role.log[-2_000:] for role in roles]
        for role in roles:
            check_log(role.log)
    async with running(tmp_path / "after", **servers.settings(queue=True)) as after:
        for sender in senders:
            await eventually(partial(sender.is_exact, after), f"{sender.player} has all accepted updates")


async def senders_to(apis: list[Process], http: aiohttp.ClientSession) -> list[Sender]:
    """Return two senders for each API: to a direct and to a queued board."""
    operator = Client(http, apis[0].url, minted(apis[0], "admin", "*"))
    (await operator.post("/v1/apps", {"app": "game"})).ok(201)
    for consistency in ("direct", "queued"):
        (await operator.post("/v1/apps/game/boards", {"board": consistency, "consistency": consistency})).ok(201)
    senders = []
    for number, api in enumerate(apis):
        client = Client(http, api.url, minted(api, "server", "game"))
        for board in ("direct", "queued"):
            senders.append(Sender(client, f"/v1/apps/game/boards/{board}", f"p{number}"))
            await eventually(partial(exists, client, board), "every API has the board")
    return senders


async def exists(client: Client, board: str) -> bool:
    return (await client.get(f"/v1/apps/game/boards/{board}/top")).status == 200
