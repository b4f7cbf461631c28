"""The one place of I/O: requests and live connections over aiohttp."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import TypeVar

import aiohttp
from yarl import URL

from scoreboard import __version__
from scoreboard.client.answers import Answer, judge
from scoreboard.client.errors import NoAnswer, ScoreboardClientError, TooMany, Unavailable, of_status
from scoreboard.client.live import Lost, closed
from scoreboard.client.requests import Request, checked_token
from scoreboard.client.retry import may_be_tried_again
from scoreboard.concurrency.backoff import Backoff

T = TypeVar("T")

PING_EVERY_S = 20.0


class Transport:
    """`locate` gives the server's address and is asked again after it did not answer (None: as before); `token` gives
    the token for the next request (None: without). To be used in one event loop, and closed there."""

    def __init__(self, locate: Callable[[], str | None], token: Callable[[], str | None], timeout_s: float) -> None:
        self._locate = locate
        self._token = token
        self._timeout_s = timeout_s
        self._base = locate() or ""
        self._backoff = Backoff(first_s=0.1, longest_s=5.0)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @property
    def base(self) -> str:
        return self._base

    def token(self) -> str | None:
        """The token for now. Raises ValueError for one that cannot be sent."""
        token = self._token()
        return None if token is None else checked_token(token)

    async def once(self, request: Request[T]) -> T:
        """Send it, and its answer. Raises NoAnswer, NotScoreboard, or the error that the answer is."""
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        headers = request.headers(self.token())
        url = URL(self._base + request.target, encoded=True)
        try:
            async with self._connections().request(
                request.method, url, data=request.content, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer("no_answer", self._silence(error)) from error
        return judge(request, Answer(response.status, response.reason or "", response.headers, content))

    async def ask(self, request: Request[T], retry_for_s: float) -> T:
        """As `once`, again and again under the same key as long as that may help; no try begins later than
        `retry_for_s` after the first. Raises the last error."""
        given_up_at = time.monotonic() + retry_for_s
        failures = 0
        while True:
            try:
                return await self.once(request)
            except ScoreboardClientError as error:
                failures += 1
                pause_s = self._backoff.pause_s(failures, error.retry_after_s)
                if not may_be_tried_again(error) or time.monotonic() + pause_s > given_up_at:
                    raise
            await asyncio.sleep(pause_s)

    async def live(self) -> "Socket":
        """A live connection, to be closed. Raises Lost when there is none now, and the error that its refusal is."""
        try:
            async with asyncio.timeout(self._timeout_s):
                socket = await self._connections().ws_connect(
                    self._base + "/v1/live", heartbeat=PING_EVERY_S, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
                )
        except aiohttp.WSServerHandshakeError as error:
            refusal = of_status(error.status, f"http_{error.status}", f"{self._base} opens no live connection")
            raise Lost(str(refusal)) if isinstance(refusal, TooMany | Unavailable) else refusal from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Lost(self._silence(error)) from error
        return Socket(socket, self._timeout_s)

    async def close(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("this client is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"scoreboard-python/{__version__}"},
            )
        return self._session

    def _silence(self, error: Exception) -> str:
        """What to say of it; the next try looks where the server is by then."""
        asked, self._base = self._base, self._locate() or self._base
        return f"no answer from {asked}: {_reason(error, self._timeout_s)}; is the server running there?"


class Socket:
    """Texts of a live connection. `receive` raises what its end means."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, timeout_s: float) -> None:
        self._socket = socket
        self._timeout_s = timeout_s

    async def aclose(self) -> None:
        await self._socket.close()

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise Lost("the connection broke") from error

    async def receive(self, *, promptly: bool) -> str:
        """The next text, however long it takes, or Lost when it must come `promptly` and does not."""
        try:
            message = await self._socket.receive(self._timeout_s if promptly else None)
        except TimeoutError as error:
            raise Lost(f"no answer within {self._timeout_s:g} s") from error
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        raise closed(self._socket.close_code, str(message.extra or ""))


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "there is no such host"
    if isinstance(error, TimeoutError):
        return f"not within {timeout_s:g} s"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
