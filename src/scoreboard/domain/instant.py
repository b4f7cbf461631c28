"""Instants: integers, in microseconds since 1970, written in UTC as RFC 3339."""

from datetime import UTC, datetime
from functools import lru_cache


def to_text(at: int) -> str:
    seconds, us = divmod(at, 1_000_000)
    return f"{_second(seconds)}.{us:06}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
