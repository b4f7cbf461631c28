"""A live board without I/O: what to say on a new connection, what each message means, and whether to come back."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from scoreboard.client.errors import NotScoreboard, ScoreboardClientError, Unauthenticated, Unavailable, of_live
from scoreboard.client.results import LiveTop
from scoreboard.concurrency.backoff import Backoff

STEADY_S = 10.0  # a connection that was live for so long was a good one: the waits begin small again
MESSAGE_TOO_BIG, UNAUTHORIZED, FINAL = 1009, 4501, range(4_500, 5_000)


@dataclass(frozen=True)
class State:
    """How a live board is connected. Only while it is "live" is what was yielded last what the server has. "waiting":
    the connection was lost for `reason`, and is tried again `in_s` seconds from then."""

    name: Literal["connecting", "live", "waiting"]
    in_s: float = 0.0
    reason: str = ""


class Lost(Exception):
    """The connection leads nowhere; another may."""


class _Head(msgspec.Struct):
    type: str


class _Subscribed(msgspec.Struct):
    recovered: bool


class _Error(msgspec.Struct):
    code: str
    detail: str


class Subscription:
    """One table watched over any number of connections, one after another."""

    def __init__(self, app: str, board: str, region: str | None, season: str | None) -> None:
        self._wanted = {"type": "subscribe", "app": app, "board": board, "region": region, "season": season}
        self._top: LiveTop | None = None
        self._failures = 0
        self._backoff = Backoff(first_s=1.0, longest_s=30.0)

    def opening(self, token: str | None) -> list[str]:
        """What to send on a new connection."""
        wanted = dict[str, object](self._wanted)
        if self._top is not None:
            wanted["position"] = {"epoch": self._top.epoch, "offset": self._top.offset}
        authenticate = [] if token is None else [{"type": "authenticate", "token": token}]
        return [msgspec.json.encode(message).decode() for message in (*authenticate, wanted)]

    def received(self, text: str) -> LiveTop | State | None:
        """A newer board, or that the one we have is the newest, or nothing of interest. Raises the error that the
        server says, or Lost when another try may do."""
        try:
            return self._meaning(msgspec.json.decode(text, type=_Head).type, text)
        except msgspec.DecodeError as error:
            raise NotScoreboard("unexpected_message", f"{error}; is this a Scoreboard server?") from error

    def lost(self, reason: str, live_s: float) -> State:
        """The wait before the next connection, after one that was live for so long."""
        self._failures = 1 if live_s >= STEADY_S else self._failures + 1
        return State("waiting", self._backoff.pause_s(self._failures), reason)

    def _meaning(self, kind: str, text: str) -> LiveTop | State | None:
        match kind:
            case "top":
                return self._newer(msgspec.json.decode(text, type=LiveTop, strict=False))
            case "subscribed" if msgspec.json.decode(text, type=_Subscribed).recovered:
                return State("live")
            case "error":
                said = msgspec.json.decode(text, type=_Error)
                error = of_live(said.code, said.detail)
                raise Lost(str(error)) if isinstance(error, Unavailable) else error
        return None

    def _newer(self, top: LiveTop) -> LiveTop | State:
        had = self._top
        if had is not None and had.epoch == top.epoch and had.offset >= top.offset:
            return State("live")
        self._top = top
        return top


def closed(code: int | None, reason: str) -> ScoreboardClientError | Lost:
    """What a close code means (docs/reference/live.md): an error where the same would happen again."""
    if code == UNAUTHORIZED:
        return Unauthenticated("token_refused", "the server refuses the token; it may have expired")
    if code == MESSAGE_TOO_BIG or code in FINAL:
        return NotScoreboard("connection_refused", f"the server closed the connection: {reason or code}")
    return Lost(reason or f"closed, code {code}")
