"""What an answer means: the result that was asked for, or the error it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import msgspec

from scoreboard.client.errors import NotScoreboard, ScoreboardClientError, of_status
from scoreboard.client.requests import Request
from scoreboard.client.results import Outcome

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes


class _Problem(msgspec.Struct):
    """RFC 9457, as far as it matters here."""

    code: str
    detail: str


def judge(request: Request[T], answer: Answer) -> T:
    """Raises the error that the answer is, and NotScoreboard for what is no answer to this request."""
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise _refusal(answer)
    try:  # not strict: scores of wide boards are text
        result = msgspec.json.decode(answer.content or b"null", type=request.answer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotScoreboard("unexpected_answer", f"{error}; is this a Scoreboard server?", answer.status) from error
    if isinstance(result, Outcome) and "Idempotent-Replayed" in answer.headers:
        return msgspec.structs.replace(result, replayed=True)
    return result


def _refusal(answer: Answer) -> ScoreboardClientError:
    try:
        problem = msgspec.json.decode(answer.content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem(f"http_{answer.status}", answer.reason or "not what a Scoreboard server answers")
    after = answer.headers.get("Retry-After", "")
    return of_status(answer.status, problem.code, problem.detail, float(after) if after.isdecimal() else None)
