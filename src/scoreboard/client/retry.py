"""The decision to retry a request."""

from http import HTTPStatus

from scoreboard.client.errors import NoAnswer, ScoreboardClientError

RETRIED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def may_be_tried_again(error: ScoreboardClientError) -> bool:
    """Whether the same request, under the same key, may do next time: after silence, 429 and 503, and nothing else."""
    return isinstance(error, NoAnswer) or error.status in RETRIED
