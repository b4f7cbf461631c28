"""Live boards of the Python client: boards, states and reconnects."""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import aiohttp
import pytest

from harness.process import process
from harness.service import Running, running
from harness.waiting import BOUND_S, eventually
from scoreboard.client import AsyncScoreboard, LiveTop, Scoreboard, ScoreboardClientError, State, errors
from tests.acceptance.flaky_proxy import flaky
from tests.live.watching import score


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path / "data") as service:
        await service.board()
        yield service


def scores(top: LiveTop) -> list[tuple[str, int]]:
    return [(entry.player, entry.score) for entry in top.entries]


async def until(boards: AsyncGenerator[LiveTop, None], wanted: list[tuple[str, int]]) -> list[LiveTop]:
    """Return the boards up to the one with these scores."""
    seen = [await next_board(boards)]
    while scores(seen[-1]) != wanted:
        seen.append(await next_board(boards))
    return seen


async def next_board(boards: AsyncGenerator[LiveTop, None]) -> LiveTop:
    async with asyncio.timeout(BOUND_S):
        return await anext(boards)


async def final_error(boards: AsyncGenerator[LiveTop, None]) -> ScoreboardClientError:
    """Return the error with which the iteration ends."""
    with contextlib.suppress(StopAsyncIteration):
        while True:
            try:
                await next_board(boards)
            except ScoreboardClientError as error:
                return error
    raise AssertionError("the iteration ended without an error")


async def test_watch_yields_the_current_and_each_newer_board(service: Running) -> None:
    await score(service, "alice", 5)
    async with (
        AsyncScoreboard(service.url, app="game") as scoreboard,
        aclosing(scoreboard.watch("main")) as boards,
    ):
        first = await next_board(boards)
        assert (scores(first), first.total, first.season, first.changes) == ([("alice", 5)], 1, "all", None)
        await score(service, "bob", 7)
        *_, second = await until(boards, [("bob", 7), ("alice", 5)])
        assert second.epoch == first.epoch
        assert second.offset > first.offset
        assert {(move.player, move.previous_rank, move.rank) for move in second.changes or ()} == {
            ("bob", None, 1),
            ("alice", 1, 2),
        }


async def test_programs_without_asyncio_can_watch(service: Running) -> None:
    await score(service, "alice", 5)

    def plain() -> list[list[tuple[str, int]]]:
        with Scoreboard(service.url, app="game", token=service.token("server", "game")) as scoreboard:
            seen = []
            for top in scoreboard.watch("main"):
                seen.append(scores(top))
                if len(seen) == 2:
                    return seen
                scoreboard.update("main", "alice", increment=1)
        return seen

    assert await asyncio.to_thread(plain) == [[("alice", 5)], [("alice", 6)]]
    await eventually(lambda: service.service.live.connections == 0, "the connection is closed")


async def test_regions_and_wide_scores(service: Running) -> None:
    wide = {"max_value": 2**63 - 1, "max_total": 2**63 - 1}
    await service.board("wide", regions=["eu", "us"], **wide)  # type: ignore[arg-type]  # rules of many types
    await score(service, "alice", 2**63 - 1, board="wide", region="eu")
    await score(service, "bob", 1, board="wide", region="us")
    async with AsyncScoreboard(service.url, app="game") as scoreboard:
        async with aclosing(scoreboard.watch("wide", region="eu")) as boards:
            top = await next_board(boards)
        assert (top.region, scores(top)) == ("eu", [("alice", 2**63 - 1)])


async def test_broken_connection_resumes_at_its_position(service: Running) -> None:
    """Only boards that were missed are yielded after the reconnect."""
    await score(service, "alice", 5)
    states: list[State] = []
    async with (
        flaky(service.port) as proxy,
        AsyncScoreboard(proxy.url, app="game") as scoreboard,
        aclosing(scoreboard.watch("main", on_state=states.append)) as boards,
    ):
        first = await next_board(boards)
        waiting = asyncio.ensure_future(next_board(boards))
        proxy.cut()
        await eventually(lambda: [state.name for state in states].count("live") == 2, "the connection is live again")
        assert not waiting.done(), "the newest board is not yielded again"
        await score(service, "alice", 1)
        second = await waiting
    assert scores(second) == [("alice", 6)]
    assert second.epoch == first.epoch
    assert second.changes is not None, "the server received the position"
    assert [state.name for state in states] == ["connecting", "live", "waiting", "connecting", "live"]
    assert states[2].reason
    assert 0 <= states[2].in_s <= 1


