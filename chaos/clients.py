"""`python -m chaos.clients ORDERS`: the clients and screens of one board.

ORDERS is JSON (`Orders`). Each connection has one update in flight, half of them with `Prefer: respond-async`. Each
update has its own key. A client repeats it under that key, at all addresses in turn, until it has an answer. It logs
every answer before it continues. Each screen holds a live board by WebSocket, and reconnects after a loss.

Each line of stdin is an order, answered by a line of JSON on stdout when it is done:

    burst                        send updates without a pause; return the number acknowledged so far
    calm                         pause for two seconds between updates; return the same number
    hold                         stop sending and wait for the updates in flight; return the same number
    count                        return the same number
    shown PLAYER SCORE SECONDS   wait until every screen shows the score; return whether they did
    screens                      return the contents of the screens (`Screens`)

The process ends with its stdin.
"""

import asyncio
import contextlib
import random
import sys
import time
from pathlib import Path

import aiohttp
import msgspec
import uvloop

from chaos.account import KINDS, Kind, Line, text, update
from harness.load import PAUSE_S, Connection, Log
from scoreboard.client.live import ConnectionLost, Subscription
from scoreboard.client.results import LiveTop

PLAYERS = 300
CALM_S = 2.0
ANSWER_S = 40.0  # for an answer; the bounds that the service promises are lower
LOOK_S = 0.02
ASYNC = "Prefer: respond-async\r\n"


class Orders(msgspec.Struct):
    """The addresses, the credential and the numbers of connections and screens."""

    apis: list[str]
    live: str
    token: str
    app: str
    board: str
    log: str
    connections: int
    screens: int


class Screens(msgspec.Struct):
    """The players and scores on each screen, the leader first.

    `backwards` counts the frames that were older than the one before them in the same connection and epoch.
    """

    shown: list[list[tuple[str, int]]]
    backwards: int


class _Event(msgspec.Struct):
    event: str


class _Frame(msgspec.Struct):
    type: str
    epoch: str = ""
    offset: int = 0


class Clients:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._log = Log(Path(orders.log))
        self._going = asyncio.Event()
        self._hurrying = asyncio.Event()
        self._in_flight = 0
        self._acknowledged = 0
        self._tops: list[LiveTop | None] = [None] * orders.screens
        self._backwards = 0

    async def run(self) -> None:
        """Follow the orders until stdin ends."""
        async with aiohttp.ClientSession() as http:
            tasks = [asyncio.create_task(self._client(number)) for number in range(self._orders.connections)]
            tasks += [asyncio.create_task(self._screen(http, number)) for number in range(self._orders.screens)]
            await self._obey()
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended

    async def _obey(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            done = await self._order(line.decode().split())
            sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
            sys.stdout.buffer.flush()

    async def _order(self, words: list[str]) -> object:
        match words:
            case ["burst"]:
                self._going.set()
                self._hurrying.set()
            case ["calm"]:
                self._going.set()
                self._hurrying.clear()
            case ["hold"]:
                self._going.clear()
                self._hurrying.clear()
                while self._in_flight:
                    await asyncio.sleep(LOOK_S)
            case ["shown", player, score, seconds]:
                return await self._shown(player, int(score), float(seconds))
            case ["screens"]:
                shown = [[] if top is None else [(e.player, e.score) for e in top.entries] for top in self._tops]
                return Screens(shown, self._backwards)
            case ["count"]:
                pass
            case _:
                raise ValueError(words)
        return self._acknowledged

    async def _shown(self, player: str, score: int, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not all(top is not None and _shows(top, player, score) for top in self._tops):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _client(self, number: int) -> None:
        orders = self._orders
        chance = random.Random(f"{orders.board}-{number}")
        path = f"/v1/apps/{orders.app}/boards/{orders.board}"
        links = [Connection(url, orders.token, path) for url in orders.apis]
        links = links[number % len(links) :] + links[: number % len(links)]
        headers = ASYNC if number // len(links) % 2 else ""
        count = 0
        while True:
            await self._going.wait()
            count += 1
            self._in_flight += 1
            player, increment = f"p{chance.randrange(PLAYERS)}", chance.randint(1, 1_000)
            await self._until_answered(links, f"{orders.board}-{number}-{count}", player, increment, headers)
            self._in_flight -= 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALM_S):
                    await self._hurrying.wait()

    async def _until_answered(
        self, links: list[Connection], key: str, player: str, increment: int, headers: str
    ) -> None:
        body = update(player, increment)
        tries = 0
        while True:
            link = links[tries % len(links)]
            await link.connect()
            sent = time.monotonic()
            kind, event = await _send(link, key, body, headers)
            self._log.write(text(Line(kind, key, player, increment, sent, time.monotonic(), event)))
            if kind in {"A", "Q", "X"}:
                self._acknowledged += kind != "X"
                return
            tries += 1
            await asyncio.sleep(PAUSE_S)

    async def _screen(self, http: aiohttp.ClientSession, number: int) -> None:
        orders = self._orders
        subscription = Subscription(orders.app, orders.board, None, None)
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, ConnectionLost):
                async with http.ws_connect(f"{orders.live}/v1/live") as socket:
                    for message in subscription.opening_messages(None):
                        await socket.send_str(message)
                    await self._watch(number, socket, subscription)
            await asyncio.sleep(10 * PAUSE_S)

    async def _watch(self, number: int, socket: aiohttp.ClientWebSocketResponse, subscription: Subscription) -> None:
        before = _Frame("")
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            frame = msgspec.json.decode(message.data, type=_Frame)
            if frame.type == "top":
                self._backwards += frame.epoch == before.epoch and frame.offset < before.offset
                before = frame
            got = subscription.receive(message.data)
            if isinstance(got, LiveTop):
                self._tops[number] = got


async def _send(link: Connection, key: str, body: bytes, headers: str) -> tuple[Kind, str]:
    try:
        async with asyncio.timeout(ANSWER_S):
            answer = await link.send(key, body, headers)
    except TimeoutError:
        await link.close()
        return "T", "-"
    if answer is None:
        return "B", "-"
    status, content = answer
    kind = KINDS.get(status, "X")
    if kind in {"A", "Q"}:
        return kind, msgspec.json.decode(content, type=_Event).event
    return kind, f"{status} {content.decode(errors='replace')[:300]!r}"


def _shows(top: LiveTop, player: str, score: int) -> bool:
    return any(entry.player == player and entry.score >= score for entry in top.entries)


if __name__ == "__main__":
    uvloop.run(Clients(msgspec.json.decode(sys.argv[1], type=Orders)).run())
