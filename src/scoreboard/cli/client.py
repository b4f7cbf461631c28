"""Client: the HTTP API as calls. JSON in, JSON out; a problem becomes RequestRefused, silence Unreachable."""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from scoreboard.cli.errors import RequestRefused, Unreachable

TIMEOUT_S = 60.0


class _Problem(msgspec.Struct):
    code: str
    detail: str


class Client:
    """`locate` gives the server's address and is asked again after it did not answer (None: as before); `token` gives
    the token for the next request."""

    def __init__(
        self, session: aiohttp.ClientSession, locate: Callable[[], str | None], token: Callable[[], str]
    ) -> None:
        self._session = session
        self._locate = locate
        self._token = token
        self._base = locate() or ""

    async def call(
        self, method: str, *path: str, body: object = None, query: Mapping[str, str | int] | None = None
    ) -> Any:
        """The answer's JSON, None when it has none. Each of `path` is one segment below `/v1`, whatever it contains."""
        url = URL(self._base + "/v1/" + "/".join(map(_segment, path)), encoded=True)
        headers = {"Authorization": f"Bearer {self._token()}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode(body)
        try:
            async with self._session.request(
                method, url.with_query(query) if query else url, data=data, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            asked, self._base = self._base, self._locate() or self._base
            raise Unreachable(f"no answer from {asked}: {_reason(error)}; is the server running there?") from error
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(response, answer)
        try:
            return msgspec.json.decode(answer, type=dict[str, Any]) if answer else None
        except msgspec.DecodeError as error:
            raise Unreachable(f"{self._base} did not answer as expected; is this a Scoreboard server?") from error


@asynccontextmanager
async def client(locate: Callable[[], str | None], token: Callable[[], str]) -> AsyncIterator[Client]:
    """A Client with connections of its own, closed in the end."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Client(session, locate, token)


def renewed(mint: Callable[[], str], every_s: float) -> Callable[[], str]:
    """A token that is minted anew when the last is `every_s` old: a command may run for days."""
    token, minted_at = "", float("-inf")

    def current() -> str:
        nonlocal token, minted_at
        if time.monotonic() - minted_at > every_s:
            token, minted_at = mint(), time.monotonic()
        return token

    return current


def _segment(text: str) -> str:
    """Dots are escaped too: a player called `..` must not lead to another address."""
    return quote(text, safe="").replace(".", "%2E")


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "there is no such host"
    if isinstance(error, TimeoutError):
        return f"not within {TIMEOUT_S:g} s"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__


def _refusal(response: aiohttp.ClientResponse, answer: bytes) -> RequestRefused:
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem(f"http_{response.status}", response.reason or "not what a Scoreboard server answers")
    after = response.headers.get("Retry-After", "")
    return RequestRefused(response.status, problem.code, problem.detail, float(after) if after.isdecimal() else None)
