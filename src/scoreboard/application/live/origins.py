"""Origins: the other sites whose pages may read and watch boards."""

from collections.abc import Collection


class Origins:
    """The allowed origins, such as `https://shop.example`. The origin "*" allows all."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)
        self.any = bool(self._allowed)  # responses vary by the Origin header

    def header(self, origin: str) -> str | None:
        """Return the `Access-Control-Allow-Origin` of an origin, or None to omit it."""
        if "*" in self._allowed:
            return "*"
        return origin if origin in self._allowed else None

    def may_connect(self, origin: str | None, host: str | None) -> bool:
        """Return whether a program (no origin), an own or an allowed page may connect.

        Origins are not parsed but compared as text: a malformed one equals no missing or empty host.
        """
        if origin is None or self.header(origin) is not None:
            return True
        return bool(host) and origin in {f"http://{host}", f"https://{host}"}
