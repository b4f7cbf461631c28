"""Limits of connections, their eviction, and the time-outs of idle and slow ones."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from harness.service import Running, running
from harness.waiting import BOUND_S, eventually
from harness.wire import Wire, wire
from scoreboard.entrypoints.http.connection import HttpConnection
from scoreboard.entrypoints.http.connection_limiter import RESERVED_FILES, default_limit
from scoreboard.entrypoints.http.fast_path import FastConnection
from scoreboard.entrypoints.http.timeouts import HttpTimeouts
from tests.faults.held import pending, writer_held
from tests.http.test_protocol import request, update

LIMIT = 3

opened: list[HttpConnection] = []


@pytest.fixture(params=[FastConnection, HttpConnection])
def kind(request: pytest.FixtureRequest) -> type[HttpConnection]:
    """Return a kind of connection that adds each new one to `opened`."""
    base = cast("type[HttpConnection]", request.param)

    class Observed(base):  # type: ignore[misc,valid-type]  # a base that is a value
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            opened.append(self)
            super().connection_made(transport)

    opened.clear()
    return Observed


@pytest.fixture
async def limited(tmp_path: Path, kind: type[HttpConnection]) -> AsyncIterator[Running]:
    async with running(tmp_path / "data", kind=kind, http_connections=LIMIT) as service:
        yield service


async def get_status(raw: Wire) -> int:
    await raw.send(request("GET", "/health/live"))
    return (await raw.answer()).status


async def metric(service: Running, name: str) -> float:
    text = (await service.anybody.get("/metrics")).raw.decode()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(name)))


async def is_only_connection(service: Running) -> bool:
    return await metric(service, "scoreboard_http_connections") <= 1


async def test_the_oldest_idle_connection_is_evicted(limited: Running) -> None:
    async with wire(limited.port) as first, wire(limited.port) as second, wire(limited.port) as third:
        for raw in (first, second, third):
            assert await get_status(raw) == 200
        async with wire(limited.port) as fourth:
            assert await get_status(fourth) == 200
            assert await first.rest() == b""
            for raw in (second, third):
                assert await get_status(raw) == 200
    assert await metric(limited, "scoreboard_http_made_room_total") >= 1
    assert await metric(limited, "scoreboard_http_turned_away_total") == 0


async def test_a_new_connection_is_rejected_while_all_are_busy(limited: Running) -> None:
    board, token = await limited.board(), limited.token("server", "game")
    async with wire(limited.port) as first, wire(limited.port) as second, wire(limited.port) as third:
        async with writer_held(limited):
            for count, raw in enumerate((first, second, third), 1):
                await raw.send(update(board, token, "a"))
                await pending(limited, count)
            for _ in range(2):
                async with wire(limited.port) as fourth:
                    answer = await fourth.answer()
                    answer.refused(503, "too_many_connections")
                    assert answer.headers["Retry-After"] == "1"
                    assert await fourth.rest() == b""
        for raw in (first, second, third):
            (await raw.answer()).ok()
    assert await metric(limited, "scoreboard_http_turned_away_total") == 2
    assert await metric(limited, "scoreboard_http_connections") <= LIMIT


async def test_live_connections_have_a_separate_limit(limited: Running) -> None:
    await limited.board()
    url = f"{limited.url}/v1/live"
    sockets = [await limited.http.ws_connect(url) for _ in range(2 * LIMIT)]
    async with wire(limited.port) as first, wire(limited.port) as second:
        assert [await get_status(raw) for raw in (first, second)] == [200, 200]
        for socket in sockets:
            await socket.send_json({"type": "ping"})
            assert (await socket.receive_json())["type"] == "pong"
    assert await metric(limited, "scoreboard_http_made_room_total") == 0
    for socket in sockets:
        await socket.close()


async def test_closed_connections_are_not_counted(limited: Running) -> None:
    for _ in range(3 * LIMIT):
        async with wire(limited.port) as raw:
            assert await get_status(raw) == 200
        await eventually(lambda: is_only_connection(limited), "the connection is closed")
    assert await metric(limited, "scoreboard_http_turned_away_total") == 0


@pytest.mark.parametrize(
    ("requests", "timeouts"),
    [(0, HttpTimeouts(head_s=0.3)), (1, HttpTimeouts(head_s=BOUND_S)), (3, HttpTimeouts(head_s=BOUND_S))],
)
async def test_a_head_that_trickles_in_times_out(service: Running, requests: int) -> None:
    async with wire(service.port) as raw:
        for _ in range(requests):
            assert await get_status(raw) == 200
        if requests:
            opened[-1].timeouts = HttpTimeouts(head_s=0.3)
        async with asyncio.timeout(BOUND_S):
            ended = asyncio.create_task(raw.reader.read())
            await raw.send(b"GET /health/live HTTP/1.1\r\nX-Slow: ")
            while not ended.done():
                raw.writer.write(b"z")
                await asyncio.sleep(0.02)
            with contextlib.suppress(ConnectionResetError):  # a byte was in transit
                assert await ended == b""


async def test_a_head_may_arrive_in_parts(service: Running) -> None:
    async with wire(service.port) as raw:
        for _ in range(3):
            whole = request("GET", "/health/live")
            await raw.send(whole[:10])
            await eventually(lambda: bool(opened) and opened[-1].awaits_head, "the rest of the head is due")
            await raw.send(whole[10:])
            assert (await raw.answer()).status == 200
            assert not opened[-1].awaits_head


async def test_a_slow_response_does_not_time_out(service: Running) -> None:
    board, token = await service.board(), service.token("server", "game")
    next_request = request("GET", "/health/live")
    async with wire(service.port) as raw:
        assert await get_status(raw) == 200
        async with writer_held(service):
            await raw.send(update(board, token, "a"))
            await pending(service, 1)
            answering = opened[-1]
            await raw.send(next_request[:9])
            answering.idle_since = -2 * answering.timeouts.keep_alive_s
            answering.close_if_idle()
            assert not answering.awaits_head
        assert (await raw.answer()).body["score"] == 1
        await raw.send(next_request[9:])
        assert (await raw.answer()).status == 200


async def test_no_head_is_due_after_a_response(service: Running) -> None:
    board, token = await service.board(), service.token("server", "game")
    async with wire(service.port) as raw:
        for score in (1, 2):
            await raw.send(update(board, token, "a"))
            assert (await raw.answer()).body["score"] == score
            assert not opened[-1].awaits_head


@pytest.mark.parametrize("timeouts", [HttpTimeouts(keep_alive_s=0.1)], ids=["short"])
async def test_an_idle_connection_is_closed(service: Running) -> None:
    async with wire(service.port) as raw:
        assert await get_status(raw) == 200
        assert await raw.rest() == b""


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (30_000, 15_000 - RESERVED_FILES),
        (20_000, 5_000),
        (1_024, 256),
        (15_000, 3_750),
        (resource.RLIM_INFINITY, 985_000 - RESERVED_FILES),
    ],
)
def test_the_default_limit_follows_from_open_files(files: int, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert default_limit(15_000) == expected
