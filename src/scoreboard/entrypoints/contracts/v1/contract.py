"""The `/v1` contract, assembled from its parts."""

from collections.abc import Sequence

from scoreboard.application.ports.authentication import Authenticator
from scoreboard.entrypoints.contracts.v1.authentication import bearer, bearer_or_query
from scoreboard.entrypoints.contracts.v1.errors import render_error
from scoreboard.entrypoints.http.contract import Contract
from scoreboard.entrypoints.http.endpoint import Endpoint
from scoreboard.entrypoints.http.response import JSON

REQUEST_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Prefer", "Last-Event-ID")
RESPONSE_HEADERS = (
    *("ETag", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    *("Idempotent-Replayed", "Preference-Applied", "Location"),
)


def v1(routes: Sequence[Endpoint], authenticators: Sequence[Authenticator]) -> Contract:
    return Contract("v1", routes, bearer(authenticators), render_error, (JSON,), REQUEST_HEADERS, RESPONSE_HEADERS)


def v1_live(routes: Sequence[Endpoint], authenticators: Sequence[Authenticator]) -> Contract:
    """Return the contract of the live endpoints, with tokens also in the query."""
    return Contract(
        "v1-live", routes, bearer_or_query(authenticators), render_error, (), REQUEST_HEADERS, RESPONSE_HEADERS
    )
