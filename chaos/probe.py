"""The check of a recovery: updates by each `api`, exact ranks and every screen."""

import asyncio
import itertools
import time

import aiohttp

from chaos.account import KINDS, Kind, Line, sums, update
from chaos.load import Load
from harness.client import Answer, Client

PLAYER = "probe"
INCREMENT = 1_000_000  # far above all others: it leads
LOOK_S = 0.02
ANSWER_S = 40.0
LONGEST_S = 90.0


class NotRecovered(Exception):
    """A recovery that took too long. str() describes the missing condition."""


class Probe:
    """A client that checks one board. `lines` are its requests, as in a client log."""

    def __init__(self, http: aiohttp.ClientSession, apis: list[str], token: str, app: str, board: str) -> None:
        self._clients = [Client(http, url, token) for url in apis]
        self._app = f"/v1/apps/{app}"
        self._board = f"{self._app}/boards/{board}"
        self._keys = (f"{board}-{PLAYER}-{number}" for number in itertools.count())
        self.lines: list[Line] = []

    async def works(self) -> None:
        """Wait until updates of both kinds succeed and are ranked. Raises NotRecovered."""
        try:
            async with asyncio.timeout(LONGEST_S):
                await asyncio.gather(*(self._works(client) for client in self._clients))
        except TimeoutError as error:
            raise NotRecovered(
                f"no updates with exact ranks within {LONGEST_S:.0f} s; last: {self.lines[-2:]}"
            ) from error

    async def is_shown(self, load: Load) -> None:
        """Wait until every screen shows the acknowledged updates. Raises NotRecovered."""
        score = sums(self.lines)[PLAYER]
        if not await load.shown(PLAYER, score):
            raise NotRecovered(f"not every screen shows {PLAYER} with {score:,}")

    async def _works(self, client: Client) -> None:
        while (await self._update(client)).body["rank_state"] != "exact":
            await asyncio.sleep(LOOK_S)
        event = (await self._update(client, Prefer="respond-async")).body["event"]
        while await self._status(client, event) != "applied":
            await asyncio.sleep(LOOK_S)

    async def _update(self, client: Client, **headers: str) -> Answer:
        """Send an update under one key until it succeeds. Return the answer."""
        key = next(self._keys)
        while True:
            sent = time.monotonic()
            answer = await _answered(client, "POST", f"{self._board}/scores", {"Idempotency-Key": key, **headers})
            status = 0 if answer is None else answer.status
            kind: Kind = "B" if answer is None else KINDS.get(status, "X")
            event = answer.body["event"] if answer is not None and kind in {"A", "Q"} else f"{status}"
            self.lines.append(Line(kind, key, PLAYER, INCREMENT, sent, time.monotonic(), event))
            if answer is not None and kind in {"A", "Q"}:
                return answer
            await asyncio.sleep(LOOK_S)

    async def _status(self, client: Client, event: str) -> str:
        answer = await _answered(client, "GET", f"{self._app}/events/{event}", {})
        if answer is None or answer.status != 200:
            return "unknown"
        outcome = answer.body
        # A replayed key was applied under another event: that of an earlier, unanswered attempt.
        return "applied" if outcome.get("code") == "key_replayed" else str(outcome["status"])


async def _answered(client: Client, method: str, path: str, headers: dict[str, str]) -> Answer | None:
    body = None if method == "GET" else update(PLAYER, INCREMENT)
    try:
        async with asyncio.timeout(ANSWER_S):
            return await client.call(method, path, raw=body, headers=headers)
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None
