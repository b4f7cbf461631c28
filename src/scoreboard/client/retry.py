"""Retry policy of requests."""

from http import HTTPStatus

from scoreboard.client.errors import ScoreboardClientError, TransportError

RETRIED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


def is_retryable(error: ScoreboardClientError) -> bool:
    """Return whether the same request with the same key may succeed later: without a response, on 429 and 503."""
    return isinstance(error, TransportError) or error.status in RETRIED
