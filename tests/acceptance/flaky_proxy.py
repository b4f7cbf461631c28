"""A proxy between a client and the running service that loses, refuses and delays as a test tells it to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Step = Literal["pass", "lose answer", "lose request", "keep silent", "busy", "busy for an hour", "down", "broken"]

REFUSALS: dict[Step, tuple[int, str]] = {
    "busy": (429, "0"),
    "busy for an hour": (429, "3600"),
    "down": (503, "1"),
    "broken": (500, ""),
}


@dataclass
class FlakyProxy:
    """`steps` is what becomes of each request, in turn; after them every one passes. `keys` are the idempotency keys
    that were seen, one a request."""

    upstream: int
    steps: list[Step]
    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    links: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """Break all connections that there are."""
        for writer in self.links:
            writer.transport.abort()
        self.links.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: whole requests, one after another."""
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
        elif step == "keep silent":
            await reader.read(1)  # until the client hangs up
        elif step != "lose request":
            upstream, upwriter = await asyncio.open_connection("127.0.0.1", self.upstream)
            upwriter.write(head + body)
            if b"\r\nUpgrade: websocket" in head:
                self.links.append(upwriter)
                await _joined((reader, upwriter), (upstream, writer))
            else:
                answer = b"".join(await _message(upstream))
                upwriter.close()
                if step == "pass":
                    writer.write(answer)
                    return
        if step not in REFUSALS:
            writer.transport.abort()


@asynccontextmanager
async def flaky(upstream: int, *steps: Step) -> AsyncIterator[FlakyProxy]:
    """It listens until the block ends."""
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
    """Head and body, by its Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return head, await reader.readexactly(lengths[0] if lengths else 0)


async def _joined(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Bytes each way, until one of them ends."""
    pipes = [asyncio.create_task(_pipe(*way)) for way in ways]
    await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
    for pipe, (_, writer) in zip(pipes, ways, strict=True):
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
