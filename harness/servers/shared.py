"""Servers that all tests of a process share; a broken one is replaced."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TypeVar

LOG_CHARACTERS = 10_000  # printed from the beginning of a log, and from its end

uncaptured: Callable[[], AbstractContextManager[None]] = nullcontext  # set by tests/conftest.py


class Shareable(Protocol):
    url: str

    def works(self) -> bool: ...

    def log(self) -> str: ...

    def replace(self) -> None:
        """Start a new server at the same URL."""
        ...


Server = TypeVar("Server", bound=Shareable)

_in_use: list[Shareable] = []


@contextmanager
def kept_working(server: Server) -> Iterator[Server]:
    """Let `replace_broken` replace a running server while tests share it."""
    _in_use.append(server)
    try:
        yield server
    finally:
        _in_use.remove(server)


def replace_broken() -> None:
    """Replace each shared server that no longer works, and print its log past pytest."""
    for server in [server for server in _in_use if not server.works()]:
        with uncaptured():
            log = server.log()
            if len(log) > 2 * LOG_CHARACTERS:
                log = f"{log[:LOG_CHARACTERS]}\n[...]\n{log[-LOG_CHARACTERS:]}"
            print(f"\n{server.url} no longer works and is replaced. Its log:\n{log}", file=sys.stderr)
        server.replace()
