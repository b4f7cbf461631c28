"""Prebuilt requests, WebSocket frames, single HTTP calls, and orders to workers."""

import http.client
import json
import random
import uuid
from typing import Any, Literal

import msgspec

HOST = "127.0.0.1"
APP, BOARD = "bench", "main"
SCORES = f"/v1/apps/{APP}/boards/{BOARD}/scores"
TOP = f"/v1/apps/{APP}/boards/{BOARD}/top"
PLAYERS = f"/v1/apps/{APP}/boards/{BOARD}/players"
BATCH = 1000  # updates in a batch request
WINNERS = 10  # players far above all others, whose updates always change the top

Kind = Literal["update", "keyed", "batch", "preload", "winners", "winner", "queued", "queued_winner", "top", "standing"]


def player(number: int) -> str:
    """Return the id of a player, which has 16 characters."""
    return f"player{number:010d}"


class Requests(msgspec.Struct, frozen=True):
    """The description of `count` different requests for players 0 to `players` - 1."""

    kind: Kind
    token: str = ""
    players: int = 1
    count: int = 1
    seed: int = 0

    def build(self) -> list[bytes]:
        """Return the requests as bytes. Only idempotency keys are random."""
        dice = random.Random(self.seed)
        match self.kind:
            case "top":
                return [_request("GET", f"{TOP}?limit=10")]
            case "standing":
                return [_request("GET", f"{PLAYERS}/{player(dice.randrange(self.players))}") for _ in range(self.count)]
            case "batch":
                return [
                    self._batch([dice.randrange(self.players) for _ in range(BATCH)], dice) for _ in range(self.count)
                ]
            case "winners":
                body = [{"player": player(n), "increment": 10**12 + n * 10**6} for n in range(WINNERS)]
                return [_request("POST", f"{SCORES}/batch", self.token, json.dumps({"updates": body}).encode())]
            case "winner" | "queued_winner":
                return [self._update(dice.randrange(WINNERS), dice) for _ in range(self.count)]
            case _:
                return [self._update(dice.randrange(self.players), dice) for _ in range(self.count)]

    def preload(self, first: int, last: int) -> bytes:
        """Return the batch request that gives players `first` to `last` - 1 a score."""
        return self._batch(list(range(first, last)), random.Random(first), 1_000_000)

    def _update(self, number: int, dice: random.Random) -> bytes:
        extra = f"Idempotency-Key: {uuid.uuid4().hex}\r\n" if self.kind == "keyed" else ""
        if self.kind in {"queued", "queued_winner"}:
            extra += "Prefer: respond-async\r\n"
        increment = 1 if self.kind == "queued_winner" else dice.randrange(100, 1000)
        body = f'{{"player":"{player(number)}","increment":{increment}}}'
        return _request("POST", SCORES, self.token, body.encode(), extra)

    def _batch(self, numbers: list[int], dice: random.Random, most: int = 1000) -> bytes:
        updates = ",".join(f'{{"player":"{player(n)}","increment":{dice.randrange(1, most + 1)}}}' for n in numbers)
        return _request("POST", f"{SCORES}/batch", self.token, f'{{"updates":[{updates}]}}'.encode())


