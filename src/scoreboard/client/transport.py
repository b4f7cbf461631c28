"""Requests and live connections over aiohttp."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import TypeVar

import aiohttp
from yarl import URL

from scoreboard import __version__
from scoreboard.client.errors import RateLimited, ScoreboardClientError, TransportError, Unavailable, error_of_status
from scoreboard.client.live import ConnectionLost, error_of_close
from scoreboard.client.requests import Request, checked_token
from scoreboard.client.responses import Response, decode_response
from scoreboard.client.retry import is_retryable
from scoreboard.concurrency.backoff import Backoff

T = TypeVar("T")

PING_EVERY_S = 20.0


class Transport:
    """HTTP transport of a client, to use and close in one event loop.

    `locate` returns the address of the server, None if it is unchanged, and is called again after a failure. `token`
    returns the token for the next request, None for no token.
    """

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
        """Address of the server."""
        return self._base

    def token(self) -> str | None:
        """Return the present token. Raises ValueError for one that cannot be sent."""
        token = self._token()
        return None if token is None else checked_token(token)

    async def once(self, request: Request[T]) -> T:
        """Send a request once and return its result. Raises the error in the response."""
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        headers = request.headers(self.token())
        url = URL(self._base + request.target, encoded=True)
        try:
            async with self._connections().request(
                request.method, url, data=request.content, headers=headers, timeout=timeout, allow_redirects=False
            ) as received:
                content = await received.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransportError("no_response", self._explain_failure(error)) from error
        response = Response(received.status, received.reason or "", received.headers, content)
        return decode_response(request, response)

    async def send(
        self,
        request: Request[T],
        retry_for_s: float,
        retryable: Callable[[ScoreboardClientError], bool] = is_retryable,
        on_failure: Callable[[ScoreboardClientError, int], None] = lambda _error, _failures: None,
    ) -> T:
        """Send a request, and repeat it with the same key after `retryable` errors.

        No attempt starts later than `retry_for_s` after the first. Raises the last error. Before each wait, calls
        `on_failure` with the error and the number of failures.
        """
        deadline = time.monotonic() + retry_for_s
        failures = 0
        while True:
            try:
                return await self.once(request)
            except ScoreboardClientError as error:
                failures += 1
                pause_s = self._backoff.pause_s(failures, error.retry_after_s)
                if not retryable(error) or time.monotonic() + pause_s > deadline:
                    raise
                on_failure(error, failures)
            await asyncio.sleep(pause_s)

    async def live(self) -> "Socket":
        """Open a live connection.

        Raises ConnectionLost if a later attempt may succeed, otherwise the error of the refusal.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                socket = await self._connections().ws_connect(
                    self._base + "/v1/live", heartbeat=PING_EVERY_S, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
                )
        except aiohttp.WSServerHandshakeError as error:
            refusal = error_of_status(error.status, f"http_{error.status}", f"{self._base} refused the live connection")
            raise ConnectionLost(str(refusal)) if isinstance(refusal, RateLimited | Unavailable) else refusal from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ConnectionLost(self._explain_failure(error)) from error
        return Socket(socket, self._timeout_s)

    async def close(self) -> None:
        """Close all connections. The transport cannot be used again."""
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

    def _explain_failure(self, error: Exception) -> str:
        """Return the reason of a failure, and locate the server for the next attempt."""
        address, self._base = self._base, self._locate() or self._base
        return f"no response from {address}: {_reason(error, self._timeout_s)}; is the server running there?"


class Socket:
    """Live connection that sends and receives text."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, timeout_s: float) -> None:
        self._socket = socket
        self._timeout_s = timeout_s

    async def aclose(self) -> None:
        await self._socket.close()

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLost("the connection was lost") from error

    async def receive(self, *, promptly: bool) -> str:
        """Return the next message.

        Raises the error of a close, and ConnectionLost if a message must come `promptly` and does not.
        """
        try:
            message = await self._socket.receive(self._timeout_s if promptly else None)
        except TimeoutError as error:
            raise ConnectionLost(f"no response within {self._timeout_s:g} s") from error
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        raise error_of_close(self._socket.close_code, str(message.extra or ""))


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "unknown host"
    if isinstance(error, TimeoutError):
        return f"timed out after {timeout_s:g} s"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__
