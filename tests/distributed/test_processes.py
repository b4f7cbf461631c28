"""Roles in separate processes that share the servers."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from harness.client import Client
from harness.process import Process, process
from harness.service import HOUR_S, settings
from harness.waiting import eventually
from scoreboard.application.ports.authentication import Role
from scoreboard.bootstrap.tokens import issue
from tests.distributed.servers import SIGNING_KEY, Servers
from tests.live.watching import Page, scores_of

pytestmark = pytest.mark.slow

ROLES = ("api", "api", "live", "worker", "jobs")


@dataclass
class Roles:
    """Two `api` processes, each with an operator's client, and one of each other role."""

    processes: list[Process]
    clients: list[Client]
    http: aiohttp.ClientSession

    @property
    def live(self) -> Process:
        return self.processes[2]

    def server(self, number: int) -> Client:
        return Client(self.http, self.processes[number].url, minted(self.processes[number], "server", "game"))


def minted(process: Process, role: Role, app: str) -> str:
    given = settings(process.data, signing_key=SIGNING_KEY)
    return issue(given, role=role, app=app, subject="somebody", ttl_s=HOUR_S)


@asynccontextmanager
async def roles(servers: Servers, folder: Path) -> AsyncIterator[Roles]:
    environment = servers.environment(queue=True)
    with ExitStack() as stack:
        started = [
            stack.enter_context(process(folder / f"{n}-{role}", port=None, role=role, **environment))
            for n, role in enumerate(ROLES)
        ]
        for one in started:
            await one.ready()
        async with aiohttp.ClientSession() as http:
            tokens = [minted(one, "admin", "*") for one in started[:2]]
            clients = [Client(http, one.url, token) for one, token in zip(started, tokens, strict=False)]
            yield Roles(started, clients, http)


async def create_board(roles: Roles, **rules: object) -> str:
    """Create a board through the first `api`. Return its path when the second has it."""
    first = roles.clients[0]
    (await first.post("/v1/apps", {"app": "game"})).ok(201)
    (await first.post("/v1/apps/game/boards", {"board": "main", **rules})).ok(201)
    board = "/v1/apps/game/boards/main"

    async def propagated() -> bool:
        answers = [await Client(roles.http, one.url).get(f"{board}/top") for one in roles.processes[1:2]]
        return all(answer.status == 200 for answer in answers)

    await eventually(propagated, "the other api has the board")
    return board


async def test_a_change_through_one_api_is_shown_by_the_others(servers: Servers, tmp_path: Path) -> None:
    async with roles(servers, tmp_path) as running:
        board = await create_board(running)
        first, second = running.clients
        async with running.http.ws_connect(f"{running.live.url}/v1/live") as socket:
            live = Page(socket)
            await eventually(lambda: _watching(live), "live has the board")
            (await running.server(0).post(f"{board}/scores", {"player": "ann", "increment": 5})).ok()
            await live.until([("ann", 5)])
            (await running.server(1).post(f"{board}/scores", {"player": "bob", "increment": 7})).ok()
            await live.until([("bob", 7), ("ann", 5)])
            (await second.get(f"{board}/top")).ok()
            (await first.patch("/v1/apps/game/players/ann", {"username": "Ann the first"})).ok()
            message = await live.next("top")
            while message["entries"][1]["username"] != "Ann the first":
                message = await live.next("top")
            assert scores_of(message) == [("bob", 7), ("ann", 5)]

            async def renamed() -> bool:
                entries = (await second.get(f"{board}/top")).ok()["entries"]
                return bool(entries[1]["username"] == "Ann the first")

            await eventually(renamed, "the other api shows the name")
            (await second.patch(board, {"public": False})).ok()
            await expect_unsubscribed(live)


async def _watching(live: Page) -> bool:
    await live.send(type="subscribe", app="game", board="main")
    message = await live.socket.receive_json()
    if message["type"] == "subscribed":
        assert (await live.next("top"))["entries"] == []
    return bool(message["type"] == "subscribed")


async def expect_unsubscribed(live: Page) -> None:
    message = await live.socket.receive_json()
    while message["type"] == "top":
        message = await live.socket.receive_json()
    assert message.get("code") == "subscription_ended", message


async def test_every_role_stops_under_load_and_loses_no_update(servers: Servers, tmp_path: Path) -> None:
    async with roles(servers, tmp_path) as running:
        board = await create_board(running)
        for number in range(2):
            await eventually(partial(can_queue, running.server(number), board), "it is connected to the queue")
        acknowledged: list[str] = []
        dropped: dict[bool, list[str]] = {True: [], False: []}  # by whether it was sent before the signal
        stopping, stopped = asyncio.Event(), asyncio.Event()

        async def send(number: int, prefer: str, name: str) -> None:
            server, count = running.server(number), 0
            while not stopped.is_set():
                count += 1
                key, before = f"{name}-{count}", not stopping.is_set()
                try:
                    body = {"player": name, "increment": 1}
                    answer = await server.post(f"{board}/scores", body, Idempotency_Key=key, Prefer=prefer)
                except aiohttp.ClientError:
                    dropped[before].append(key)
                    break
                if answer.status == 503:
                    break
                assert answer.status in {200, 202}, answer.raw
                acknowledged.append(answer.body["event"])

        preferences = ("wait=5", "respond-async")
        senders = [
            asyncio.create_task(send(number, preference, f"{number}-{n}-{preference[:4]}"))
            for number in range(2)
            for preference in preferences
            for n in range(10)
        ]
        await eventually(lambda: len(acknowledged) > 500 or any(one.done() for one in senders), "updates succeed")
        assert not [task for task in senders if task.done()]
        stopping.set()
        for one in (running.processes[1], *running.processes[2:]):
            one.terminate()
        assert [await one.ended() for one in (running.processes[1], *running.processes[2:])] == [0, 0, 0, 0]
        stopped.set()
        await asyncio.gather(*senders)
        running.processes[0].terminate()
        assert await running.processes[0].ended() == 0
    assert dropped[True] == []
    (tmp_path / "again").mkdir()
    async with roles(servers, tmp_path / "again") as again:
        operator = again.clients[0]

        async def applied(event: str) -> bool:
            return bool((await operator.get(f"/v1/apps/game/events/{event}")).ok()["status"] == "applied")

        for event in acknowledged:
            await eventually(partial(applied, event), f"{event} is applied")
        entries = (await operator.get(f"{board}/top?limit=1000")).ok()["entries"]
        assert len(acknowledged) <= sum(entry["score"] for entry in entries) <= len(acknowledged) + len(dropped[False])


async def can_queue(server: Client, board: str) -> bool:
    """Send an update of zero points. Return whether it was queued."""
    body = {"player": "nobody", "increment": 0}
    return (await server.post(f"{board}/scores", body, Prefer="respond-async")).status == 202


async def test_idle_roles_use_little_cpu(servers: Servers, tmp_path: Path) -> None:
    """The limit is generous, because the machine may be busy. The shares are printed."""
    async with roles(servers, tmp_path) as running:
        await create_board(running)

        async def idle() -> bool:
            before = [ticks(one.pid) for one in running.processes]
            await asyncio.sleep(5)
            used = [ticks(one.pid) - ticks_before for one, ticks_before in zip(running.processes, before, strict=True)]
            share = [100 * one / os.sysconf("SC_CLK_TCK") / 5 for one in used]
            print("idle, % of a core:", dict(zip((f"{n} {role}" for n, role in enumerate(ROLES)), share, strict=True)))
            return max(share) < 20

        await eventually(idle, "no process uses a fifth of a core")


def ticks(pid: int) -> int:
    """Return the CPU time that a process has used, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
