"""Proxy that loses, refuses and delays requests as a test prescribes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Step = Literal["pass", "lose response", "lose request", "stay silent", "busy", "busy for an hour", "down", "broken"]

REFUSALS: dict[Step, tuple[int, str]] = {
    "busy": (429, "0"),
    "busy for an hour": (429, "3600"),
    "down": (503, "1"),
    "broken": (500, ""),
}


@dataclass
class FlakyProxy:
    """Proxy whose `steps` prescribe the outcome of each request in turn.

    After the steps, every request passes. `keys` are the idempotency keys of the requests.
    """

    upstream: int
    steps: list[Step]
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    links: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """Break all open connections."""
        for writer in self.links:
            writer.transport.abort()
        self.links.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the requests of one connection in order."""
        self.links.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head, body = await _message(reader)
                await self._request(head, body, reader, writer)
        writer.close()

    async def _request(
        self, head: bytes, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.requests.append(head + body)
        self.keys += [line.partition(b": ")[2].decode() for line in head.split(b"\r\n") if _is_key(line)]
        step = self.steps.pop(0) if self.steps else "pass"
        if step in REFUSALS:
            writer.write(_refusal(*REFUSALS[step]))
        elif step == "stay silent":
            await reader.read(1)  # until the client hangs up
        elif step != "lose request":
            upstream, upwriter = await asyncio.open_connection("127.0.0.1", self.upstream)
            upwriter.write(head + body)
            if b"\r\nUpgrade: websocket" in head:
                self.links.append(upwriter)
                await _copy_both((reader, upwriter), (upstream, writer))
            else:
                response = b"".join(await _message(upstream))
                upwriter.close()
                if step == "pass":
                    writer.write(response)
                    return
        if step not in REFUSALS:
            writer.transport.abort()


@asynccontextmanager
async def flaky(upstream: int, *steps: Step) -> AsyncIterator[FlakyProxy]:
    """Run a proxy until the block ends."""
    proxy = FlakyProxy(upstream, list(steps))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await asyncio.sleep(0)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read the head and the body of a message."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return head, await reader.readexactly(lengths[0] if lengths else 0)


async def _copy_both(*directions: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Copy bytes in both directions until one of them ends."""
    pipes = [asyncio.create_task(_pipe(*direction)) for direction in directions]
    await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
    for pipe, (_, writer) in zip(pipes, directions, strict=True):
        pipe.cancel()
        writer.transport.abort()
    await asyncio.gather(*pipes, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)


def _is_key(line: bytes) -> bool:
    return line.lower().startswith(b"idempotency-key:")


def _refusal(status: int, retry_after: str) -> bytes:
    body = b'{"code": "scripted", "detail": "not now"}'
    after = f"Retry-After: {retry_after}\r\n" if retry_after else ""
    return f"HTTP/1.1 {status} Scripted\r\n{after}Content-Length: {len(body)}\r\n\r\n".encode() + body
