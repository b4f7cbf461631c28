"""Which pages of other sites may read and watch."""

from collections.abc import Collection


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
        """Whether a WebSocket may be opened: by a program, by a page of this server, or by a page of an allowed origin.

        Origins are compared as text, so none is parsed and no odd one can equal a missing or empty host.
        """
        if origin is None or self.header(origin) is not None:
            return True
        return bool(host) and origin in {f"http://{host}", f"https://{host}"}
