"""Whether to try again, and when. Decisions only: who asks does the waiting."""

import random
from dataclasses import dataclass
from http import HTTPStatus

from scoreboard.client.errors import NoAnswer, ScoreboardClientError

RETRIED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def may_be_tried_again(error: ScoreboardClientError) -> bool:
    """Whether the same request, under the same key, may do next time: after silence, 429 and 503, and nothing else."""
    return isinstance(error, NoAnswer) or error.status in RETRIED


@dataclass(frozen=True)
class Backoff:
    """Waits whose range doubles from `first_s` up to `longest_s`, with full jitter, so that many clients that lost the
    same server do not come back together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """

    first_s: float
    longest_s: float

    def pause_s(self, failures: int, asked_s: float | None = None, chance: float | None = None) -> float:
        """The wait after so many `failures`, from 1. Never shorter than the server asked for. `chance` is drawn from
        0 to 1 where it is not given."""
        drawn = random.random() if chance is None else chance  # noqa: S311 - spread, no secret
        longest_s: float = min(self.longest_s, self.first_s * 2 ** min(failures - 1, 60))
        return (asked_s or 0.0) + drawn * longest_s
