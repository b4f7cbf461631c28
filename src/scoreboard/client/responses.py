"""Decoding of responses into results and errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import msgspec

from scoreboard.client.errors import ScoreboardClientError, UnexpectedResponse, error_of_status
from scoreboard.client.requests import Request
from scoreboard.client.results import Outcome

T = TypeVar("T")


@dataclass(frozen=True)
class Response:
    """An HTTP response as it was received."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes


class _Problem(msgspec.Struct):
    """Members of a problem detail (RFC 9457) that the client uses."""

    code: str
    detail: str


def decode_response(request: Request[T], response: Response) -> T:
    """Return the result in a response. Raises its error, or UnexpectedResponse."""
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _decode_error(response)
    try:  # not strict: large scores are text
        result = msgspec.json.decode(response.content or b"null", type=request.result, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        detail = f"{error}; is this a Scoreboard server?"
        raise UnexpectedResponse("unexpected_response", detail, response.status) from error
    if isinstance(result, Outcome) and "Idempotent-Replayed" in response.headers:
        return msgspec.structs.replace(result, replayed=True)
    return result


def _decode_error(response: Response) -> ScoreboardClientError:
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        detail = response.reason or "the response does not explain the error; is this a Scoreboard server?"
        problem = _Problem(f"http_{response.status}", detail)
    after = response.headers.get("Retry-After", "")
    retry_after_s = float(after) if after.isdecimal() else None
    return error_of_status(response.status, problem.code, problem.detail, retry_after_s)
