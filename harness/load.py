"""`python -m harness.load`: clients that send updates until stdin ends.

The arguments are URL, TOKEN, BOARD, LOG, NAME and CONNECTIONS. Each connection has one update in flight. Each update
has an idempotency key, with which it is retried until it is answered. Every outcome is logged before the next request:

    A key player increment sent received    answered with success
    B key player increment sent broken      no answer: the connection broke
    R key player increment sent received    asked to retry (503)
    X key player increment sent received    refused: this must not happen
"""

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

PLAYERS = 400
PAUSE_S = 0.02  # between two tries to connect


class Log:
    """An append-only log, whose lines survive the death of the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


class Connection:
    """A persistent HTTP connection that posts scores."""

    def __init__(self, url: str, token: str, board: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._head = f"POST {board}/scores HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        self._head += "Content-Type: application/json\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> None:
        """Connect, retrying until there is a server."""
        while self._streams is None:
            try:
                self._streams = await asyncio.open_connection(*self._address)
            except OSError:
                await asyncio.sleep(PAUSE_S)

    async def send(self, key: str, body: bytes, headers: str = "") -> tuple[int, bytes] | None:
        """Return status and body of the answer, or None if the connection broke.

        `headers` are complete lines, each with its line end.
        """
        if self._streams is None:
            return None
        reader, writer = self._streams
        try:
            own = f"{headers}Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write((self._head + own).encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            answer = await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            return None
        if "\r\nconnection: close\r\n" in head:
            await self.close()
        return int(head.split()[1]), answer

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def work(connection: Connection, log: Log, name: str, going: Callable[[], bool]) -> None:
    chance = random.Random(name)
    number = 0
    while going():
        number += 1
        key, player, increment = f"{name}-{number}", f"p{chance.randrange(PLAYERS)}", chance.randint(1, 1_000)
        body = b'{"player":"%b","increment":%d}' % (player.encode(), increment)
        kind = ""
        while kind not in {"A", "X"}:
            await connection.connect()
            sent = time.monotonic()
            answer = await connection.send(key, body)
            kind = "B" if answer is None else {200: "A", 503: "R"}.get(answer[0], "X")
            log.write(kind, key, player, increment, f"{sent:.6f}", f"{time.monotonic():.6f}")
            if kind == "R":
                await asyncio.sleep(PAUSE_S)
    await connection.close()


async def main(url: str, token: str, board: str, log: str, name: str, connections: str) -> None:
    loop = asyncio.get_running_loop()
    stopped = loop.run_in_executor(None, sys.stdin.read)
    here = Log(Path(log))
    workers = (
        work(Connection(url, token, board), here, f"{name}-{n}", lambda: not stopped.done())
        for n in range(int(connections))
    )
    await asyncio.gather(*workers, stopped)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
