"""Backoff: the waits between retries."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits whose upper limit doubles from `first_s` to `longest_s`, with full jitter.

    Jitter spreads the retries of clients that lost the same server
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """

    first_s: float
    longest_s: float

    def pause_s(self, failures: int, asked_s: float | None = None, chance: float | None = None) -> float:
        """Return the wait in seconds after this number of failures in a row, from 1.

        The wait is never shorter than `asked_s`, the server's `Retry-After`. `chance` is from 0 to 1; it is drawn at
        random unless given.
        """
        drawn = random.random() if chance is None else chance  # noqa: S311 - jitter, no secret
        longest_s: float = min(self.longest_s, self.first_s * 2 ** min(failures - 1, 60))
        return (asked_s or 0.0) + drawn * longest_s
