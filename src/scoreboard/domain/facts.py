"""Facts: counters about a player, which rules read and write inside the transaction of a batch.

A fact lives under (rule, player, bucket, key). The bucket is the hour since 1970 at which every fact in it has
expired, so old facts are removed by ranges of buckets. Bucket 0 never expires.
"""

from dataclasses import dataclass
from typing import NamedTuple

HOUR_US = 3_600 * 1_000_000


class FactKey(NamedTuple):
    """Where a fact is stored. `app` is the number of the app that `player` belongs to."""

    rule: str
    app: int
    player: str
    bucket: int
    key: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A counter: how many, their sum, and the instant of the last, in microseconds since 1970."""

    count: int = 0
    sum: int = 0
    at: int = 0


NO_FACT = Fact()


def bucket_of(expires_at: int, width_h: int) -> int:
    """Return the end, in hours, of the slot of `width_h` hours in which a fact expires."""
    return (expires_at // (width_h * HOUR_US) + 1) * width_h