def _request(method: str, path: str, token: str = "", body: bytes = b"", extra: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return (head + extra + "\r\n").encode() + body


def response_size(data: bytes | bytearray) -> int:
    """Return the size in bytes of the first HTTP response, or 0 if it is incomplete."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return 0
    at = data.find(b"Content-Length: ", 0, head)
    if at < 0:
        at = data[:head].lower().find(b"content-length: ")
    size = head + 4 + (int(data[at + 16 : data.find(b"\r", at)]) if at >= 0 else 0)
    return size if len(data) >= size else 0


def call(
    port: int, method: str, path: str, token: str = "", body: object = None, *, timeout: float = 30, prefer: str = ""
) -> tuple[int, Any]:
    """Send one HTTP request on its own connection. Return status and JSON body."""
    link = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        headers |= {"Prefer": prefer} if prefer else {}
        link.request(method, path, None if body is None else json.dumps(body), headers)
        answer = link.getresponse()
        raw = answer.read()
    finally:
        link.close()
    try:
        return answer.status, json.loads(raw)
    except ValueError:
        return answer.status, None


def json_body(request: bytes) -> object:
    """Return the decoded JSON body of a prebuilt request."""
    return json.loads(request.split(b"\r\n\r\n", 1)[1])


def body_size(port: int, request: bytes) -> int:
    """Return the size in bytes of the body of the answer to a request."""
    method, path, _ = request.split(b" ", 2)
    head, body = request.split(b"\r\n\r\n", 1)
    headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:])
    link = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        link.request(method.decode(), path.decode(), body or None, headers)
        return len(link.getresponse().read())
    finally:
        link.close()


UPGRADE = (
    f"GET /v1/live HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: YmVuY2htYXJrIHNjcmVlbg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()


def masked(opcode: int, payload: bytes) -> bytes:
    """Return a WebSocket frame of a client, with a payload under 64 KiB."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload


SUBSCRIBE = masked(1, json.dumps({"type": "subscribe", "app": APP, "board": BOARD}).encode())


def frame_size(data: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Return header size and total size of the first frame, or (0, 0) if unknown."""
    if len(data) < 2:
        return 0, 0
    short = data[1] & 127
    if short < 126:
        return 2, 2 + short
    wide = 2 if short == 126 else 8
    if len(data) < 2 + wide:
        return 0, 0
    return 2 + wide, 2 + wide + int.from_bytes(data[2 : 2 + wide], "big")


# Orders to the load generator and its reports, one JSON line each.


class Load(msgspec.Struct, frozen=True, tag=True):
    """An order to send requests to 127.0.0.1:`port` over `connections`.

    With `rate` 0 the loop is closed: each connection sends its next request after the last answer. Otherwise it is
    open: `rate` requests/s on a fixed schedule, with latency counted from the scheduled time. `warm` and `seconds` are
    seconds. `pids` are the processes of the server, which run on `core`. `backends` are the first processes of the
    servers that it uses, by name. The processor time of all of them is reported.
    """

    port: int
    requests: Requests
    pids: list[int]
    core: int
    connections: int
    seconds: float
    warm: float = 0.0
    rate: float = 0.0
    backends: dict[str, int] = {}


class Preload(msgspec.Struct, frozen=True, tag=True):
    """An order to give every player a score by batch requests."""

    port: int
    requests: Requests
    connections: int


class Round(msgspec.Struct):
    """The result of a `Load` or `Preload`.

    Latencies are in ms, shares 0 to 1, processor times in us a request.
    """

    requests: int
    seconds: float
    rate: float
    cpu_us: float  # of the server
    server_share: float  # processor time of the server by wall time
    server_core_busy: float  # by all processes
    load_share: float  # processor time of the load generator by wall time
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int
    sample: str  # an error's answer, else the last answer
    backend_us: dict[str, float] = {}  # of the servers that it uses


class Lag(msgspec.Struct, frozen=True, tag=True):
    """An order to send queued updates of the winners to `port`.

    The board at `watched` is watched until it shows them.
    """

    port: int
    watched: int
    token: str
    rate: float
    seconds: float
    seed: int


class Lags(msgspec.Struct, frozen=True):
    """The times from answer to board, in ms.

    `answer_*` is the time from the schedule to the answer.
    """

    updates: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    answer_p50_ms: float
    answer_p99_ms: float
    frames: int
    problem: str = ""


# Orders to a process that holds screens, and its reports.


class Open(msgspec.Struct, frozen=True, tag=True):
    """An order to open connections to 127.0.0.1:`port`.

    With `live` they subscribe and wait for the board. `first` is the number of the first screen of this worker.
    """

    port: int
    count: int
    live: bool
    first: int = 0


class Opened(msgspec.Struct, frozen=True):
    """The screens that are open, and the last complete frame, base64 in JSON."""

    screens: int
    seconds: float
    frame: bytes
    problem: str = ""


class Fire(msgspec.Struct, frozen=True, tag=True):
    """An order to send `trigger` to `port` and wait for a frame on every screen.

    If `port` is 0, another process sends it.
    """

    port: int
    trigger: bytes
    timeout: float = 20.0


class Armed(msgspec.Struct, frozen=True):
    """The report that all screens wait for the frames of a `Fire`."""


class Fired(msgspec.Struct, frozen=True):
    """The times of a fan-out, in ns of the monotonic clock.

    `load_ns` is the processor time of the reader.
    """

    start_ns: int
    first_ns: int
    last_ns: int
    load_ns: int
    missing: int
    frame: bytes


class Drain(msgspec.Struct, frozen=True, tag=True):
    """An order to read for `seconds` s."""

    seconds: float


class Drained(msgspec.Struct, frozen=True):
    """The frames and bytes received, and the screens that are still open."""

    frames: int
    bytes: int
    screens: int
