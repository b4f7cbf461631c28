"""A client of the HTTP API, and its answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """Return the code of a problem; AssertionError if it is malformed."""
        assert self.headers.get("Content-Type") == PROBLEM, (self.status, self.headers, self.raw[:300])
        problem = self.body
        assert problem["status"] == self.status
        assert {"type", "title", "detail"} <= problem.keys()
        return str(problem["code"])

    def refused(self, status: int, code: str) -> "Answer":
        """Assert that the answer is this problem, and return it."""
        assert (self.status, self.code) == (status, code), self.raw[:500]
        return self

    def ok(self, status: int = 200) -> Any:
        """Return the JSON of a success."""
        assert self.status == status, (self.status, self.raw[:500])
        return self.body if self.raw else None


class Client:
    """A client of the HTTP API with one token, or none."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str | None = None) -> None:
        self.http = http
        self.url = url
        self.token = token

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        data = raw if raw is not None or body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = JSON
        sent.update(headers or {})
        url = URL(self.url + path, encoded=True)  # exactly as written
        async with self.http.request(method, url, data=data, headers=sent, allow_redirects=False) as got:
            return Answer(got.status, got.headers.copy(), await got.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, headers=_named(headers))

    async def post(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.call("POST", path, body, headers=_named(headers))

    async def patch(self, path: str, body: Any) -> Answer:
        return await self.call("PATCH", path, body)

    async def delete(self, path: str) -> Answer:
        return await self.call("DELETE", path)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    """Return header names with hyphens, as in Idempotency-Key."""
    return {name.replace("_", "-"): value for name, value in headers.items()}