@pytest.mark.slow
async def test_watch_survives_a_server_restart(tmp_path: Path) -> None:
    states: list[State] = []
    with process(tmp_path / "data") as server:
        await server.ready()
        async with AsyncScoreboard(server.url, app="game", token=server.mint("server", "game")) as scoreboard:
            await prepare(server.url, server.mint("admin", "*"))
            await scoreboard.update("main", "alice", increment=5)
            async with aclosing(scoreboard.watch("main", on_state=states.append)) as boards:
                (first,) = await until(boards, [("alice", 5)])
                waiting = asyncio.ensure_future(until(boards, [("alice", 6)]))
                server.kill()
                await server.ended()
                with process(tmp_path / "data", port=server.port) as again:
                    await again.ready()
                    await scoreboard.update("main", "alice", increment=1)
                    *_, second = await waiting
    assert second.epoch != first.epoch
    names = [state.name for state in states]
    assert names[:3] == ["connecting", "live", "waiting"]
    assert names[-1] == "live"


async def prepare(url: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(url, headers=headers) as http:
        for path, body in (("/v1/apps", {"app": "game"}), ("/v1/apps/game/boards", {"board": "main"})):
            async with http.post(path, json=body) as response:
                assert response.status == 201


async def test_watch_waits_for_a_server_that_is_not_started(service: Running, caplog: pytest.LogCaptureFixture) -> None:
    addresses = iter(["http://127.0.0.1:1", "http://127.0.0.1:1", service.url])
    async with (
        AsyncScoreboard(lambda: next(addresses, None), app="game") as scoreboard,
        aclosing(scoreboard.watch("main")) as boards,
    ):
        assert scores(await next_board(boards)) == []
    assert "the live board game/main: no response from http://127.0.0.1:1: connection refused" in caplog.text


async def test_permanent_refusal_ends_the_watch(service: Running) -> None:
    await service.board("secret", public=False)
    async with AsyncScoreboard(service.url, app="game") as scoreboard:
        assert isinstance(await final_error(scoreboard.watch("mian")), errors.NotFound)
        assert isinstance(await final_error(scoreboard.watch("main", region="eu")), errors.NotFound)
        assert isinstance(await final_error(scoreboard.watch("main", season="2026-W47")), errors.Invalid)
        assert (await final_error(scoreboard.watch("secret"))).code == "token_missing"
    async with AsyncScoreboard(service.url, app="game", token="x.y.z") as scoreboard:
        assert isinstance(await final_error(scoreboard.watch("main")), errors.Unauthenticated)
    async with (
        AsyncScoreboard(service.url, app="game", token=service.token("player", "game")) as scoreboard,
        aclosing(scoreboard.watch("secret")) as boards,
    ):
        assert scores(await next_board(boards)) == []


async def test_deleted_board_ends_the_watch(service: Running) -> None:
    async with AsyncScoreboard(service.url, app="game") as scoreboard:
        boards = scoreboard.watch("main")
        await next_board(boards)
        (await service.operator.delete("/v1/apps/game/boards/main")).ok(204)
        assert (await final_error(boards)).code == "subscription_ended"


async def test_closed_watch_closes_its_connection(service: Running) -> None:
    async with AsyncScoreboard(service.url, app="game") as scoreboard:
        async for _ in scoreboard.watch("main"):
            assert service.service.live.connections == 1
            break
        await eventually(lambda: service.service.live.connections == 0, "the connection is closed")


@pytest.mark.slow
async def test_interrupt_ends_a_waiting_program(service: Running) -> None:
    code = (
        "import sys\n"
        "from scoreboard.client import Scoreboard\n"
        "with Scoreboard(sys.argv[1], app='game') as scoreboard:\n"
        "    try:\n"
        "        for top in scoreboard.watch('main'): print(top.total, flush=True)\n"
        "    except KeyboardInterrupt: print(scoreboard.top('main').total, flush=True)\n"
    )
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code, service.url, stdout=PIPE, stderr=PIPE
    )
    assert program.stdout is not None
    assert await program.stdout.readline() == b"0\n"
    program.send_signal(signal.SIGINT)
    async with asyncio.timeout(BOUND_S):
        out, err = await program.communicate()
    assert (program.returncode, out, err) == (0, b"0\n", b""), "and the client goes on"
