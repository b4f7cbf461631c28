"""AsyncScoreboard: one app of a Scoreboard server, for programs on asyncio."""

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
from scoreboard.client.watching import logged, watch

T = TypeVar("T")


class AsyncScoreboard:
    """One app of a server, to be used as a context manager or closed in the end.

    Every call is tried again after silence, 429 and 503, with growing, jittered waits that are never shorter than the
    server asks for; an update has one idempotency key for all its tries, so that it counts once. Each try may take
    `timeout_s`, and none begins later than `retry_for_s` after the first; then the last error is raised. What can be
    raised is in `scoreboard.client.errors`.

    `url` and `token` may be functions, asked before they are needed: for servers that move and tokens that expire.
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
        self._transport = Transport(_given(url, checked_address), _given(token, checked_token), timeout_s)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.base!r}, app={self.app!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections. It cannot be used again."""
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
        """Update a player's score by exactly one of `increment`, `score` and `action`. It is durable, and counted once,
        when this returns. When this raises NoAnswer, the same call with the same `key` of your own finds out."""
        wanted = Update(player, increment, score, action, region, metadata)
        key = key or uuid.uuid4().hex
        return await self._ask(Request("POST", self._board(board, "scores"), Outcome, body=wanted.body(), key=key))

    async def update_many(
        self, board: str, updates: Iterable[Update], *, key: str | None = None
    ) -> list[BatchApplied | BatchAccepted | BatchRefused]:
        """Send any number of updates, in order, 1,000 in a request; needs a server's token. Each has an outcome of its
        own, in the same order. When this raises, some may be counted: the same call with the same `key` of your own
        (or keys in the updates) counts the rest, and nothing twice."""
        results: list[BatchApplied | BatchAccepted | BatchRefused] = []
        for body in batches(updates, key or uuid.uuid4().hex):
            batch = await self._ask(Request("POST", self._board(board, "scores", "batch"), Batch, body=body))
            results += batch.results
        return results

    async def event(self, event: str) -> Event:
        """The outcome of one update, by the event id that its answer had."""
        return await self._ask(Request("GET", ("apps", self.app, "events", event), Event))

    async def top(
        self,
        board: str,
        *,
        limit: int | None = None,
        region: str | None = None,
        season: str | None = None,
        cursor: str | None = None,
    ) -> Page:
        """The best `limit` standings (at most 1,000; the board's top N when None), or those after a page's
        `next_cursor`."""
        query = {"limit": limit, "cursor": cursor, "region": region, "season": season}
        return await self._ask(Request("GET", self._board(board, "top"), Page, query=query))

    async def entries(
        self, board: str, *, region: str | None = None, season: str | None = None, page_size: int = 1_000
    ) -> AsyncGenerator[Entry, None]:
        """All standings, best first, read page by page. Scores may move meanwhile: who stays where he is comes
        exactly once, who passes the reader may be missed or come twice."""
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
        """One player's rank, score and distance to the next."""
        query = {"region": region, "season": season}
        return await self._ask(Request("GET", self._board(board, "players", player), Standing, query=query))

    async def around(
        self, board: str, player: str, *, radius: int = 5, region: str | None = None, season: str | None = None
    ) -> Page:
        """A player and `radius` neighbours on each side; at the top and the bottom the window is shifted, not cut."""
        query = {"radius": radius, "region": region, "season": season}
        return await self._ask(Request("GET", self._board(board, "players", player, "around"), Page, query=query))

    async def query(
        self, board: str, players: Iterable[str], *, region: str | None = None, season: str | None = None
    ) -> Found:
        """The standings of a set of players, such as friends: at most 200."""
        query = {"region": region, "season": season}
        body = {"players": list(players)}
        return await self._ask(Request("POST", self._board(board, "players", "query"), Found, query=query, body=body))

    def watch(
        self,
        board: str,
        *,
        region: str | None = None,
        season: str | None = None,
        on_state: Callable[[State], None] | None = None,
    ) -> AsyncGenerator[LiveTop, None]:
        """The live top N: as it is now, and then each newer one, for ever. A lost connection comes back by itself and
        goes on where it was; `on_state` hears of it (the log does, when None). `season` None follows the current one.
        Raises what the server refuses for good, such as NotFound or Unauthenticated."""
        subscription = Subscription(self.app, board, region, season)
        return watch(self._transport, subscription, on_state or logged(f"{self.app}/{board}"))

    async def _ask(self, request: Request[T]) -> T:
        return await self._transport.ask(request, self._retry_for_s)

    def _board(self, board: str, *rest: str) -> tuple[str, ...]:
        return ("apps", self.app, "boards", board, *rest)


def _given(value: str | Callable[[], str | None] | None, check: Callable[[str], str]) -> Callable[[], str | None]:
    """A function that gives it, checked now where it is known now."""
    if callable(value):
        return value
    checked = None if value is None else check(value)
    return lambda: checked
