"""Live boards of the Python client: what is yielded, what is told, and how a lost connection comes back."""

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
    """The boards up to the one that shows this."""
    seen = [await following(boards)]
    while scores(seen[-1]) != wanted:
        seen.append(await following(boards))
    return seen


async def following(boards: AsyncGenerator[LiveTop, None]) -> LiveTop:
    async with asyncio.timeout(BOUND_S):
        return await anext(boards)


async def ended(boards: AsyncGenerator[LiveTop, None]) -> ScoreboardClientError:
    """The error with which it ends."""
    with contextlib.suppress(StopAsyncIteration):
        while True:
            try:
                await following(boards)
            except ScoreboardClientError as error:
                return error
    raise AssertionError("it ended as if there were an end")


async def test_the_board_as_it_is_and_then_each_newer_one(service: Running) -> None:
    await score(service, "alice", 5)
    async with (
        AsyncScoreboard(service.url, app="game") as scoreboard,
        aclosing(scoreboard.watch("main")) as boards,
    ):
        first = await following(boards)
        assert (scores(first), first.total, first.season, first.changes) == ([("alice", 5)], 1, "all", None)
        await score(service, "bob", 7)
        *_, second = await until(boards, [("bob", 7), ("alice", 5)])
        assert second.epoch == first.epoch
        assert second.offset > first.offset
        assert {(move.player, move.previous_rank, move.rank) for move in second.changes or ()} == {
            ("bob", None, 1),
            ("alice", 1, 2),
        }


async def test_it_is_watched_by_plain_programs_too(service: Running) -> None:
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
    await eventually(lambda: service.service.live.connections == 0, "who stops watching is gone")


async def test_regions_and_wide_scores(service: Running) -> None:
    wide = {"max_value": 2**63 - 1, "max_total": 2**63 - 1}
    await service.board("wide", regions=["eu", "us"], **wide)  # type: ignore[arg-type]
    await score(service, "alice", 2**63 - 1, board="wide", region="eu")
    await score(service, "bob", 1, board="wide", region="us")
    async with AsyncScoreboard(service.url, app="game") as scoreboard:
        async with aclosing(scoreboard.watch("wide", region="eu")) as boards:
            top = await following(boards)
        assert (top.region, scores(top)) == ("eu", [("alice", 2**63 - 1)])


async def test_a_broken_connection_goes_on_where_it_was(service: Running) -> None:
    """Nothing is yielded again; what was missed is."""
    await score(service, "alice", 5)
    states: list[State] = []
    async with (
        flaky(service.port) as proxy,
        AsyncScoreboard(proxy.url, app="game") as scoreboard,
        aclosing(scoreboard.watch("main", on_state=states.append)) as boards,
    ):
        first = await following(boards)
        waiting = asyncio.ensure_future(following(boards))
        proxy.cut()
        await eventually(lambda: [state.name for state in states].count("live") == 2, "it is live again")
        assert not waiting.done(), "it had the newest board already"
        await score(service, "alice", 1)
        second = await waiting
    assert scores(second) == [("alice", 6)]
    assert second.epoch == first.epoch
    assert second.changes is not None, "the server knows what we had"
    assert [state.name for state in states] == ["connecting", "live", "waiting", "connecting", "live"]
    assert states[2].reason
    assert 0 <= states[2].in_s <= 1


@pytest.mark.slow
async def test_it_survives_a_restart_of_the_server(tmp_path: Path) -> None:
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
            async with http.post(path, json=body) as answer:
                assert answer.status == 201


async def test_a_server_that_is_not_there_yet_is_waited_for(service: Running, caplog: pytest.LogCaptureFixture) -> None:
    addresses = iter(["http://127.0.0.1:1", "http://127.0.0.1:1", service.url])
    async with (
        AsyncScoreboard(lambda: next(addresses, None), app="game") as scoreboard,
        aclosing(scoreboard.watch("main")) as boards,
    ):
        assert scores(await following(boards)) == []
    assert "the live board game/main: no response from http://127.0.0.1:1: connection refused" in caplog.text


async def test_what_the_server_refuses_for_good_ends_it(service: Running) -> None:
    await service.board("secret", public=False)
    async with AsyncScoreboard(service.url, app="game") as scoreboard:
        assert isinstance(await ended(scoreboard.watch("mian")), errors.NotFound)
        assert isinstance(await ended(scoreboard.watch("main", region="eu")), errors.NotFound)
        assert isinstance(await ended(scoreboard.watch("main", season="2026-W47")), errors.Invalid)
        assert (await ended(scoreboard.watch("secret"))).code == "token_missing"
    async with AsyncScoreboard(service.url, app="game", token="x.y.z") as scoreboard:
        assert isinstance(await ended(scoreboard.watch("main")), errors.Unauthenticated)
    async with (
        AsyncScoreboard(service.url, app="game", token=service.token("player", "game")) as scoreboard,
        aclosing(scoreboard.watch("secret")) as boards,
    ):
        assert scores(await following(boards)) == []


async def test_a_board_that_is_deleted_ends_it(service: Running) -> None:
    async with AsyncScoreboard(service.url, app="game") as scoreboard:
        boards = scoreboard.watch("main")
        await following(boards)
        (await service.operator.delete("/v1/apps/game/boards/main")).ok(204)
        assert (await ended(boards)).code == "subscription_ended"


async def test_who_stops_watching_is_gone(service: Running) -> None:
    async with AsyncScoreboard(service.url, app="game") as scoreboard:
        async for _ in scoreboard.watch("main"):
            assert service.service.live.connections == 1
            break
        await eventually(lambda: service.service.live.connections == 0, "the connection is closed")


@pytest.mark.slow
async def test_an_interrupt_ends_a_plain_program_that_waits(service: Running) -> None:
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
