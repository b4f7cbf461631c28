"""The Python client against the running service: every call, in both kinds."""

import asyncio
import logging
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.service import Running, running
from harness.waiting import BOUND_S
from scoreboard import client as package
from scoreboard.client import AsyncScoreboard, Scoreboard, ScoreboardClientError, Update, errors

WIDE: dict[str, Any] = {"max_value": 2**63 - 1, "max_total": 2**63 - 1, "min_value": -(2**63), "min_total": -(2**63)}


class Waited:
    """A Scoreboard with the shape of an AsyncScoreboard: each call on a thread of this test's."""

    def __init__(self, scoreboard: Scoreboard) -> None:
        self._scoreboard = scoreboard

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._scoreboard, name)
        if name not in {"entries", "watch"}:
            return lambda *args, **kwargs: asyncio.to_thread(method, *args, **kwargs)
        return lambda *args, **kwargs: self._iterated(method(*args, **kwargs))

    async def _iterated(self, items: Any) -> AsyncIterator[Any]:
        try:
            while (item := await asyncio.to_thread(next, items, None)) is not None:
                yield item
        finally:
            await asyncio.to_thread(items.close)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path / "data") as service:
        await service.board()
        yield service


@pytest.fixture(params=["async", "sync"])
async def scoreboard(request: pytest.FixtureRequest, service: Running) -> AsyncIterator[Any]:
    """Of a trusted server of the app."""
    token = service.token("server", "game")
    if request.param == "async":
        async with AsyncScoreboard(service.url, app="game", token=token) as scoreboard:
            yield scoreboard
        return
    waited = Scoreboard(service.url, app="game", token=token)
    yield Waited(waited)
    await asyncio.to_thread(waited.close)


async def test_an_update_is_answered_with_its_rank(scoreboard: Any) -> None:
    first = await scoreboard.update("main", "alice", increment=5, metadata={"level": 3})
    second = await scoreboard.update("main", "bob", increment=7)
    assert (first.status, first.player, first.board, first.score, first.rank) == ("applied", "alice", "main", 5, 1)
    assert (first.previous_score, first.changed, first.replayed) == (None, True, False)
    assert (second.rank, second.rank_state) == (1, "exact")
    event = await scoreboard.event(first.event)
    assert (event.status, event.player, event.score, event.accepted_at) == ("applied", "alice", 5, first.accepted_at)


async def test_a_key_of_ones_own_counts_once(scoreboard: Any) -> None:
    outcomes = [await scoreboard.update("main", "alice", increment=5, key="match-42/alice") for _ in range(3)]
    assert [outcome.replayed for outcome in outcomes] == [False, True, True]
    assert len({outcome.event for outcome in outcomes}) == 1
    with pytest.raises(errors.Refused, match="key_reused"):
        await scoreboard.update("main", "alice", increment=6, key="match-42/alice")
    assert (await scoreboard.standing("main", "alice")).score == 5


async def test_each_way_to_score(scoreboard: Any, service: Running) -> None:
    await service.board("laps", operator="best", direction="ascending", regions=["eu"])
    (await service.operator.post("/v1/apps/game/actions", {"action": "coin", "points": 3})).ok(201)
    assert (await scoreboard.update("main", "alice", action="coin")).score == 3
    assert (await scoreboard.update("laps", "alice", score=61, region="eu")).score == 61
    assert (await scoreboard.update("laps", "bob", score=59)).rank == 1
    assert (await scoreboard.standing("laps", "alice", region="eu")).rank == 1
    for wrong in ({}, {"increment": 1, "score": 1}):
        with pytest.raises(errors.Invalid, match="one_value"):
            await scoreboard.update("main", "alice", **wrong)


async def test_reads(scoreboard: Any) -> None:
    results = await scoreboard.update_many("main", [Update(f"p{n:02}", increment=100 - n) for n in range(30)])
    assert [result.score for result in results] == [100 - n for n in range(30)]
    page = await scoreboard.top("main", limit=2)
    assert [(entry.rank, entry.player) for entry in page.entries] == [(1, "p00"), (2, "p01")]
    assert (page.total, page.season, page.region) == (30, "all", None)
    following = await scoreboard.top("main", limit=2, cursor=page.next_cursor)
    assert [entry.player for entry in following.entries] == ["p02", "p03"]
    everybody = [entry.player async for entry in scoreboard.entries("main", page_size=7)]
    assert everybody == [f"p{n:02}" for n in range(30)]
    standing = await scoreboard.standing("main", "p10")
    assert (standing.rank, standing.total, standing.ties, standing.gap_to_next) == (11, 30, 0, 1)
    around = await scoreboard.around("main", "p10", radius=1)
    assert [entry.player for entry in around.entries] == ["p09", "p10", "p11"]
    friends = await scoreboard.query("main", ["p29", "nobody", "p00"])
    assert [entry.player for entry in friends.entries] == ["p00", "p29"]
    assert friends.not_found == ("nobody",)


