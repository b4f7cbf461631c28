"""Clients that watch boards, by WebSocket and by Server-Sent Events."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import aiohttp
import jsonschema_rs

from harness.service import Running
from harness.waiting import BOUND_S
from scoreboard.entrypoints.contracts.v1.live import asyncapi

Message = dict[str, Any]

DOCUMENT: dict[str, Any] = json.loads(asyncapi.document())


def check_message(message: Message) -> None:
    """Assert that a message matches the AsyncAPI document, without further fields."""
    schema, validator = described(message["type"])
    validator.validate(message)
    assert message.keys() <= schema["properties"].keys()


@cache
def described(kind: str) -> tuple[dict[str, Any], jsonschema_rs.Draft202012Validator]:
    payload = DOCUMENT["components"]["messages"][kind]["payload"]
    schema = DOCUMENT["components"]["schemas"][payload["$ref"].rpartition("/")[2]]
    return schema, jsonschema_rs.Draft202012Validator({**payload, "components": DOCUMENT["components"]})


class Page:
    """A WebSocket client."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def next(self, kind: str) -> Message:
        """Receive the next message and assert its type."""
        async with asyncio.timeout(BOUND_S):
            received = await self.socket.receive()
        assert received.type is aiohttp.WSMsgType.TEXT, (received, self.socket.close_code)
        message: Message = json.loads(received.data)
        check_message(message)
        assert message["type"] == kind, message
        return message

    async def watch(self, board: str = "main", app: str = "game", **more: Any) -> tuple[Message, Message]:
        """Subscribe without the current position; return the response and the board."""
        await self.send(type="subscribe", app=app, board=board, **more)
        return await self.next("subscribed"), await self.next("top")

    async def until(self, scores: list[tuple[str, Any]]) -> list[Message]:
        """Receive messages until the board has these scores; assert growing offsets."""
        seen: list[Message] = []
        while not seen or scores_of(seen[-1]) != scores:
            message = await self.next("top")
            if seen:
                assert (message["epoch"], message["offset"]) > (seen[-1]["epoch"], seen[-1]["offset"])
                assert message["epoch"] == seen[-1]["epoch"]
            seen.append(message)
        return seen

    async def quiet(self) -> None:
        """Assert that no message arrives before the answer to a ping."""
        await self.send(type="ping")
        await self.next("pong")

    def abort(self) -> None:
        """Break the connection without a close frame."""
        transport = self.socket._writer.transport  # noqa: SLF001 - aiohttp has no public API
        transport.abort()

    async def closed(self) -> int | None:
        """Skip messages until the server closes the connection; return the code."""
        async with asyncio.timeout(BOUND_S):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code


def scores_of(message: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(entry["player"], entry["score"]) for entry in message["entries"]]


@asynccontextmanager
async def page(service: Running, query: str = "", *, autoping: bool = True, **headers: str) -> AsyncIterator[Page]:
    url = f"{service.url}/v1/live{query}"
    async with service.http.ws_connect(url, headers=headers, max_msg_size=0, autoping=autoping) as socket:
        yield Page(socket)


async def score(service: Running, player: str, increment: int, board: str = "main", **more: Any) -> None:
    body = {"player": player, "increment": increment, **more}
    (await service.client("server", "game").post(f"/v1/apps/game/boards/{board}/scores", body)).ok()


class Stream:
    """A client of Server-Sent Events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def event(self) -> dict[str, str]:
        """Return the fields of the next event; skip comments."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(BOUND_S):
            while True:
                line = (await self.response.content.readuntil(b"\n")).decode().rstrip("\n")
                name, _, value = line.partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    check_message(json.loads(fields["data"]))
                    return fields
                else:
                    fields = {}

    async def comment(self) -> str:
        """Return the next comment; assert that no event precedes it."""
        async with asyncio.timeout(BOUND_S):
            while True:
                line = (await self.response.content.readuntil(b"\n")).decode().rstrip("\n")
                assert not line.startswith("data")
                if line.startswith(":"):
                    return line


@asynccontextmanager
async def stream(service: Running, board: str = "main", query: str = "", **headers: str) -> AsyncIterator[Stream]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{service.url}/v1/apps/game/boards/{board}/stream{query}"
    async with service.http.get(url, headers=sent, timeout=aiohttp.ClientTimeout(None)) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        yield Stream(response)
        with contextlib.suppress(aiohttp.ClientError):
            response.close()
