"""Requests as values, without I/O."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

T = TypeVar("T")

BATCH = 1_000
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Update:
    """One update of a player, with exactly one of `increment`, `score` and `action`.

    `metadata` is any JSON. `key` is the idempotency key: updates with the same key count once.
    """

    player: str
    increment: int | None = None
    score: int | None = None
    action: str | None = None
    region: str | None = None
    metadata: object = None
    key: str | None = None

    def body(self) -> dict[str, object]:
        """Return the request body, without the key."""
        given = {
            "player": self.player,
            "increment": _encode_integer(self.increment),
            "score": _encode_integer(self.score),
            "action": self.action,
            "region": self.region,
            "metadata": self.metadata,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Request(Generic[T]):
    """One HTTP request.

    `path` has the segments below `prefix`, with any characters. `result` is the type of a successful response.
    """

    method: str
    path: tuple[str, ...]
    result: type[T]
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    body: object = None
    key: str | None = None
    prefix: str = "/v1"

    @property
    def target(self) -> str:
        """Path and query, encoded, without parameters that are None."""
        query = urlencode({name: value for name, value in self.query.items() if value is not None}, quote_via=quote)
        # Dots are escaped too: a player named `..` must not lead to another path.
        segments = (quote(segment, safe="").replace(".", "%2E") for segment in self.path)
        return "/".join([self.prefix, *segments]) + (f"?{query}" if query else "")

    @property
    def content(self) -> bytes | None:
        """Encoded body."""
        return None if self.body is None else msgspec.json.encode(self.body)

    def headers(self, token: str | None) -> dict[str, str]:
        """Return the headers for a token."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        if self.key is not None:
            headers["Idempotency-Key"] = self.key
        return headers


def batches(updates: Iterable[Update], key: str) -> Iterator[dict[str, object]]:
    """Yield request bodies of up to BATCH updates.

    Updates without a key get `key` with their position, so that the same updates under the same key count once.
    """
    numbered = enumerate(updates)
    while batch := list(islice(numbered, BATCH)):
        yield {"updates": [{**update.body(), "idempotency_key": update.key or f"{key}/{n}"} for n, update in batch]}


def checked_address(url: str) -> str:
    """Return the address without a final slash. Raises ValueError if it is invalid."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if valid and "@" in parts.netloc:
        raise ValueError("the URL of a server must not contain a user name or password; pass a token instead")
    if not valid or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not a valid server URL; use a form such as http://127.0.0.1:8000")
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """Return the token. Raises ValueError, without its text, if it is no valid header."""
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError("the token is empty or has invalid characters; check for spaces or a line break at its end")
    return token


def _encode_integer(value: int | None) -> int | str | None:
    """Return a value, as text if it is too large to encode; the server refuses it."""
    fits = not isinstance(value, int) or INT64_MIN <= value <= INT64_MAX
    return value if fits else str(value)