async def test_ids_of_any_kind(scoreboard: Any) -> None:
    for player in ("..", "a/b?c#d", "100% ü", "你好", "null"):
        await scoreboard.update("main", player, increment=1)
        standing = await scoreboard.standing("main", player)
        assert (standing.player, standing.score) == (player, 1)


async def test_scores_are_exact_on_wide_boards(scoreboard: Any, service: Running) -> None:
    await service.board("wide", operator="latest", **WIDE)
    for score in (2**53 + 1, 2**63 - 1, -(2**63)):
        outcome = await scoreboard.update("wide", "alice", score=score)
        assert outcome.score == score
        assert (await scoreboard.event(outcome.event)).score == score
        assert (await scoreboard.standing("wide", "alice")).score == score
        assert score in [entry.score for entry in (await scoreboard.top("wide")).entries]
        (batched,) = await scoreboard.update_many("wide", [Update("bob", score=score)])
        assert batched.score == score
    for beyond in (2**63, 10**40):
        with pytest.raises((errors.Refused, errors.Invalid)):
            await scoreboard.update("wide", "alice", score=beyond)


async def test_a_queued_board_accepts(scoreboard: Any, service: Running) -> None:
    await service.board("later", consistency="queued")
    accepted = await scoreboard.update("later", "alice", increment=5)
    assert (accepted.status, accepted.score, accepted.rank) == ("accepted", None, None)
    assert (await scoreboard.event(accepted.event)).score == 5


@pytest.mark.slow
async def test_more_updates_than_a_request_holds(scoreboard: Any) -> None:
    updates = [Update(f"p{n % 40}", increment=n % 7) for n in range(2_345)]
    updates[1_500] = Update("p1", score=1)
    first = await scoreboard.update_many("main", iter(updates), key="import-1")
    assert [isinstance(result, package.BatchRefused) for result in first].index(True) == 1_500
    assert first[1_500].code == "operator_mismatch"
    again = await scoreboard.update_many("main", iter(updates), key="import-1")
    assert all(result.replayed for result in again if isinstance(result, package.BatchApplied))
    expected = sum(update.increment or 0 for update in updates)
    assert sum([entry.score async for entry in scoreboard.entries("main")]) == expected


async def test_refusals_are_errors_of_their_kind(scoreboard: Any) -> None:
    with pytest.raises(errors.NotFound) as raised:
        await scoreboard.top("mian")
    assert (raised.value.status, raised.value.code) == (404, "board_not_found")
    with pytest.raises(errors.NotFound, match="player_not_found"):
        await scoreboard.standing("main", "nobody")
    with pytest.raises(errors.Invalid, match="limit"):
        await scoreboard.top("main", limit=1_001)
    with pytest.raises(errors.Refused, match="value_out_of_bounds"):
        await scoreboard.update("main", "alice", increment=2**60)


async def test_a_player_speaks_for_itself_only(service: Running) -> None:
    (await service.operator.post("/v1/apps/game/actions", {"action": "coin", "points": 3})).ok(201)
    async with AsyncScoreboard(service.url, app="game", token=service.token("player", "game", "alice")) as alice:
        assert (await alice.update("main", "alice", action="coin")).score == 3
        for code, call in (
            ("wrong_player", alice.update("main", "bob", action="coin")),
            ("value_not_allowed", alice.update("main", "alice", increment=1)),
            ("server_only", alice.update_many("main", [Update("alice", action="coin")])),
        ):
            with pytest.raises(errors.Forbidden, match=code):
                await call


async def test_tokens_that_do_not_hold(service: Running) -> None:
    for token, kind, code in (
        (None, errors.Unauthenticated, "token_missing"),
        ("x.y.z", errors.Unauthenticated, "token_invalid"),
        (service.token("server", "other"), errors.Forbidden, "wrong_app"),
    ):
        async with AsyncScoreboard(service.url, app="game", token=token) as scoreboard:
            with pytest.raises(kind, match=code):
                await scoreboard.update("main", "alice", increment=1)
    with pytest.raises(ValueError, match="line break"):
        AsyncScoreboard(service.url, app="game", token="abc\n")


