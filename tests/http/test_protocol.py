"""HTTP as clients and proxies of every age use it, on both kinds of connections."""

import asyncio
import gzip
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest

from harness.service import Running, running
from harness.waiting import BOUND_S
from harness.wire import wire
from scoreboard.entrypoints.http.connection import HttpConnection
from scoreboard.entrypoints.http.fast_path import FastConnection
from scoreboard.entrypoints.http.timeouts import HttpTimeouts
from tests.faults.held import pending, writer_held


@pytest.fixture(params=[FastConnection, HttpConnection])
def kind(request: pytest.FixtureRequest) -> type[HttpConnection]:
    return cast("type[HttpConnection]", request.param)


impatient = pytest.mark.parametrize("timeouts", [HttpTimeouts(body_s=0.2)], ids=["short"])


def request(method: str, path: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: x", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def update(board: str, token: str, player: str, *headers: str, version: str = "1.1") -> bytes:
    body = json.dumps({"player": player, "increment": 1}).encode()
    return request("POST", f"{board}/scores", f"Authorization: Bearer {token}", *headers, body=body, version=version)


async def top(service: Running, board: str) -> dict[str, int]:
    entries = (await service.anybody.get(f"{board}/top?limit=100")).ok()["entries"]
    return {entry["player"]: entry["score"] for entry in entries}


async def test_head_is_answered_as_get_without_the_body(service: Running) -> None:
    board = await service.board()
    for path in (f"{board}/top", "/health/live", "/openapi.json", "/", f"{board}/players/nobody", "/nothing"):
        async with wire(service.port) as raw:
            await raw.send(request("GET", path) + request("HEAD", path) + request("GET", path))
            whole, head, after = await raw.answer(), await raw.answer(head_only=True), await raw.answer()
            assert head.status == whole.status == after.status
            for name in ("Content-Length", "Content-Type", "Cache-Control", "Etag"):
                assert head.headers.get(name) == whole.headers.get(name)
            assert len(whole.raw) == int(whole.headers["Content-Length"])


async def test_http_1_0_is_answered_and_closed(service: Running) -> None:
    board = await service.board()
    async with wire(service.port) as raw:
        await raw.send(request("GET", f"{board}/top", version="1.0"))
        head, _, body = (await raw.rest()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 200 OK\r\n")
        assert json.loads(body)["total"] == 0
    token = service.token("server", "game")
    async with wire(service.port) as raw:
        await raw.send(update(board, token, "a", "Connection: keep-alive", version="1.0"))
        answer = await raw.answer()
        assert answer.headers["Connection"] == "keep-alive"
        await raw.send(update(board, token, "a", version="1.0"))
        assert (await raw.answer()).body["score"] == 2
        assert await raw.rest() == b""


async def test_connection_close_is_answered_and_closed(service: Running) -> None:
    board = await service.board()
    token = service.token("server", "game")
    async with wire(service.port) as raw:
        await raw.send(update(board, token, "a", "Connection: close"))
        answer = await raw.answer()
        assert answer.headers["Connection"] == "close"
        assert answer.body["score"] == 1
        assert await raw.rest() == b""


async def test_pipelined_requests_are_answered_in_order(service: Running) -> None:
    board = await service.board()
    token = service.token("server", "game")
    async with wire(service.port) as raw:
        sent = [update(board, token, f"p{n % 3}") for n in range(30)]
        await raw.send(b"".join(sent) + request("GET", f"{board}/top"))
        answers = [await raw.answer() for _ in range(30)]
        assert [answer.body["player"] for answer in answers] == [f"p{n % 3}" for n in range(30)]
        assert [answer.body["score"] for answer in answers] == [n // 3 + 1 for n in range(30)]
        assert [entry["score"] for entry in (await raw.answer()).body["entries"]] == [10, 10, 10]


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_a_request_may_arrive_in_pieces(service: Running, size: int) -> None:
    board = await service.board()
    whole = update(board, service.token("server", "game"), "a")
    async with wire(service.port) as raw:
        for start in range(0, len(whole), size):
            await raw.send(whole[start : start + size])
            await asyncio.sleep(0)
        assert (await raw.answer()).body["score"] == 1
        await raw.send(whole)
        assert (await raw.answer()).body["score"] == 2


async def test_the_fast_and_the_slow_path_give_equal_responses(service: Running) -> None:
    """Compare responses to requests that arrive at once, and in pieces."""
    board, token = await service.board(), service.token("server", "game")
    trusted = f"Authorization: Bearer {token}"
    for sent in (
        request("GET", f"{board}/top?limit=3"),
        request("HEAD", f"{board}/top"),
        request("GET", f"{board}/top", version="1.0"),
        request("GET", f"{board}/players/a", "Connection: close"),
        request("OPTIONS", f"{board}/scores", "Origin: https://a.example"),
        request("DELETE", f"{board}/top"),
        request("GET", "/nothing/here?x=1"),
        request("POST", f"{board}/scores", trusted, body=b"{"),
        request("POST", f"{board}/scores", trusted),
        update(board, token, "a", "Idempotency-Key: k"),
        update(board, token, "a", "Idempotency-Key: k", "Prefer: respond-async"),
    ):
        answers = []
        for pieces in ([sent], [sent[:9], sent[9:-1], sent[-1:]]):
            async with wire(service.port) as raw:
                for piece in pieces:
                    await raw.send(piece)
                    await asyncio.sleep(0.01)
                answer = await raw.answer(head_only=sent.startswith(b"HEAD"))
            headers = {
                name: answer.headers[name] for name in answer.headers if not name.startswith(("Date", "Ratelimit"))
            }
            headers.pop("Idempotent-Replayed", None)  # the second is a retry of the first
            answers.append((answer.status, headers, answer.raw))
        assert answers[0] == answers[1], sent


async def test_later_requests_wait_for_an_update(service: Running) -> None:
    board, token = await service.board(), service.token("server", "game")
    async with wire(service.port) as raw, writer_held(service) as go:
        await raw.send(update(board, token, "a"))
        await pending(service, 1)
        await raw.send(request("GET", f"{board}/top"))
        await raw.send(update(board, token, "a") + request("GET", "/health/live"))
        await asyncio.sleep(0.05)
        go()
        assert (await raw.answer()).body["score"] == 1
        assert (await raw.answer()).body["entries"][0]["score"] == 1
        assert (await raw.answer()).body["score"] == 2
        assert (await raw.answer()).body == {"status": "live"}


async def test_a_stop_waits_for_an_update_in_its_transaction(tmp_path: Path, kind: type[HttpConnection]) -> None:
    async with asyncio.timeout(BOUND_S), AsyncExitStack() as stack:
        async with running(tmp_path / "data", kind=kind) as service:
            board, token = await service.board(), service.token("server", "game")
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            go = await stack.enter_async_context(writer_held(service))
            writer.write(update(board, token, "a"))
            await pending(service, 1)
            asyncio.get_running_loop().call_later(0.2, go)
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


async def test_a_stream_may_follow_on_a_persistent_connection(service: Running) -> None:
    board = await service.board()
    async with wire(service.port) as raw:
        await raw.send(request("GET", "/health/live"))
        assert (await raw.answer()).status == 200
        await raw.send(request("GET", f"{board}/stream"))
        head = await raw.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream")


async def test_a_chunked_body_is_accepted(service: Running) -> None:
    board = await service.board()
    body = b'{"player":"a","increment":1}'
    head = request(
        "POST",
        f"{board}/scores",
        f"Authorization: Bearer {service.token('server', 'game')}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    )
    async with wire(service.port) as raw:
        await raw.send(head)
        for start in range(0, len(body), 5):
            piece = body[start : start + 5]
            await raw.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await raw.send(b"0\r\n\r\n")
        assert (await raw.answer()).body["score"] == 1


async def test_a_client_that_expects_100_continue_receives_it(service: Running) -> None:
    # curl expects it before a large body, such as a batch.
    board = await service.board()
    whole = update(board, service.token("server", "game"), "a", "Expect: 100-continue")
    head, _, body = whole.partition(b"\r\n\r\n")
    async with wire(service.port) as raw:
        await raw.send(head + b"\r\n\r\n")
        assert (await raw.answer(head_only=True)).status == 100
        await raw.send(body)
        assert (await raw.answer()).body["score"] == 1


async def test_a_refusal_before_the_body_closes_the_connection(service: Running) -> None:
    # The client may omit the body then, and the next request would be read as the body.
    board = await service.board()
    token, body = f"Authorization: Bearer {service.token('server', 'game')}", ("Content-Length: 30", "Content-Type: x")
    for method, headers, status in (("POST", (), 401), ("POST", (token,), 415), ("PUT", (), 405)):
        async with wire(service.port) as raw:
            await raw.send(request(method, f"{board}/scores", "Expect: 100-continue", *body, *headers))
            answer = await raw.answer()
            assert answer.status == status
            assert answer.headers["Connection"] == "close"


async def test_an_incomplete_body_changes_nothing(service: Running) -> None:
    board = await service.board()
    whole = update(board, service.token("server", "game"), "a")
    async with wire(service.port) as raw:
        await raw.send(whole[:-3])
    (await service.anybody.get("/health/live")).ok()
    assert await top(service, board) == {}


async def test_a_body_that_is_too_big_is_refused_before_it_is_read(service: Running) -> None:
    board = await service.board()
    token = service.token("server", "game")
    for path, size in ((f"{board}/scores", 65_537), (f"{board}/scores/batch", 4 * 1024 * 1024 + 1)):
        head = request("POST", path, f"Authorization: Bearer {token}", "Content-Type: application/json")
        async with wire(service.port) as raw:
            await raw.send(head[:-2] + b"Content-Length: %d\r\n\r\n" % size)
            (await raw.answer()).refused(413, "body_too_big")
        async with wire(service.port) as raw:
            await raw.send(head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
            piece = b"%x\r\n%b\r\n" % (60_000, b" " * 60_000)
            try:
                for _ in range(size // 60_000 + 2):
                    await raw.send(piece)
            except ConnectionError:
                pass  # closed before everything was sent
            else:
                (await raw.answer()).refused(413, "body_too_big")
    assert await top(service, board) == {}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-unknown", "identity, gzip", "", "\xff"])
async def test_an_encoded_body_is_refused_without_decoding(
    service: Running, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    board = await service.board()
    trusted = f"Authorization: Bearer {service.token('server', 'game')}"
    async with wire(service.port) as raw:
        sent = request("POST", f"{board}/scores", f"Content-Encoding: {encoding}", trusted, body=gzip.compress(b"{}"))
        await raw.send(sent)
        (await raw.answer()).refused(415, "unsupported_content_encoding")
        assert await raw.rest() == b""
    assert caplog.records == []


async def test_a_body_encoded_as_identity_is_accepted(service: Running) -> None:
    board = await service.board()
    async with wire(service.port) as raw:
        await raw.send(update(board, service.token("server", "game"), "a", "Content-Encoding: Identity"))
        assert (await raw.answer()).body["score"] == 1


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_malformed_http_is_refused_and_closed(service: Running, bytes_sent: bytes) -> None:
    async with wire(service.port) as raw:
        await raw.send(bytes_sent)
        answer = await raw.answer()
        answer.refused(400, "invalid_request")
        assert answer.headers["Connection"] == "close"
        await raw.rest()
    (await service.anybody.get("/health/live")).ok()


@impatient
async def test_a_malformed_chunk_is_refused(service: Running) -> None:
    """Check that the parser refuses it, or the rest of the body times out."""
    board = await service.board()
    sent = (f"Authorization: Bearer {service.token('server', 'game')}", "Content-Type: application/json")
    head = request("POST", f"{board}/scores", *sent, "Transfer-Encoding: chunked")
    async with wire(service.port) as raw:
        await raw.send(head + b"zz\r\nnot a chunk\r\n")
        answer = await raw.answer()
        assert answer.status == 400
        assert answer.code in {"invalid_request", "invalid_body"}
    async with wire(service.port) as raw:
        await raw.send(head)
        await asyncio.sleep(0)
        await raw.send(b"5\r\nhello\r\nzz\r\n")
        answer = await raw.answer()
        assert (answer.status, answer.code) in {
            (400, "invalid_request"),
            (400, "invalid_body"),
            (408, "body_timeout"),
        }
    assert await top(service, board) == {}


@impatient
async def test_a_body_that_never_arrives_times_out(service: Running) -> None:
    board = await service.board()
    async with wire(service.port) as raw:
        await raw.send(update(board, service.token("server", "game"), "a")[:-3])
        (await raw.answer()).refused(408, "body_timeout")
    assert await top(service, board) == {}


async def test_a_target_may_be_absolute_as_for_a_proxy(service: Running) -> None:
    board, token = await service.board(), service.token("server", "game")
    async with wire(service.port) as raw:
        await raw.send(update(f"http://x:80{board}", token, "a"))
        assert (await raw.answer()).body["score"] == 1
        await raw.send(request("GET", f"HTTP://x{board}/top?limit=1"))
        assert (await raw.answer()).body["total"] == 1
        await raw.send(request("GET", "http://x"))
        assert (await raw.answer()).headers["Content-Type"].startswith("text/html")
        for nothing in ("ftp://x/", "http://x/nothing", "//x/health/live"):
            await raw.send(request("GET", nothing))
            (await raw.answer()).refused(404, "route_not_found")
        await raw.send(request("OPTIONS", "*"))
        (await raw.answer()).refused(404, "route_not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/apps/{}", "token_missing"),
        ("/v1/apps/{}/boards/main/top", "app_not_found"),
        ("/v1/apps/game/boards/{}/top", "board_not_found"),
        ("/v1/apps/game/boards/main/players/{}", "player_not_found"),
        ("/v1/apps/{}/boards/{}/players/{}/around", "app_not_found"),
        ("/docs/{}", "file_not_found"),
        ("/page/{}/index.html", "file_not_found"),
        ("/{}", "route_not_found"),
        ("/v1/{}/game", "route_not_found"),
    ],
)
async def test_braces_in_an_address_are_an_ordinary_name(service: Running, path: str, code: str) -> None:
    await service.board()
    async with wire(service.port) as raw:
        await raw.send(request("GET", path))
        assert (await raw.answer()).code == code


@pytest.mark.parametrize("path", ["/v1/apps/game/boards/main/players/\xff", "/v1/apps/\xff/boards/main/top"])
async def test_raw_bytes_in_the_address_are_a_client_error(service: Running, path: str) -> None:
    await service.board()
    async with wire(service.port) as raw:
        await raw.send(request("GET", path).decode().encode("latin-1"))
        answer = await raw.answer()
        assert 400 <= answer.status < 500, answer.raw
        assert answer.code


@pytest.mark.parametrize("query", ["cursor=\xff", "season=\xff", "region=\xff", "limit=\xff", "\xff=1", "\xff"])
async def test_raw_bytes_in_the_query_are_a_client_error(service: Running, query: str) -> None:
    await service.board()
    paths = [f"/v1/apps/game/boards/main/top?{query}", f"/v1/apps/game/boards/main/stream?{query}&season=x"]
    for path in paths:
        async with wire(service.port) as raw:
            await raw.send(request("GET", path).decode().encode("latin-1"))
            answer = await raw.answer()
            assert 400 <= answer.status < 500, answer.raw
            assert answer.code


async def test_raw_bytes_in_a_list_of_players_are_a_client_error(service: Running) -> None:
    await service.board()
    token = service.token("admin", "game")
    async with wire(service.port) as raw:
        head = request("GET", "/v1/apps/game/players?after=\xff", f"Authorization: Bearer {token}")
        await raw.send(head.decode().encode("latin-1"))
        answer = await raw.answer()
        assert 400 <= answer.status < 500, answer.raw
        assert answer.code


class TestOrigins:
    async def test_a_page_of_a_listed_origin_may_read_and_update(self, tmp_path: Path) -> None:
        origin = "https://shop.example"
        async with running(tmp_path / "data", origins=f"{origin}, https://other.example") as service:
            board = await service.board()
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight = await service.anybody.call("OPTIONS", f"{board}/scores", headers=headers)
            assert preflight.status == 204
            assert preflight.headers["Access-Control-Allow-Origin"] == origin
            assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
            allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
            assert {"authorization", "content-type", "idempotency-key", "prefer", "if-none-match"} <= {*allowed}
            server = service.client("server", "game")
            answer = await server.post(f"{board}/scores", {"player": "a", "increment": 1}, Origin=origin)
            assert answer.ok()["score"] == 1
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
            assert "Origin" in answer.headers["Vary"]
            problem = await service.anybody.get(f"{board}/players/nobody", Origin=origin)
            assert problem.headers["Access-Control-Allow-Origin"] == origin

    async def test_a_page_of_another_origin_may_not_read(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data", origins="https://shop.example") as service:
            board = await service.board()
            for origin in ("https://evil.example", "null", "http://shop.example", "https://shop.example.evil.example"):
                answer = await service.anybody.get(f"{board}/top", Origin=origin)
                assert "Access-Control-Allow-Origin" not in answer.headers
                assert answer.headers["Vary"] == "Origin"

    async def test_a_cacheable_response_varies_by_origin(self, tmp_path: Path) -> None:
        # Otherwise a cache returns a response without CORS headers to a page of a listed origin.
        async with running(tmp_path / "data", origins="https://shop.example") as service:
            board = await service.board()
            assert "Origin" in (await service.anybody.get(f"{board}/top")).headers.get("Vary", "")

    async def test_every_origin_may_read_if_configured(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data", origins="*") as service:
            board = await service.board()
            answer = await service.anybody.get(f"{board}/top", Origin="https://any.example")
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


class TestService:
    async def test_health_metrics_page_and_document_are_served(self, service: Running) -> None:
        board = await service.board()
        (await service.client("server", "game").post(f"{board}/scores", {"player": "a", "increment": 1})).ok()
        assert (await service.anybody.get("/health/live")).ok() == {"status": "live"}
        assert (await service.anybody.get("/health/ready")).ok() == {"status": "ready"}
        page = await service.anybody.get("/")
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        metrics = await service.anybody.get("/metrics")
        assert (
            b'scoreboard_http_request_seconds_count{contract="v1",operation="updateScore",status="200"} 1.0'
            in metrics.raw
        )
        assert b"scoreboard_pending_updates 0.0" in metrics.raw
        document = (await service.anybody.get("/openapi.json")).ok()
        assert document["openapi"].startswith("3.1")

    async def test_a_stop_closes_idle_connections_without_waiting(self, tmp_path: Path) -> None:
        async with asyncio.timeout(BOUND_S):
            async with running(tmp_path / "data") as service:
                reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
                writer.write(request("GET", "/health/live"))
                await reader.readuntil(b'"live"}')
            assert await reader.read(-1) == b""
            writer.close()
            await writer.wait_closed()
