"""Tests of boards by Server-Sent Events."""

import json
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from harness.service import TIMINGS, Running, running
from harness.waiting import eventually
from harness.wire import wire
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.application.standings.reads import Reads
from scoreboard.domain import codes
from scoreboard.entrypoints.sockets.connections import LiveLimits
from tests.live.watching import score, scores_of, stream


async def test_a_stream_starts_with_the_board_and_continues_with_its_changes(service: Running) -> None:
    await service.board()
    await score(service, "alice", 5)
    async with stream(service) as events:
        first = await events.event()
        top = json.loads(first["data"])
        assert first["event"] == top["type"] == "top"
        assert first["id"] == f"{top['epoch']}:{top['offset']}"
        assert scores_of(top) == [("alice", 5)]
        assert "changes" not in top
        await score(service, "bob", 7)
        second = await events.event()
        top = json.loads(second["data"])
        assert scores_of(top) == [("bob", 7), ("alice", 5)]
        assert [change["player"] for change in top["changes"]] == ["bob", "alice"]
        assert second["id"] == f"{top['epoch']}:{top['offset']}"


async def test_a_failure_after_the_head_ends_the_stream(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise codes.STORAGE_FAILED.error("for the test")

    await service.board()
    monkeypatch.setattr(Reads, "live_top", fail)
    async with wire(service.port) as raw:
        await raw.send(b"GET /v1/apps/game/boards/main/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = (await raw.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b"retry: 2000\n\n"


async def test_a_stream_opened_while_the_ranking_loads_gets_the_board_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail_to_read(*_: object) -> None:
        raise NotRanked("warming")

    timings = replace(TIMINGS, live=LiveLimits(warming_tries=1))
    async with running(tmp_path / "data", timings=timings) as service:
        await service.board()
        monkeypatch.setattr(Reads, "live_top", fail_to_read)
        hub = service.service.live.hub
        async with stream(service) as events:
            await eventually(
                lambda: [position for c in hub.channels() for position in c.sessions.values()] == [None],
                "the stream is subscribed",
            )
            monkeypatch.undo()
            await score(service, "alice", 5)
            assert scores_of(json.loads((await events.event())["data"])) == [("alice", 5)]


async def test_a_stream_resumes_after_the_last_event_id(service: Running) -> None:
    await service.board()
    await score(service, "alice", 5)
    async with stream(service) as events:
        last = (await events.event())["id"]
    async with stream(service, Last_Event_ID=last) as events:
        assert await events.comment() == ": nothing new"
        await score(service, "alice", 1)
        top = json.loads((await events.event())["data"])
        assert scores_of(top) == [("alice", 6)]
        assert len(top["changes"]) == 1


@pytest.mark.parametrize("last", ["", "x", ":", "x:1", ":1", "9" * 30, "x:" + "9" * 30, "x:-1", "x:١"])
async def test_another_last_event_id_gets_the_newest_board(service: Running, last: str) -> None:
    await service.board()
    await score(service, "alice", 5)
    async with stream(service, Last_Event_ID=last) as events:
        assert scores_of(json.loads((await events.event())["data"])) == [("alice", 5)]


async def test_an_event_id_from_before_a_restart_gets_the_board_of_a_new_epoch(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as service:
        await service.board()
        await score(service, "alice", 5)
        async with stream(service) as events:
            last = (await events.event())["id"]
    async with running(tmp_path / "data") as service, stream(service, Last_Event_ID=last) as events:
        again = await events.event()
        assert again["id"].partition(":")[0] != last.partition(":")[0]
        assert scores_of(json.loads(again["data"])) == [("alice", 5)]


async def test_a_stream_can_show_a_region(service: Running) -> None:
    await service.board(regions=["eu"])
    await score(service, "alice", 5, region="eu")
    await score(service, "bob", 7)
    async with stream(service, query="?region=eu") as events:
        top = json.loads((await events.event())["data"])
        assert (top["region"], scores_of(top)) == ("eu", [("alice", 5)])


async def test_boards_that_cannot_be_streamed_are_refused(service: Running) -> None:
    await service.board()
    await service.board("private", public=False)
    address = "/v1/apps/game/boards"
    (await service.anybody.get(f"{address}/none/stream")).refused(404, "board_not_found")
    (await service.anybody.get(f"{address}/main/stream?region=mars")).refused(404, "region_not_found")
    (await service.anybody.get(f"{address}/main/stream?season=x")).refused(400, "invalid_season")
    (await service.anybody.get(f"{address}/private/stream")).refused(401, "token_missing")
    (await service.anybody.get(f"{address}/private/stream?token=forged")).refused(401, "token_invalid")
    async with stream(service, "private", f"?token={service.token('player', 'game')}") as events:
        await events.event()


async def test_a_head_request_has_no_body(service: Running) -> None:
    await service.board()
    async with wire(service.port) as raw:
        await raw.send(b"HEAD /v1/apps/game/boards/main/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = (await raw.rest()).partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert body == b""


async def test_a_closed_stream_is_removed(service: Running) -> None:
    await service.board()
    async with stream(service) as events:
        await events.event()
        assert service.service.live.connections == 1
    await eventually(lambda: service.service.live.connections == 0)


async def test_a_stop_ends_streams(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        async with running(tmp_path / "data") as service:
            await service.board()
            response = await http.get(f"{service.url}/v1/apps/game/boards/main/stream")
            await eventually(lambda: service.service.live.connections == 1)
        assert b"event: top" in await response.content.read()