async def test_tokens_that_expire_are_asked_for_again(service: Running) -> None:
    tokens = iter([service.token("server", "game"), "x.y.z"])
    async with AsyncScoreboard(service.url, app="game", token=lambda: next(tokens)) as scoreboard:
        assert (await scoreboard.update("main", "alice", increment=1)).score == 1
        with pytest.raises(errors.Unauthenticated):
            await scoreboard.update("main", "alice", increment=1)


async def test_the_token_is_shown_nowhere(service: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = service.token("server", "other")
    async with AsyncScoreboard(service.url, app="game", token=token) as scoreboard:
        assert repr(scoreboard) == f"AsyncScoreboard('{service.url}', app='game')"
        with pytest.raises(ScoreboardClientError) as raised:
            await scoreboard.update("main", "alice", increment=1)
        with pytest.raises(ScoreboardClientError) as watched:
            async for _ in scoreboard.watch("none"):
                pass
    for error in (raised.value, watched.value):
        told = "".join(traceback.format_exception(error))
        assert token not in f"{told} {error!r} {error.__cause__!r} {error.__context__!r}"
    assert token not in caplog.text
    with Scoreboard(service.url, app="game", token=token) as plain:
        assert repr(plain) == f"Scoreboard('{service.url}', app='game')"


async def test_nobody_there() -> None:
    async with AsyncScoreboard("http://127.0.0.1:1", app="game", retry_for_s=0) as scoreboard:
        with pytest.raises(errors.TransportError, match=r"127\.0\.0\.1:1: connection refused") as raised:
            await scoreboard.top("main")
    assert raised.value.status is None


async def test_a_closed_client_says_so(service: Running) -> None:
    scoreboard = AsyncScoreboard(service.url, app="game")
    await scoreboard.top("main")
    await scoreboard.close()
    with pytest.raises(RuntimeError, match="closed"):
        await scoreboard.top("main")
    plain = Scoreboard(service.url, app="game")
    assert (await asyncio.to_thread(plain.top, "main")).total == 0
    plain.close()
    with pytest.raises(RuntimeError, match="closed"):
        plain.top("main")


async def test_threads_may_share_it(service: Running) -> None:
    loop = asyncio.get_running_loop()
    with (
        Scoreboard(service.url, app="game", token=service.token("server", "game")) as shared,
        ThreadPoolExecutor(20) as threads,  # none of those in which the service works
    ):
        update = partial(shared.update, "main", "alice", increment=1)
        await asyncio.gather(*(loop.run_in_executor(threads, update) for _ in range(20)))
        assert (await asyncio.to_thread(shared.standing, "main", "alice")).score == 20


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


def test_it_needs_nothing_of_the_server() -> None:
    code = (
        "import sys, scoreboard.client\n"
        "print(sorted({'.'.join(name.split('.')[:2]) for name in sys.modules if name.startswith('scoreboard.')}))"
    )
    assert run_python(code).stdout.strip() == "['scoreboard.client']"


async def test_a_program_that_does_not_close_it_ends_in_silence(service: Running) -> None:
    code = (
        "import sys\n"
        "from scoreboard.client import Scoreboard\n"
        "scoreboard = Scoreboard(sys.argv[1], app='game')\n"
        "print(scoreboard.top('main').total)\n"
        "live = scoreboard.watch('main')\n"
        "print(next(live).total)\n"
    )
    done = await asyncio.to_thread(run_python, code, service.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n0\n", "")


@pytest.mark.slow
async def test_a_forked_process_is_told_to_make_its_own(service: Running) -> None:
    code = (
        "import os, sys\n"
        "from scoreboard.client import Scoreboard\n"
        "scoreboard = Scoreboard(sys.argv[1], app='game')\n"
        "if len(sys.argv) > 2: scoreboard.top('main')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try: print(scoreboard.top('main').total, flush=True)\n"
        "    except RuntimeError as error: print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
    )
    before = await asyncio.to_thread(run_python, code, service.url)
    assert before.stdout == "0\n", "a fork before the first call does no harm"
    after = await asyncio.to_thread(run_python, code, service.url, "used")
    assert "make one in each process" in after.stdout
