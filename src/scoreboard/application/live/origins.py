"""Which pages of other sites may read and watch."""

from collections.abc import Collection
from urllib.parse import urlsplit


class Origins:
    """`allowed` are origins such as `https://shop.example`; "*" is everybody. `any`: answers differ by who asks."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)
        self.any = bool(self._allowed)

    def header(self, origin: str) -> str | None:
        """What `Access-Control-Allow-Origin` says to a page of this origin; None says nothing."""
        if "*" in self._allowed:
            return "*"
        return origin if origin in self._allowed else None

    def may_connect(self, origin: str | None, host: str | None) -> bool:
        """Whether a WebSocket may be opened: by a program, by a page of our own, or by a page of an allowed origin."""
        return origin is None or urlsplit(origin).netloc == host or self.header(origin) is not None
