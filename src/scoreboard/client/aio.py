"""Client for programs with asyncio."""

import uuid
from collections.abc import AsyncGenerator, Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar

from scoreboard.client.live import State, Subscription
from scoreboard.client.requests import Request, Update, batches, checked_address, checked_token
from scoreboard.client.results import (
    Batch,
    BatchAccepted,
    BatchApplied,
    BatchRefused,
    Entry,
    Event,
    Found,
    LiveTop,
    Outcome,
    Page,
    Standing,
)
from scoreboard.client.transport import Transport
from scoreboard.client.watching import log_state, watch

T = TypeVar("T")


class AsyncScoreboard:
    """Client of one app. Use it as a context manager, or close it.

    A call is repeated on 429, on 503 and without a response, with backoff and jitter, and never sooner than the server
    asks. All attempts of an update have one idempotency key, so that it counts once. An attempt takes at most
    `timeout_s`. None starts later than `retry_for_s` after the first; then the last error is raised. The errors are in
    `scoreboard.client.errors`.

    `url` and `token` may be functions, which are called when needed: for servers that move and tokens that expire.
    """

    def __init__(
        self,
        url: str | Callable[[], str | None],
        *,
        app: str,
        token: str | Callable[[], str | None] | None = None,
        timeout_s: float = 10.0,
        retry_for_s: float = 30.0,
    ) -> None:
        self.app = app
        self._retry_for_s = retry_for_s
        self._transport = Transport(_provider(url, checked_address), _provider(token, checked_token), timeout_s)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.base!r}, app={self.app!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections. The client cannot be used again."""
        await self._transport.close()

    async def update(
        self,
        board: str,
        player: str,
        *,
        increment: int | None = None,
        score: int | None = None,
        action: str | None = None,
        region: str | None = None,
        metadata: object = None,
        key: str | None = None,
    ) -> Outcome:
        """Update a player's score with exactly one of `increment`, `score` and `action`.

        The update is durable and counted once when this returns. After a TransportError, repeat the call with the same
        `key` to learn the outcome.
        """
        body = Update(player, increment, score, action, region, metadata).body()
        key = key or uuid.uuid4().hex
        return await self._send(Request("POST", self._board(board, "scores"), Outcome, body=body, key=key))

    async def update_many(
        self, board: str, updates: Iterable[Update], *, key: str | None = None
    ) -> list[BatchApplied | BatchAccepted | BatchRefused]:
        """Send any number of updates in order, 1,000 in a request, and return their outcomes in the same order.

        The token must be that of a server. If this raises, some updates may be counted. Repeat the call with the same
        `key`, or with keys in the updates, to count the rest; no update counts twice.
        """
        results: list[BatchApplied | BatchAccepted | BatchRefused] = []
        for body in batches(updates, key or uuid.uuid4().hex):
            batch = await self._send(Request("POST", self._board(board, "scores", "batch"), Batch, body=body))
            results += batch.results
        return results

    async def event(self, event: str) -> Event:
        """Return the outcome of an update by its event id."""
        return await self._send(Request("GET", ("apps", self.app, "events", event), Event))

    async def top(
        self,
        board: str,
        *,
        limit: int | None = None,
        region: str | None = None,
        season: str | None = None,
        cursor: str | None = None,
    ) -> Page:
        """Return the best `limit` standings, at most 1,000, or those after the `next_cursor` of a page.

        The default limit is the top N of the board.
        """
        query = {"limit": limit, "cursor": cursor, "region": region, "season": season}
        return await self._send(Request("GET", self._board(board, "top"), Page, query=query))

    async def entries(
        self, board: str, *, region: str | None = None, season: str | None = None, page_size: int = 1_000
    ) -> AsyncGenerator[Entry, None]:
        """Iterate over all standings, best first, page by page.

        Players whose rank does not change during the iteration appear once. Others may be missing or appear twice.
        """
        cursor = None
        while True:
            page = await self.top(board, limit=page_size, region=region, season=season, cursor=cursor)
            for entry in page.entries:
                yield entry
            cursor = page.next_cursor
            if cursor is None:
                return

    async def standing(
        self, board: str, player: str, *, region: str | None = None, season: str | None = None
    ) -> Standing:
        """Return a player's rank, score and distance to the next."""
        query = {"region": region, "season": season}
        return await self._send(Request("GET", self._board(board, "players", player), Standing, query=query))

    async def around(
        self, board: str, player: str, *, radius: int = 5, region: str | None = None, season: str | None = None
    ) -> Page:
        """Return a player with `radius` neighbours on each side.

        At the top and at the bottom of the table, the window is shifted and keeps its size.
        """
        query = {"radius": radius, "region": region, "season": season}
        return await self._send(Request("GET", self._board(board, "players", player, "around"), Page, query=query))

    async def query(
        self, board: str, players: Iterable[str], *, region: str | None = None, season: str | None = None
    ) -> Found:
        """Return the standings of at most 200 players, such as friends."""
        query = {"region": region, "season": season}
        body = {"players": list(players)}
        return await self._send(Request("POST", self._board(board, "players", "query"), Found, query=query, body=body))

    def watch(
        self,
        board: str,
        *,
        region: str | None = None,
        season: str | None = None,
        on_state: Callable[[State], None] | None = None,
    ) -> AsyncGenerator[LiveTop, None]:
        """Iterate over the live top N: the current one, then each newer one, until cancelled.

        A lost connection is reopened and resumes at its position. `on_state` receives the connection state; by default
        it is logged. Without `season` it follows the current season. Raises errors that a reconnect would not fix, such
        as NotFound or Unauthenticated.
        """
        subscription = Subscription(self.app, board, region, season)
        return watch(self._transport, subscription, on_state or log_state(f"{self.app}/{board}"))

    async def _send(self, request: Request[T]) -> T:
        return await self._transport.send(request, self._retry_for_s)

    def _board(self, board: str, *rest: str) -> tuple[str, ...]:
        return ("apps", self.app, "boards", board, *rest)


def _provider(value: str | Callable[[], str | None] | None, check: Callable[[str], str]) -> Callable[[], str | None]:
    """Return a function that returns the value. A constant is checked immediately."""
    if callable(value):
        return value
    checked = None if value is None else check(value)
    return lambda: checked
