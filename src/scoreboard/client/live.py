"""Protocol of a live board without I/O: messages, close codes and reconnects."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from scoreboard.client.errors import (
    ScoreboardClientError,
    Unauthenticated,
    Unavailable,
    UnexpectedResponse,
    error_of_live,
)
from scoreboard.client.results import LiveTop
from scoreboard.concurrency.backoff import Backoff

STABLE_S = 10.0  # a connection that was live for this time resets the backoff
MESSAGE_TOO_BIG, UNAUTHORIZED, FINAL = 1009, 4501, range(4_500, 5_000)


@dataclass(frozen=True)
class State:
    """Connection state of a live board.

    The last board is current only in the state "live". In "waiting" the connection was lost for `reason`, and the
    client reconnects after `in_s` seconds.
    """

    name: Literal["connecting", "live", "waiting"]
    in_s: float = 0.0
    reason: str = ""


class ConnectionLost(Exception):
    """Connection that failed, but can be opened again."""


class _Header(msgspec.Struct):
    type: str


class _Subscribed(msgspec.Struct):
    recovered: bool


class _Error(msgspec.Struct):
    code: str
    detail: str


class Subscription:
    """Subscription to one table over successive connections."""

    def __init__(self, app: str, board: str, region: str | None, season: str | None) -> None:
        self._channel = {"type": "subscribe", "app": app, "board": board, "region": region, "season": season}
        self._top: LiveTop | None = None
        self._failures = 0
        self._backoff = Backoff(first_s=1.0, longest_s=30.0)

    def opening_messages(self, token: str | None) -> list[str]:
        """Return the messages to send on a new connection."""
        subscribe = dict[str, object](self._channel)
        if self._top is not None:
            subscribe["position"] = {"epoch": self._top.epoch, "offset": self._top.offset}
        authenticate = [] if token is None else [{"type": "authenticate", "token": token}]
        return [msgspec.json.encode(message).decode() for message in (*authenticate, subscribe)]

    def receive(self, text: str) -> LiveTop | State | None:
        """Return a newer board, or the state "live" if the last board is current.

        Other messages return None. Raises the error in the message, or ConnectionLost if a reconnect may help.
        """
        try:
            return self._decode(msgspec.json.decode(text, type=_Header).type, text)
        except msgspec.DecodeError as error:
            detail = f"{error}; is this a Scoreboard server?"
            raise UnexpectedResponse("unexpected_message", detail) from error

    def next_wait(self, reason: str, live_s: float) -> State:
        """Return the wait before the next connection; the last one was live for `live_s`."""
        self._failures = 1 if live_s >= STABLE_S else self._failures + 1
        return State("waiting", self._backoff.pause_s(self._failures), reason)

    def _decode(self, kind: str, text: str) -> LiveTop | State | None:
        match kind:
            case "top":
                top = msgspec.json.decode(text, type=LiveTop, strict=False)
                last = self._top
                if last is not None and last.epoch == top.epoch and last.offset >= top.offset:
                    return State("live")
                self._top = top
                return top
            case "subscribed" if msgspec.json.decode(text, type=_Subscribed).recovered:
                return State("live")
            case "error":
                message = msgspec.json.decode(text, type=_Error)
                error = error_of_live(message.code, message.detail)
                raise ConnectionLost(str(error)) if isinstance(error, Unavailable) else error
        return None


def error_of_close(code: int | None, reason: str) -> ScoreboardClientError | ConnectionLost:
    """Return the error for a close code, ConnectionLost if a reconnect may help.

    The codes are in docs/reference/live.md.
    """
    if code == UNAUTHORIZED:
        return Unauthenticated("token_refused", "the server refused the token, which may have expired; pass a new one")
    if code == MESSAGE_TOO_BIG or code in FINAL:
        return UnexpectedResponse("connection_refused", f"the server closed the connection: {reason or code}")
    return ConnectionLost(reason or f"the connection was closed with code {code}")
