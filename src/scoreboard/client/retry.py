"""Retry policy: which requests to repeat, and when."""

import random
from dataclasses import dataclass
from http import HTTPStatus

from scoreboard.client.errors import ScoreboardClientError, TransportError

RETRIED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def is_retryable(error: ScoreboardClientError) -> bool:
    """Return whether the same request with the same key may succeed later: without a response, on 429 and 503."""
    return isinstance(error, TransportError) or error.status in RETRIED


@dataclass(frozen=True)
class Backoff:
    """Exponential backoff with full jitter, from `first_s` up to `longest_s`.

    The jitter spreads clients that lost the same server:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    first_s: float
    longest_s: float

    def pause_s(self, failures: int, retry_after_s: float | None = None, jitter: float | None = None) -> float:
        """Return the wait after a number of failures, from 1, never shorter than `retry_after_s`.

        `jitter` is between 0 and 1, and random by default.
        """
        drawn = random.random() if jitter is None else jitter  # noqa: S311 - no secret
        longest_s: float = min(self.longest_s, self.first_s * 2 ** min(failures - 1, 60))
        return (retry_after_s or 0.0) + drawn * longest_s
