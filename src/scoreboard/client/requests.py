"""What is asked: requests as values, to be sent by whoever does I/O."""

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
    """One update of a player. Exactly one of `increment`, `score` and `action`, as the board asks for; `metadata` is
    any JSON; `key` is the idempotency key under which it counts once."""

    player: str
    increment: int | None = None
    score: int | None = None
    action: str | None = None
    region: str | None = None
    metadata: object = None
    key: str | None = None

    def body(self) -> dict[str, object]:
        """Its JSON, without the key."""
        given = {
            "player": self.player,
            "increment": _whole(self.increment),
            "score": _whole(self.score),
            "action": self.action,
            "region": self.region,
            "metadata": self.metadata,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Request(Generic[T]):
    """`path` are the segments below `/v1`, whatever they contain; `answer` is the type of a success."""

    method: str
    path: tuple[str, ...]
    answer: type[T]
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    body: object = None
    key: str | None = None

    @property
    def target(self) -> str:
        """Path and query, encoded; what is None in the query is left out."""
        query = urlencode({name: value for name, value in self.query.items() if value is not None}, quote_via=quote)
        return "/v1/" + "/".join(map(_segment, self.path)) + (f"?{query}" if query else "")

    @property
    def content(self) -> bytes | None:
        return None if self.body is None else msgspec.json.encode(self.body)

    def headers(self, token: str | None) -> dict[str, str]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        if self.key is not None:
            headers["Idempotency-Key"] = self.key
        return headers


def batches(updates: Iterable[Update], key: str) -> Iterator[dict[str, object]]:
    """The bodies of all updates, BATCH at a time. Those without a key of their own get `key` and their place, so that
    the same updates again, under the same key, count nothing twice."""
    numbered = enumerate(updates)
    while cut := list(islice(numbered, BATCH)):
        yield {"updates": [{**one.body(), "idempotency_key": one.key or f"{key}/{place}"} for place, one in cut]}


def checked_address(url: str) -> str:
    """A server's address without a slash at its end. Raises ValueError, in words for people."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if good and "@" in parts.netloc:
        raise ValueError("a server's address has no name and password in it")
    if not good or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not a server's address; one looks like http://127.0.0.1:8000")
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """Raises ValueError, which does not repeat it, for what cannot be sent as a token."""
    if not token.isascii() or not token.isprintable() or " " in token or not token:
        raise ValueError("the token has characters that no token has; is there a line break at its end?")
    return token


def _segment(text: str) -> str:
    """Dots are escaped too: a player called `..` must not lead to another address."""
    return quote(text, safe="").replace(".", "%2E")


def _whole(value: int | None) -> int | str | None:
    """JSON has integers of any length, its encoder has not: what is too long goes as text, the server's to refuse."""
    fits = not isinstance(value, int) or INT64_MIN <= value <= INT64_MAX
    return value if fits else str(value)
