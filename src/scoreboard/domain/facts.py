"""Facts: counters per player that rules read and write inside a transaction.

The bucket of a fact is an hour, counted from 1970, at which every fact in the bucket has expired. So old facts are
removed by ranges of buckets. Bucket 0 never expires.
"""

from dataclasses import dataclass
from typing import NamedTuple

HOUR_US = 3_600 * 1_000_000


class FactKey(NamedTuple):
    """The key under which a fact is stored. `app` is the `pk` of the player's app."""

    rule: str
    app: int
    player: str
    bucket: int
    key: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A count, a sum, and the last instant `at`, in microseconds since 1970."""

    count: int = 0
    sum: int = 0
    at: int = 0


NO_FACT = Fact()


def bucket_of(expires_at: int, width_h: int) -> int:
    """Return the bucket of a fact: the end of the `width_h` hours in which it expires."""
    return (expires_at // (width_h * HOUR_US) + 1) * width_h
