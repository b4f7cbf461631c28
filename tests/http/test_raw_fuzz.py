"""Raw HTTP, mutated, to every route: no 5xx, no stack trace, nothing changed.

The requests follow from SEED alone. FUZZ_REQUESTS in the environment asks for more of them.
"""

import asyncio
import contextlib
import gzip
import json
import os
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import structlog

from harness.client import PROBLEM, Client
from harness.service import Running, endpoints
from harness.waiting import BOUND_S, eventually
from harness.wire import Wire, wire
from scoreboard.entrypoints.contracts.v1.errors import CODES, status_of
from scoreboard.entrypoints.http.endpoint import Endpoint
from tests.http.test_walk import BODIES, QUERIES, SEGMENTS

pytestmark = pytest.mark.slow

SEED = 20_261_128
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "6000"))
AT_ONCE = 24
QUIET_S = 0.05  # without a byte; the server then waits for the client, and the test ends the connection

READING = ("GET", "HEAD", "OPTIONS")
ODD_METHODS = (b"get", b"FOO", b"CONNECT", b"PRI", b"TRACE", b"PROPFIND", b"M-SEARCH", b"\xff", b"", b"G ET", b"GET\t")
VERSIONS = (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.10", b"HTP/1.1", b"http/1.1", b"", b"HTTP/1.1 x")
IDS = {b"app": b"game", b"board": b"main", b"player": b"alice", b"action": b"quest", b"file": b"index.html"}
NAMES = (
    *(segment.encode() for segment in SEGMENTS),
    *(b"{}", b"{app}", b"%7B%7D", b"{", b"}", b".", b"%2e%2e", b"%2F", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f\x8f\x86"),
    *(b"caf\xc3\xa9", b"cafe%CC%81", b"x" * 9_000, b"%F0%9F%8F%86" * 60, b"%u0041", b"a b", b"a\tb", b"a\x00b", b"\\"),
    *(b"@", b";a=b", b"[::1]", b"<script>", b"query", b"batch", b"top", b"stream", b"-1", b"9" * 400, b"$", b"''", b""),
)
TARGETS = (
    b"*",
    b"",
    b"http://x",
    b"http://[",
    b"http://x:99999/",
    b"https://\xff/",
    b"//",
    b"/?",
    b"/#",
    b"x",
    b"x:443",
)
ODD_QUERIES = (
    b"",
    b"?",
    b"&&&",
    b"=",
    b"%",
    b"\xff",
    b"token=\xff",
    b"token=x",
    b"limit=%31",
    b"a=b;c=d",
    b"#x",
    b"[]=1",
)
HEADERS = {
    b"Authorization": (
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer x",
        b"Basic eDp5",
        b"bearer \xff",
        b"Bearer " + b"x." * 3_000,
    ),
    b"Origin": (b"", b"null", b"http://x", b"http://[", b"//[", b"http://a]b", b"http://\xe2\x84\x80.com", b"\xff"),
    b"Upgrade": (b"websocket", b"WebSocket", b"h2c", b"web\xffsocket", b"", b"tcp", b"websocket, h2c"),
    b"Connection": (b"close", b"keep-alive", b"Upgrade", b"upgrade, close", b"\xff", b"", b"Transfer-Encoding"),
    b"Sec-WebSocket-Key": (b"dGhlIHNhbXBsZSBub25jZQ==", b"x", b"\xff", b"", b"=" * 24),
    b"Sec-WebSocket-Version": (b"13", b"99", b"\xff", b""),
    b"Sec-WebSocket-Protocol": (b"chat", b"chat\xff, x", b""),
    b"Sec-WebSocket-Extensions": (b"permessage-deflate", b"permessage-deflate; client_max_window_bits=99", b"\xff"),
    b"Content-Encoding": (b"gzip", b"identity", b"br", b"\xff", b""),
    b"Content-Type": (b"application/json", b"application/json; charset=utf-16", b"text/plain", b"\xff", b""),
    b"Expect": (b"100-continue", b"200-ok", b"\xff"),
    b"Prefer": (b"respond-async", b"wait=9", b",;=", b"\xff"),
    b"Idempotency-Key": (b"k", b"", b"\xff", b"k" * 300, b'"k"'),
    b"If-None-Match": (b"*", b'"', b'W/"x"', b"\xff", b"x," * 3_000),
    b"Last-Event-ID": (b"x", b"x:1", b":", b"a:-1", b"x:\xc2\xb2", b"\xff", b"x:" + b"9" * 30),
    b"Access-Control-Request-Method": (b"POST", b"\xff"),
    b"Range": (b"bytes=0-1", b"bytes=-"),
    b"Accept": (b"text/html", b"\xff"),
    b"Cookie": (b"a=b; c", b"\xff"),
}
FRAMING = (
    *(b"Host: ", b"Host: y", b"Host: [", b"Host: a b/<script>", b"Host: \xff", b"Host: x:99999"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked, gzip"),
    *(b"Transfer-Encoding: identity", b"Transfer-Encoding: xchunked", b"Transfer-Encoding: \xff"),
    *(b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: +5", b"Content-Length: 0x5"),
    *(b"Content-Length: 5, 5", b"Content-Length: 5 5", b"Content-Length: " + b"9" * 30, b"Content-Length: "),
)
ODD_LINES = (
    *(
        b"no colon",
        b": no name",
        b" folded: yes",
        b"X : y",
        b"X\x00: y",
        b"X: \x00",
        b"X: a\rb",
        b"\xff: y",
        b"X: \x7f",
    ),
    *(b"X: " + b"x" * 9_000, b"\r\n".join([b"X: y"] * 200), b"X: a\r\n b", b"Sec-WebSocket-Key1: x"),
)
JUNK = (
    *(body for name, body in BODIES.items() if len(body) < 5_000 and name != "no value"),
    *(b"\x00" * 64, b"\xff\xfe", gzip.compress(bytes(100_000)), b"GET / HTTP/1.1\r\n\r\n", b"0\r\n\r\n", b" " * 70_000),
)
"""Bodies that every route with a body refuses."""
CHUNKS = (
    *(
        b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        b"zz\r\nx\r\n",
        b"-1\r\n\r\n",
    ),
    *(
        b"5\r\nhel",
        b"f" * 20 + b"\r\n",
        b"5\r\nhelloworld\r\n",
        b"0\r\nX: \xff\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"\r\n",
        b"1;\xff\r\nx\r\n",
    ),
)
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*")
HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\r\n\x00]*)")


class Fuzzer:
    """A generator of requests to the service's routes.

    A token that may write is never combined with a valid body.
    """

    def __init__(self, rng: random.Random, routes: Sequence[Endpoint], tokens: Sequence[str]) -> None:
        self._rng = rng
        self._routes = [*routes, *[route for route in routes if route.tag == "live"] * 5]
        self._tokens = [token.encode() for token in tokens]

    def pieces(self) -> list[bytes]:
        """Return the data of one connection in pieces: requests, some cut or corrupted."""
        rng = self._rng
        sent = b"".join(self._request() for _ in range(rng.choice((1, 1, 1, 2, 4))))
        match rng.randrange(30):
            case 0:
                sent = sent[: rng.randrange(len(sent) + 1)]
            case 1:
                at = rng.randrange(len(sent) + 1)
                sent = sent[:at] + rng.randbytes(rng.randrange(1, 9)) + sent[at:]
            case 2:
                sent = sent.replace(b"\r\n", b"\n")
            case 3:
                sent = rng.randbytes(rng.randrange(400))
        if rng.randrange(8):
            return [sent]
        cuts = sorted(rng.randrange(len(sent) + 1) for _ in range(3))
        return [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    def _request(self) -> bytes:
        rng = self._rng
        route = rng.choice(self._routes)
        method = route.method.encode()
        if not rng.randrange(4):
            method = rng.choice((*ODD_METHODS, b"HEAD", b"OPTIONS", b"POST", b"PUT", b"PATCH", b"GET"))
        version = b"HTTP/1.1" if rng.randrange(25) else rng.choice(VERSIONS)
        lines = [b" ".join((method, self._target(route), version)), b"Host: x"]
        if not rng.randrange(30):
            lines.pop()
        if method.decode("latin-1") in READING or (route.body is not None and rng.randrange(2)):
            lines.append(b"Authorization: Bearer " + rng.choice(self._tokens))
        for _ in range(rng.choice((0, 0, 1, 2, 3))):
            name = rng.choice([*HEADERS])
            lines.append(name + b": " + rng.choice(HEADERS[name]))
        if not rng.randrange(25):
            lines.append(rng.choice((*ODD_LINES, *FRAMING)))
        if route.path == "/v1/live" and rng.randrange(3):
            lines += [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"]
            lines += [b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="] * rng.randrange(2)
        return b"\r\n".join([*lines, *self._framed_body(route)])

    def _target(self, route: Endpoint) -> bytes:
        rng = self._rng
        if not rng.randrange(25):
            return rng.choice(TARGETS)
        segments = []
        for segment in route.path.encode().split(b"/"):
            usual = IDS.get(segment[1:-1], b"0123456789abcdef") if segment.startswith(b"{") else segment
            odd = rng.randrange(10) < (3 if segment.startswith(b"{") else 1)
            segments.append(rng.choice(NAMES) if odd and segment else usual)
        target = rng.choice((b"", b"", b"", b"", b"http://x", b"/")) + b"/".join(segments)
        if not rng.randrange(3):
            query = rng.choice((*ODD_QUERIES, *(text.encode() for text in QUERIES if len(text) < 2_000)))
            target += b"?" + query
        return target

    def _framed_body(self, route: Endpoint) -> list[bytes]:
        rng = self._rng
        if route.body is None and rng.randrange(4):
            return [b"", b""]
        body = rng.choice(JUNK) if rng.randrange(4) else rng.randbytes(rng.randrange(200))
        kind = [b"Content-Type: application/json"] if rng.randrange(5) else []
        match rng.randrange(8):
            case 0:
                return [*kind, b"Transfer-Encoding: chunked", b"", rng.choice(CHUNKS)]
            case 1:
                return [*kind, b"Transfer-Encoding: chunked", b"", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)]
            case 2:
                return [*kind, b"Content-Length: %d" % max(0, len(body) + rng.randrange(-9, 9)), b"", body]
            case 3:
                return [*kind, b"", body]
        return [*kind, b"Content-Length: %d" % len(body), b"", body]


@dataclass(frozen=True)
class Received:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


def parse_responses(received: bytes, *, cut: bool) -> list[Received]:
    """Return the responses on one connection.

    Raises AssertionError for malformed HTTP. The last response may be incomplete if the connection was `cut`.
    """
    found = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        assert end or cut, head[:300]
        first, *lines = head.split(b"\r\n")
        status_line = STATUS_LINE.fullmatch(first)
        assert status_line or (cut and not end), first[:300]
        matched = [HEADER_LINE.fullmatch(line) for line in lines]
        assert all(matched) or (cut and not end), head[:300]
        if status_line is None or not end:
            break
        status, headers = int(status_line[1]), {line[1].lower(): line[2] for line in matched if line}
        if status < 200 and status != 101:
            continue
        body = b""
        if status == 101 or headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            body, received = received, b""  # frames or events, which have no end
        elif status not in {204, 304} and received and not received.startswith(b"HTTP/1."):  # else to HEAD
            size = int(headers[b"content-length"])
            assert len(received) >= size or cut, head
            body, received = received[:size], received[size:]
        found.append(Received(status, headers, body))
    return found


def check(answer: Received) -> None:
    """Check that a response to a malformed request is allowed."""
    assert answer.status < 500 or answer.status == 503
    if answer.status >= 400 and answer.body:
        assert answer.headers[b"content-type"] == PROBLEM.encode()
        with contextlib.suppress(json.JSONDecodeError):  # cut short
            code = json.loads(answer.body)["code"]
            assert status_of(CODES[code]) == answer.status


async def exchange(raw: Wire, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
    """Send pieces; return the response data, and whether the connection was reset."""
    received = b""
    try:
        for piece in pieces:
            await raw.send(piece)
            await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            while piece := await asyncio.wait_for(raw.reader.read(1 << 16), QUIET_S):
                received += piece
        if raw.writer.can_write_eof() and not raw.reader.at_eof():
            raw.writer.write_eof()
        async with asyncio.timeout(BOUND_S):
            while piece := await raw.reader.read(1 << 16):
                received += piece
    except (ConnectionError, OSError):
        return received, True
    return received, False


@pytest.fixture
async def game(service: Running) -> Client:
    """Return the operator of a service with a board, an action and a player."""
    board = await service.board(regions=["eu"])
    (await service.operator.post("/v1/apps/game/actions", {"action": "quest", "points": 5})).ok(201)
    (await service.operator.post(f"{board}/scores", {"player": "alice", "increment": 5, "region": "eu"})).ok()
    return service.operator


async def test_malformed_requests_cause_no_failure_and_no_change(
    service: Running, game: Client, caplog: pytest.LogCaptureFixture
) -> None:
    before = await service.records()
    tokens = [service.token(role, "game", "alice") for role in ("player", "server", "admin")]
    tokens += [service.token("admin", "*"), service.token("admin", "other"), service.token("player", "game", "x", -9)]
    fuzzer = Fuzzer(random.Random(SEED), endpoints(service), tokens)
    connections = [fuzzer.pieces() for _ in range(REQUESTS // 2)]  # of two requests on average
    statuses: Counter[int] = Counter()
    free = asyncio.Semaphore(AT_ONCE)

    async def run(pieces: Sequence[bytes]) -> None:
        async with free, wire(service.port) as raw:
            received, reset = await exchange(raw, pieces)
        try:
            for answer in parse_responses(received, cut=reset):
                check(answer)
                statuses[answer.status] += 1
        except AssertionError as error:
            raise AssertionError(
                f"{error}\nsent {b''.join(pieces)[:3_000]!r}\nreceived {received[:3_000]!r}"
            ) from error

    with structlog.testing.capture_logs() as logged:
        async with asyncio.TaskGroup() as group:
            for pieces in connections:
                group.create_task(run(pieces))
        await eventually(lambda: service.service.live.connections == 0, "no live connection is left")
        (await service.anybody.get("/health/live")).ok()
    assert [entry for entry in logged if entry["log_level"] not in {"debug", "info"}] == []
    assert caplog.records == []
    assert await service.records() == before
    assert {101, 200, 204, 400, 401, 403, 404, 405, 415} <= statuses.keys(), statuses
