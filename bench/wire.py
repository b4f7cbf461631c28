"""What goes over the wire: prebuilt requests, WebSocket frames, a one-shot HTTP call, and the orders to our workers."""

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
WINNERS = 10  # players far ahead of all others: an update of one of them always changes the top

Kind = Literal["update", "keyed", "batch", "preload", "winners", "winner", "queued", "queued_winner", "top", "standing"]


def player(number: int) -> str:
    """The id of a player: 16 characters."""
    return f"player{number:010d}"


class Ask(msgspec.Struct, frozen=True):
    """Which requests to send: `count` different ones, for players 0 to `players` - 1."""

    kind: Kind
    token: str = ""
    players: int = 1
    count: int = 1
    seed: int = 0

    def build(self) -> list[bytes]:
        """The requests as bytes, ready to send. Built from (kind, players, count, seed) alone, but for random keys."""
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
        """The batch request that gives players `first` to `last` - 1 a score of 1 to 1,000,000."""
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
    """Size in bytes of the HTTP response at the start of `data`; 0 while it is not complete."""
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
    """One HTTP request on a connection of its own: status and decoded JSON body (None when there is none)."""
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
    """The decoded JSON body of a prebuilt request."""
    return json.loads(request.split(b"\r\n\r\n", 1)[1])


def body_size(port: int, request: bytes) -> int:
    """Size in bytes of the body that the server answers to `request`."""
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
    """A WebSocket frame as a client sends it, with the mask 0 (payload under 64 KiB)."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload


SUBSCRIBE = masked(1, json.dumps({"type": "subscribe", "app": APP, "board": BOARD}).encode())


def frame_size(data: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Sizes (of the header, of the whole) of the server's frame at the start of `data`; (0, 0): not yet known."""
    if len(data) < 2:
        return 0, 0
    short = data[1] & 127
    if short < 126:
        return 2, 2 + short
    wide = 2 if short == 126 else 8
    if len(data) < 2 + wide:
        return 0, 0
    return 2 + wide, 2 + wide + int.from_bytes(data[2 : 2 + wide], "big")


# Orders to the load generator and what it reports; one JSON line each.


class Load(msgspec.Struct, frozen=True, tag=True):
    """Send requests to 127.0.0.1:`port`, over `connections`.

    `rate` 0: closed loop, each connection sends its next request when the last is answered. Otherwise open loop:
    `rate` requests/s on a fixed schedule, latency counted from the scheduled time. `warm` and `seconds` are seconds.
    `pids` are the server's processes, whose processor time is taken, `core` is the one they run on. `beside` are the
    first processes of servers that it uses, by name: theirs and their descendants' is taken too.
    """

    port: int
    ask: Ask
    pids: list[int]
    core: int
    connections: int
    seconds: float
    warm: float = 0.0
    rate: float = 0.0
    beside: dict[str, int] = {}


class Preload(msgspec.Struct, frozen=True, tag=True):
    """Give every one of `ask.players` players a score, by batch requests, and tell the progress on stderr."""

    port: int
    ask: Ask
    connections: int


class Round(msgspec.Struct):
    """What one `Load` or `Preload` saw. Latencies in ms; shares 0 to 1; `cpu_us` is the server's, a request."""

    requests: int
    seconds: float
    rate: float
    cpu_us: float
    server_share: float  # processor time of the server by wall time
    server_core_busy: float  # by anyone
    load_share: float  # processor time of the load generator by wall time
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int
    sample: str  # an error's answer, else the last answer
    beside_us: dict[str, float] = {}  # processor time of the servers it uses, a request


class Lag(msgspec.Struct, frozen=True, tag=True):
    """Send queued updates of the winners to 127.0.0.1:`port` at `rate` requests/s for `seconds` s, and watch the board
    at `watched` until it shows them all."""

    port: int
    watched: int
    token: str
    rate: float
    seconds: float
    seed: int


class Lags(msgspec.Struct, frozen=True):
    """From answer to board, in ms. `answer_*`: from the scheduled time to the answer. `frames` were seen."""

    updates: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    answer_p50_ms: float
    answer_p99_ms: float
    frames: int
    problem: str = ""


# Orders to a process that holds screens and what it reports.


class Open(msgspec.Struct, frozen=True, tag=True):
    """Open `count` connections to 127.0.0.1:`port`; `live`: upgrade, subscribe, wait for the board.

    `first` is the number of the first among the screens of all workers.
    """

    port: int
    count: int
    live: bool
    first: int = 0


class Opened(msgspec.Struct, frozen=True):
    """`frame`: the last complete frame a screen got, base64 in JSON. `seconds` it took."""

    screens: int
    seconds: float
    frame: bytes
    problem: str = ""


class Fire(msgspec.Struct, frozen=True, tag=True):
    """Send `trigger` to `port` (0: another process does), wait at most `timeout` s for a frame on every screen."""

    port: int
    trigger: bytes
    timeout: float = 20.0


class Armed(msgspec.Struct, frozen=True):
    """Ready for the frames of a `Fire`."""


class Fired(msgspec.Struct, frozen=True):
    """Times in ns of the monotonic clock; `load_ns` is this process's own processor time; `frame` one that came."""

    start_ns: int
    first_ns: int
    last_ns: int
    load_ns: int
    missing: int
    frame: bytes


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Read what comes for `seconds` s."""

    seconds: float


class Drained(msgspec.Struct, frozen=True):
    """How many frames and bytes came to how many screens still open."""

    frames: int
    bytes: int
    screens: int
