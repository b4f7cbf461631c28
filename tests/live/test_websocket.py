"""Tests of boards by WebSocket."""

import asyncio
import contextlib
import gc
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import ref

import aiohttp
import pytest

from harness.service import TIMINGS, Running, running
from harness.waiting import BOUND_S, eventually
from harness.wire import wire
from scoreboard.application.live import close_codes
from scoreboard.application.live.hub import Hub
from scoreboard.entrypoints.sockets.connections import LiveLimits
from scoreboard.entrypoints.sockets.sessions import MAX_BEHIND_S, LiveSession
from tests.live.watching import Page, page, score, scores_of

HANDSHAKE = (
    b"GET /v1/live HTTP/1.1",
    b"Host: x",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
NAME = "player-{:03}-with-a-name-that-takes-some-room"


class SlowClient:
    """A client with small buffers that reads on request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.received = b""

    def resume(self) -> None:
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]  # of a socket

    async def read(self) -> None:
        self.received = self.received[-64:] + await self._reader.read(1 << 16)


@asynccontextmanager
async def slow_and_quick(service: Running) -> AsyncIterator[tuple[SlowClient, Page]]:
    """Yield two clients of a board with 500 entries; the first one does not read."""
    board = await service.board(top_n=500)
    updates = [{"player": NAME.format(n), "increment": n + 1} for n in range(500)]
    (await service.client("server", "game").post(f"{board}/scores/batch", {"updates": updates})).ok()
    connecting = sockets.socket()
    connecting.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    connecting.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connecting, ("127.0.0.1", service.port))
    reader, writer = await asyncio.open_connection(sock=connecting, limit=2_048)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket
    handshake = b"\r\n".join([*HANDSHAKE, b"", b""])
    writer.write(handshake + masked(b'{"type":"subscribe","app":"game","board":"main"}'))
    try:
        async with page(service) as quick:
            await quick.watch()
            await eventually(lambda: service.service.live.connections == 2)
            yield SlowClient(reader, writer), quick
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def raise_leader(service: Running, quick: Page, total: int) -> None:
    """Raise the leader to `total`, and wait until the quick client has it."""
    update = {"player": NAME.format(499), "increment": 1}
    (await service.client("server", "game").post("/v1/apps/game/boards/main/scores", update)).ok()
    while scores_of(await quick.next("top"))[0][1] != total:
        pass


async def fall_behind(service: Running, quick: Page) -> int:
    """Raise the leader until the slow client falls behind; return the leader's score."""
    total = 500
    while not behind(service):
        total += 1
        await raise_leader(service, quick, total)
    return total


def behind(service: Running) -> list[LiveSession]:
    """Return the connections with a full write buffer."""
    return [connection for connection in service.service.live.sockets if connection.behind is not None]


class TestSubscribe:
    async def test_a_subscription_is_answered_with_the_board(self, service: Running) -> None:
        await service.board()
        await score(service, "alice", 5)
        async with page(service) as alice:
            subscribed, top = await alice.watch()
            assert (subscribed["app"], subscribed["board"]) == ("game", "main")
            assert (subscribed["region"], subscribed["season"], subscribed["recovered"]) == (None, None, False)
            assert (top["app"], top["board"], top["season"], top["region"]) == ("game", "main", "all", None)
            assert (top["epoch"], top["offset"]) == (subscribed["epoch"], subscribed["offset"])
            assert top["total"] == 1
            assert scores_of(top) == [("alice", 5)]
            assert set(top["entries"][0]) == {"rank", "player", "username", "avatar_url", "score", "reached_at"}
            assert "changes" not in top

    async def test_an_update_is_sent_with_its_changes(self, service: Running) -> None:
        await service.board()
        await score(service, "alice", 5)
        async with page(service) as watcher:
            _, first = await watcher.watch()
            await score(service, "bob", 7)
            top = await watcher.next("top")
            assert top["epoch"] == first["epoch"]
            assert top["offset"] > first["offset"]
            assert scores_of(top) == [("bob", 7), ("alice", 5)]
            assert top["changes"] == [
                {"player": "bob", "rank": 1, "previous_rank": None, "score": 7},
                {"player": "alice", "rank": 2, "previous_rank": 1, "score": 5},
            ]

    async def test_a_player_who_leaves_the_top_is_in_the_changes(self, service: Running) -> None:
        await service.board(top_n=1)
        await score(service, "alice", 5)
        async with page(service) as watcher:
            await watcher.watch()
            await score(service, "bob", 7)
            top = await watcher.next("top")
            assert scores_of(top) == [("bob", 7)]
            assert top["total"] == 2
            assert top["changes"][1] == {"player": "alice", "rank": None, "previous_rank": 1, "score": 5}

    async def test_an_update_below_the_top_is_not_sent(self, service: Running) -> None:
        await service.board(top_n=1)
        await score(service, "alice", 50)
        async with page(service) as watcher:
            await watcher.watch()
            await score(service, "bob", 7)
            await score(service, "alice", 1)
            assert scores_of(await watcher.next("top")) == [("alice", 51)]

    async def test_a_client_resumes_at_the_current_position(self, service: Running) -> None:
        await service.board()
        await score(service, "alice", 5)
        async with page(service) as first:
            _, top = await first.watch()
        position = {"epoch": top["epoch"], "offset": top["offset"]}
        async with page(service) as again:
            await again.send(type="subscribe", app="game", board="main", position=position)
            subscribed = await again.next("subscribed")
            assert subscribed["recovered"] is True
            assert (subscribed["epoch"], subscribed["offset"]) == (top["epoch"], top["offset"])
            await again.quiet()
            await score(service, "bob", 1)
            assert (await again.next("top"))["changes"] == [
                {"player": "bob", "rank": 2, "previous_rank": None, "score": 1}
            ]

    @pytest.mark.parametrize("wrong", ["older", "newer", "epoch"])
    async def test_a_client_at_another_position_gets_the_newest_board(self, service: Running, wrong: str) -> None:
        await service.board()
        await score(service, "alice", 5)
        async with page(service) as first:
            _, top = await first.watch()
            await score(service, "alice", 5)
            newest = await first.next("top")
        position: dict[str, Any] = {
            "older": {"epoch": top["epoch"], "offset": top["offset"]},
            "newer": {"epoch": top["epoch"], "offset": newest["offset"] + 1},
            "epoch": {"epoch": "another", "offset": newest["offset"]},
        }[wrong]
        async with page(service) as again:
            subscribed, board = await again.watch(position=position)
            assert subscribed["recovered"] is False
            assert "changes" not in board
            assert scores_of(board) == [("alice", 10)]

    async def test_changes_while_nobody_watched_are_in_the_next_board(self, service: Running) -> None:
        await service.board()
        await score(service, "alice", 5)
        async with page(service) as first:
            _, top = await first.watch()
        await eventually(lambda: service.service.live.connections == 0)
        await score(service, "bob", 9)
        async with page(service) as again:
            subscribed, board = await again.watch(position={"epoch": top["epoch"], "offset": top["offset"]})
            assert subscribed["recovered"] is False
            assert scores_of(board) == [("bob", 9), ("alice", 5)]

    async def test_the_epoch_changes_with_a_restart(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data") as service:
            await service.board()
            await score(service, "alice", 5)
            async with page(service) as watcher:
                _, before = await watcher.watch()
        async with running(tmp_path / "data") as service, page(service) as watcher:
            position = {"epoch": before["epoch"], "offset": before["offset"]}
            subscribed, after = await watcher.watch(position=position)
            assert subscribed["recovered"] is False
            assert after["epoch"] != before["epoch"]
            assert scores_of(after) == scores_of(before)

    async def test_one_socket_subscribes_and_unsubscribes_several_boards(self, service: Running) -> None:
        await service.board()
        await service.board("other", regions=["eu"])
        async with page(service) as watcher:
            await watcher.watch()
            await watcher.watch("other")
            await watcher.watch("other", region="eu")
            await score(service, "a", 1, "other", region="eu")
            boards = [await watcher.next("top") for _ in range(2)]
            assert sorted((top["board"], top["region"] or "") for top in boards) == [("other", ""), ("other", "eu")]
            await watcher.send(type="unsubscribe", app="game", board="other")
            unsubscribed = await watcher.next("unsubscribed")
            assert (unsubscribed["board"], unsubscribed["region"]) == ("other", None)
            await score(service, "a", 1, "other", region="eu")
            assert (await watcher.next("top"))["region"] == "eu"
            await score(service, "b", 1)
            assert (await watcher.next("top"))["board"] == "main"

    async def test_a_repeated_subscription_sends_each_board_once(self, service: Running) -> None:
        await service.board()
        async with page(service) as watcher:
            await watcher.watch()
            await watcher.watch()
            await score(service, "a", 1)
            assert scores_of(await watcher.next("top")) == [("a", 1)]
            await watcher.quiet()

    async def test_a_wide_board_shows_scores_as_text(self, service: Running) -> None:
        bound = 2**63 - 1
        await service.board(max_value=str(bound), max_total=str(bound))
        async with page(service) as watcher:
            await watcher.watch()
            await score(service, "a", bound)
            top = await watcher.next("top")
            assert scores_of(top) == [("a", str(bound))]
            assert top["changes"][0]["score"] == str(bound)

    async def test_a_rename_is_shown(self, service: Running) -> None:
        await service.board()
        await score(service, "alice", 5)
        async with page(service) as watcher:
            await watcher.watch()
            (await service.operator.patch("/v1/apps/game/players/alice", {"username": "Alice A."})).ok()
            assert (await watcher.next("top"))["entries"][0]["username"] == "Alice A."

    async def test_a_deleted_player_is_removed_from_the_board(self, service: Running) -> None:
        await service.board()
        await score(service, "alice", 5)
        await score(service, "bob", 7)
        async with page(service) as watcher:
            await watcher.watch()
            (await service.operator.delete("/v1/apps/game/players/bob")).ok(204)
            assert scores_of((await watcher.until([("alice", 5)]))[-1]) == [("alice", 5)]

    async def test_a_ping_is_answered(self, service: Running) -> None:
        async with page(service) as watcher:
            await watcher.quiet()
            await watcher.socket.ping(b"hello")
            await watcher.quiet()


class TestRefusals:
    async def test_a_failed_subscription_is_an_error_and_keeps_the_socket(self, service: Running) -> None:
        await service.board()
        async with page(service) as watcher:
            for request, code in (
                ({"app": "none", "board": "main"}, "app_not_found"),
                ({"app": "game", "board": "none"}, "board_not_found"),
                ({"app": "game", "board": "main", "region": "mars"}, "region_not_found"),
                ({"app": "game", "board": "main", "season": "2026-01"}, "invalid_season"),
            ):
                await watcher.send(type="subscribe", **request)
                error = await watcher.next("error")
                assert error["code"] == code
                assert {name: error[name] for name in request} == request
                assert error["detail"]
            await watcher.watch()

    async def test_a_private_board_needs_a_token_of_its_app(self, service: Running) -> None:
        await service.board(public=False)
        await service.board(app="other")
        request = {"type": "subscribe", "app": "game", "board": "main"}
        async with page(service) as watcher:
            await watcher.send(**request)
            assert (await watcher.next("error"))["code"] == "token_missing"
            await watcher.send(type="authenticate", token=service.token("server", "other"))
            await watcher.next("authenticated")
            await watcher.send(**request)
            assert (await watcher.next("error"))["code"] == "wrong_app"
            await watcher.send(type="authenticate", token=service.token("player", "game", "alice"))
            await watcher.next("authenticated")
            await watcher.watch()
        async with page(service, f"?token={service.token('player', 'game')}") as watcher:
            await watcher.watch()
        async with page(service, Authorization=f"Bearer {service.token('player', 'game')}") as watcher:
            await watcher.watch()

    async def test_a_board_made_private_is_hidden_from_clients_without_a_token(self, service: Running) -> None:
        board = await service.board()
        async with page(service) as stranger, page(service, f"?token={service.token('player', 'game')}") as friend:
            await stranger.watch()
            await friend.watch()
            (await service.operator.patch(board, {"public": False})).ok()
            await score(service, "alice", 5)
            await friend.until([("alice", 5)])
            await stranger.send(type="ping")
            async with asyncio.timeout(BOUND_S):
                while (message := await stranger.socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    assert "alice" not in message.data
                    if "pong" in message.data:
                        break

    async def test_an_invalid_token_closes_the_connection_permanently(self, service: Running) -> None:
        async with page(service) as watcher:
            await watcher.send(type="authenticate", token="forged")
            assert await watcher.closed() == 4501
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with page(service, "?token=forged"):
                pass
        assert refused.value.status == 401

    @pytest.mark.parametrize(
        "message",
        [
            "",
            "no json",
            "[]",
            "{}",
            '{"type":"none"}',
            '{"type":"subscribe"}',
            '{"type":"subscribe","app":1,"board":2}',
            '{"type":"ping","more":1}',
            '{"type":"subscribe","app":"game","board":"main","position":{"epoch":"x"}}',
            "[" * 5_000,
            '{"type":"subscribe","app":"\\ud800","board":"main"}',
        ],
    )
    async def test_an_invalid_message_closes_the_connection_permanently(self, service: Running, message: str) -> None:
        async with page(service) as watcher:
            await watcher.socket.send_str(message)
            assert await watcher.closed() == 4500

    async def test_a_binary_message_closes_the_connection_permanently(self, service: Running) -> None:
        async with page(service) as watcher:
            await watcher.socket.send_bytes(b'{"type":"ping"}')
            assert await watcher.closed() == 4500

    async def test_a_too_big_message_closes_the_connection(self, service: Running) -> None:
        async with page(service) as watcher:
            await watcher.socket.send_str('{"type":"authenticate","token":"' + "x" * 10_000 + '"}')
            assert await watcher.closed() in {1009, 4503}

    async def test_too_many_subscriptions_close_the_connection_permanently(self, tmp_path: Path) -> None:
        timings = replace(TIMINGS, live=LiveLimits(subscriptions=2))
        async with running(tmp_path / "data", timings=timings) as service:
            for name in ("main", "two", "three"):
                await service.board(name)
            async with page(service) as watcher:
                await watcher.watch()
                await watcher.watch("two")
                await watcher.watch("two")
                await watcher.send(type="subscribe", app="game", board="three")
                assert await watcher.closed() == 4502

    async def test_too_many_connections_are_closed_until_others_end(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data", live_connections=2) as service:
            await service.board()
            async with page(service) as first, page(service):
                async with page(service) as third:
                    assert await third.closed() == 4003
                streamed = await service.anybody.get("/v1/apps/game/boards/main/stream")
                streamed.refused(503, "too_many_connections")
                await first.quiet()
            await eventually(lambda: service.service.live.connections == 0)
            async with page(service) as again:
                await again.quiet()

    async def test_only_listed_origins_may_connect(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data", origins="https://good.example") as service:
            async with page(service, Origin="https://good.example") as watcher:
                await watcher.quiet()
            async with page(service, Origin=service.url) as watcher:
                await watcher.quiet()
            for origin in ("https://bad.example", "http://good.example", "https://good.example.bad.example", "null"):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with page(service, Origin=origin):
                        pass
                assert refused.value.status == 403

    async def test_a_plain_request_is_refused(self, service: Running) -> None:
        answer = await service.anybody.get("/v1/live")
        assert 400 <= answer.status < 500
        assert answer.code == "websocket_only"

    @pytest.mark.parametrize(
        "header",
        [
            b"Upgrade: web\xffsocket",
            b"Sec-WebSocket-Key: \xc3\xa9",
            b"Sec-WebSocket-Key: x",
            b"Sec-WebSocket-Version: \xff",
            b"Sec-WebSocket-Version: 99",
            b"Connection: close",
        ],
    )
    async def test_an_invalid_handshake_is_refused(
        self, service: Running, header: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        lines = [line for line in HANDSHAKE if not line.startswith(header.partition(b":")[0])]
        async with wire(service.port) as raw:
            await raw.send(b"\r\n".join([*lines, header, b"", b""]))
            (await raw.answer()).refused(403, "websocket_only")
        assert caplog.records == []

    @pytest.mark.parametrize("version", [b"0.9", b"1.0", b"2.0"])
    async def test_a_handshake_of_another_http_version_is_refused(self, service: Running, version: bytes) -> None:
        async with wire(service.port) as raw:
            await raw.send(b"\r\n".join([b"GET /v1/live HTTP/" + version, *HANDSHAKE[1:], b"", b""]))
            (await raw.answer()).refused(403, "websocket_only")

    @pytest.mark.parametrize("origin", [b"http://[", b"http://a]b", b"//[", "http://\u2100.com".encode(), b"\xff", b""])
    async def test_an_invalid_origin_is_refused(
        self, service: Running, origin: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with wire(service.port) as raw:
            await raw.send(b"\r\n".join([*HANDSHAKE, b"Origin: " + origin, b"", b""]))
            (await raw.answer()).refused(403, "origin_not_allowed")
        assert caplog.records == []

    async def test_an_unknown_subprotocol_is_ignored_and_not_logged(
        self, service: Running, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with wire(service.port) as raw:
            await raw.send(b"\r\n".join([*HANDSHAKE, b"Sec-WebSocket-Protocol: chat\xff", b"", b""]))
            answer = await raw.answer(head_only=True)
            assert answer.status == 101
            assert "Sec-Websocket-Protocol" not in answer.headers
        assert caplog.records == []


class TestManyConnections:
    async def test_many_updates_end_in_the_final_board_with_growing_offsets(self, service: Running) -> None:
        board = await service.board()
        async with page(service) as watcher:
            _, first = await watcher.watch()
            server = service.client("server", "game")
            await asyncio.gather(
                *(server.post(f"{board}/scores", {"player": f"p{n % 7}", "increment": n}) for n in range(300))
            )
            final = (await service.anybody.get(f"{board}/top")).ok()
            seen = await watcher.until(scores_of(final))
            assert first["offset"] < seen[0]["offset"]
            assert len(seen) < 300
            await watcher.quiet()

    async def test_changes_applied_to_the_previous_board_give_the_next(self, service: Running) -> None:
        board = await service.board(top_n=5)
        async with page(service) as watcher:
            _, first = await watcher.watch()
            server = service.client("server", "game")
            sending = asyncio.gather(
                *(server.post(f"{board}/scores", {"player": f"p{n % 9}", "increment": n * 7 % 11}) for n in range(200))
            )
            held = dict(scores_of(first))
            await sending
            final = (await service.anybody.get(f"{board}/top")).ok()
            for message in await watcher.until(scores_of(final)):
                for change in message["changes"]:
                    if change["rank"] is None:
                        del held[change["player"]]
                    else:
                        held[change["player"]] = change["score"]
                assert held == dict(scores_of(message))

    async def test_two_hundred_sockets_get_the_final_board(self, service: Running) -> None:
        board = await service.board()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            opened = [await http.ws_connect(f"{service.url}/v1/live") for _ in range(200)]
            try:
                pages = [Page(socket) for socket in opened]
                await asyncio.gather(*(one.watch() for one in pages))
                server = service.client("server", "game")
                await asyncio.gather(
                    *(server.post(f"{board}/scores", {"player": f"p{n % 20}", "increment": n}) for n in range(200))
                )
                final = scores_of((await service.anybody.get(f"{board}/top")).ok())
                await asyncio.gather(*(one.until(final) for one in pages))
            finally:
                await asyncio.gather(*(socket.close() for socket in opened))

    async def test_a_slow_client_delays_no_other_and_skips_to_the_newest_board(self, service: Running) -> None:
        async with slow_and_quick(service) as (reader, quick):
            total = await fall_behind(service, quick)
            for _ in range(10):
                total += 1
                await raise_leader(service, quick, total)
            reader.resume()
            newest = b'"score":%d,' % total
            async with asyncio.timeout(BOUND_S):
                while newest not in reader.received:
                    await reader.read()
            await eventually(lambda: not behind(service))

    async def test_only_a_stuck_client_is_aborted(self, service: Running) -> None:
        async with slow_and_quick(service) as (_, quick):
            total = await fall_behind(service, quick)
            live, later = service.service.live, asyncio.get_running_loop().time() + MAX_BEHIND_S + 1
            for connection in list(live.sockets):
                live.check(connection, later)
            await eventually(lambda: live.connections == 1)
            await raise_leader(service, quick, total + 1)

    async def test_a_quiet_client_is_pinged_and_a_flooding_one_closed(self, tmp_path: Path) -> None:
        limits = LiveLimits(check_every_s=0.01, ping_after_s=0.0, messages=5, check_batch=1)
        async with running(tmp_path / "data", timings=replace(TIMINGS, live=limits)) as service:
            await service.board()
            async with page(service, autoping=False) as quiet, page(service) as flooding:
                assert (await quiet.socket.receive(BOUND_S)).type is aiohttp.WSMsgType.PING
                await asyncio.gather(*(flooding.socket.send_str('{"type":"ping"}') for _ in range(100)))
                async with asyncio.timeout(BOUND_S):
                    while not flooding.socket.closed:
                        await flooding.socket.receive()
                assert flooding.socket.close_code == close_codes.BAD_MESSAGE.code
                assert not quiet.socket.closed

    async def test_a_broken_socket_does_not_affect_others(self, service: Running) -> None:
        await service.board()
        async with page(service) as staying:
            await staying.watch()
            async with page(service) as breaking:
                await breaking.watch()
                breaking.abort()
                await score(service, "a", 1)
                assert scores_of(await staying.next("top")) == [("a", 1)]
            await eventually(lambda: service.service.live.connections == 1)

    async def test_a_broken_socket_is_freed_without_garbage_collection(self, service: Running) -> None:
        await service.board()
        async with page(service) as breaking:
            await breaking.watch()
            (socket,) = map(ref, service.service.live.sockets.values())
            gc.disable()
            try:
                breaking.abort()
                await eventually(lambda: socket() is None)
            finally:
                gc.enable()

    async def test_a_stop_closes_all_connections_for_a_reconnect(self, tmp_path: Path) -> None:
        async with aiohttp.ClientSession() as http:
            async with running(tmp_path / "data") as service:
                await service.board()
                opened = [await http.ws_connect(f"{service.url}/v1/live") for _ in range(20)]
                closing = [asyncio.create_task(Page(socket).closed()) for socket in opened]
                for socket in opened:
                    await Page(socket).send(type="subscribe", app="game", board="main")
                await eventually(lambda: subscription_count(service) == 20)
            assert await asyncio.gather(*closing) == [1001] * 20

    async def test_ended_connections_are_removed(self, service: Running) -> None:
        await service.board()
        for _ in range(5):
            async with page(service) as watcher:
                await watcher.watch()
            async with wire(service.port) as raw:
                await raw.send(b"GET /v1/apps/game/boards/main/stream HTTP/1.1\r\nHost: x\r\n\r\n")
                await raw.reader.readuntil(b"data: ")
        await eventually(lambda: service.service.live.connections == 0, "all connections are removed")
        assert subscription_count(service) == 0


def subscription_count(service: Running) -> int:
    hub: Hub = service.service.live.hub
    return hub.subscriptions


def masked(payload: bytes) -> bytes:
    """Return a text frame as clients send it (RFC 6455, 5.3), masked with zeros."""
    assert len(payload) < 126
    return bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload
