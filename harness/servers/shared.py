"""Servers that all tests of a process share. After a failed test those that no longer work are replaced."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TypeVar

LOG_CHARACTERS = 10_000  # at its beginning, and as many at its end

uncaptured: Callable[[], AbstractContextManager[None]] = nullcontext  # pytest's own, in a run of pytest


class Shareable(Protocol):
    url: str

    def works(self) -> bool: ...

    def log(self) -> str: ...

    def replace(self) -> None:
        """Start a new one at the same URL."""
        ...


Server = TypeVar("Server", bound=Shareable)

_in_use: list[Shareable] = []


@contextmanager
def kept_working(server: Server) -> Iterator[Server]:
    """Keep a running server working for as long as tests share it."""
    _in_use.append(server)
    try:
        yield server
    finally:
        _in_use.remove(server)


def replace_broken() -> None:
    """Replace each shared server that no longer works, and print its log whatever pytest captures."""
    for server in [server for server in _in_use if not server.works()]:
        with uncaptured():
            log = server.log()
            if len(log) > 2 * LOG_CHARACTERS:
                log = f"{log[:LOG_CHARACTERS]}\n[...]\n{log[-LOG_CHARACTERS:]}"
            print(f"\n{server.url} no longer works and is replaced. Its log:\n{log}", file=sys.stderr)
        server.replace()
