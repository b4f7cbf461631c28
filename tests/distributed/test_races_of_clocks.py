"""Processes with clocks that are five seconds apart.

Both clocks stand still unless a test moves them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.client import Client
from harness.service import Running, running
from harness.waiting import eventually
from tests.distributed.calls import differences, propagated, score, top, update
from tests.distributed.held import FRONTENDS, entries, held
from tests.distributed.servers import Servers
from tests.live.watching import page, scores_of
from tests.making import HOUR, NOON, SECOND, ManualClock

pytestmark = pytest.mark.slow

SKEW = 5 * SECOND
MIDNIGHT = NOON + 12 * HOUR


@dataclass
class Apart:
    """Two processes. The clock of `ahead` is five seconds ahead of that of `behind`."""

    behind: Running
    ahead: Running
    _clocks: tuple[ManualClock, ManualClock]

    def at(self, instant: int) -> None:
        """Set the clocks. `instant` is that of the clock behind."""
        behind, ahead = self._clocks
        behind.now, ahead.now = instant, instant + SKEW


@pytest.fixture
async def apart(servers: Servers, tmp_path: Path) -> AsyncIterator[Apart]:
    clocks = ManualClock(NOON), ManualClock(NOON + SKEW)
    async with (
        running_by(clocks[0], tmp_path / "behind", servers) as behind,
        running_by(clocks[1], tmp_path / "ahead", servers) as ahead,
    ):
        yield Apart(behind, ahead, clocks)


@asynccontextmanager
async def running_by(clock: ManualClock, folder: Path, servers: Servers) -> AsyncIterator[Running]:
    """Run a service with this clock."""
    async with running(folder, parts=FRONTENDS, clock=clock, **servers.settings()) as one:
        one.service.issuer.clock = lambda: clock() / SECOND
        for authenticator in one.service.authenticators:
            authenticator.clock = one.service.issuer.clock
        yield one


async def board_of(apart: Apart, **rules: Any) -> str:
    board = await apart.behind.board(**rules)
    await propagated(board, apart.behind, apart.ahead)
    return board


async def test_skew_changes_the_order_of_ties_only(apart: Apart) -> None:
    board = await board_of(apart)
    for one, player, increment in (
        (apart.ahead, "ann", 5),
        (apart.behind, "ann", 5),
        (apart.ahead, "cid", 9),
        (apart.behind, "bob", 10),  # as many as ann, and later in real time
    ):
        (await update(one, board, player, increment)).ok()
    for one in (apart.behind, apart.ahead):
        assert await top(one, board) == [(1, "bob", 10), (2, "ann", 10), (3, "cid", 9)]
    (await update(apart.behind, board, "cid", 2)).ok()
    assert await top(apart.ahead, board) == [(1, "cid", 11), (2, "bob", 10), (3, "ann", 10)]
    assert await differences(apart.behind) == []


async def test_the_latest_score_has_the_greatest_instant_in_any_order_of_commits(apart: Apart) -> None:
    """Neither the order of commits nor that of arrival decides."""
    board = await board_of(apart, operator="latest")
    assert await score(apart.ahead, board, "ann", 1) == 1
    assert await score(apart.behind, board, "ann", 2) == 1
    apart.at(NOON + SKEW + 1)
    assert await score(apart.behind, board, "ann", 3) == 3
    async with held(apart.ahead.service.ledger, "transact") as begun:
        greatest = asyncio.create_task(score(apart.ahead, board, "ann", 4))
        await begun.reached()
        assert await score(apart.behind, board, "ann", 5) == 5
        begun.release()
        assert await greatest == 4
    assert await top(apart.behind, board) == [(1, "ann", 4)]
    assert await differences(apart.behind) == []


async def test_a_process_that_starts_behind_continues_after_the_latest_instant(
    apart: Apart, servers: Servers, tmp_path: Path
) -> None:
    board = await board_of(apart, operator="latest")
    assert await score(apart.ahead, board, "ann", 1) == 1
    async with running_by(ManualClock(NOON), tmp_path / "started", servers) as started:
        assert await score(started, board, "ann", 2) == 2


async def test_bounds_hold_in_both_processes(apart: Apart) -> None:
    board = await board_of(apart, max_total=10)
    (await update(apart.ahead, board, "ann", 6)).ok()
    (await update(apart.behind, board, "ann", 5)).refused(409, "total_out_of_bounds")
    (await update(apart.behind, board, "ann", 4)).ok()
    (await update(apart.ahead, board, "ann", 1)).refused(409, "total_out_of_bounds")
    assert await top(apart.behind, board) == [(1, "ann", 10)]


async def use(one: Running, board: str, action: str) -> Any:
    return await one.client("player", "game", "ann").post(f"{board}/scores", {"action": action})


async def test_a_cooldown_is_longer_or_shorter_by_the_skew(apart: Apart, servers: Servers) -> None:
    board = await board_of(apart)
    await create_action(apart, board, action="gift", points=1, cooldown_s=60)
    (await use(apart.ahead, board, "gift")).ok()
    for at in (NOON, NOON + 60 * SECOND):
        apart.at(at)
        refused = (await use(apart.behind, board, "gift")).refused(409, "action_cooldown")
    assert int(refused.headers["Retry-After"]) == 5
    apart.at(NOON + 65 * SECOND)
    (await use(apart.behind, board, "gift")).ok()
    apart.at(NOON + 119 * SECOND)
    (await use(apart.ahead, board, "gift")).refused(409, "action_cooldown")
    apart.at(NOON + 120 * SECOND)
    (await use(apart.ahead, board, "gift")).ok()
    assert await entries(servers) == 3


async def create_action(apart: Apart, board: str, **action: Any) -> None:
    """Create an action, and wait until both processes have it."""
    (await apart.behind.operator.post("/v1/apps/game/actions", action)).ok(201)

    async def in_both() -> bool:
        listed = [(await one.operator.get("/v1/apps/game/actions")).ok() for one in (apart.behind, apart.ahead)]
        return all(action["action"] in str(some) for some in listed)

    await eventually(in_both, "both processes have the action")


async def test_a_daily_limit_counts_by_the_clock_of_the_process(apart: Apart, servers: Servers) -> None:
    board = await board_of(apart)
    await create_action(apart, board, action="gift", points=1, per_day=1)
    apart.at(MIDNIGHT - 2 * SECOND)
    for one in (apart.ahead, apart.behind):  # It is today for one of them and tomorrow for the other.
        (await use(one, board, "gift")).ok()
        (await use(one, board, "gift")).refused(409, "action_limit")
    apart.at(MIDNIGHT + 2 * SECOND)
    for one in (apart.ahead, apart.behind):
        (await use(one, board, "gift")).refused(409, "action_limit")
    assert await entries(servers) == 2


async def test_a_token_expires_by_the_clock_of_the_process_that_checks_it(apart: Apart) -> None:
    board = await board_of(apart, public=False)

    async def admitted(one: Running, token: str) -> int:
        answer = await Client(one.http, one.url, token).get(f"{board}/top")
        if answer.status != 200:
            answer.refused(401, "token_expired")
        return answer.status

    for minting in (apart.behind, apart.ahead):
        apart.at(NOON)
        token = minting.token("player", "game", ttl_s=10)
        ends = NOON + 10 * SECOND + (SKEW if minting is apart.ahead else 0)
        for at in (NOON, ends - SKEW - 1, ends - SKEW, ends - 1, ends):
            apart.at(at)
            assert (await admitted(apart.behind, token) == 200) == (at < ends)
            assert (await admitted(apart.ahead, token) == 200) == (at + SKEW < ends)


async def test_an_update_belongs_to_the_season_in_which_it_was_accepted(apart: Apart) -> None:
    board = await board_of(apart, period="daily")
    old, new = "?season=2026-11-21", "?season=2026-11-22"
    apart.at(MIDNIGHT - 2 * SECOND)
    async with page(apart.behind) as live:
        await live.watch()
        (await update(apart.behind, board, "ann", 1)).ok()
        (await update(apart.ahead, board, "ann", 10)).ok()
        async with held(apart.behind.service.ledger, "transact") as begun:
            late = asyncio.create_task(update(apart.behind, board, "bob", 2))
            await begun.reached()  # in the old season, before midnight
            apart.at(MIDNIGHT + 2 * SECOND)
            begun.release()
            (await late).ok()
        for one in (apart.behind, apart.ahead):
            assert await top(one, board, old) == [(1, "bob", 2), (2, "ann", 1)]
            assert await top(one, board, new) == await top(one, board) == [(1, "ann", 10)]
        shown = await live.next("top")
        while shown["season"] != "2026-11-22":
            shown = await live.next("top")
        assert scores_of(shown) == [("ann", 10)]
    assert await differences(apart.behind) == []


async def test_open_pages_see_each_change_at_a_later_position(apart: Apart) -> None:
    board = await board_of(apart)
    async with page(apart.behind) as behind, page(apart.ahead) as ahead:
        for live in (behind, ahead):
            await live.watch()
        for n in range(1, 6):
            for turn, one in enumerate((apart.ahead, apart.behind)):
                (await update(one, board, "ann", 1)).ok()
                for live in (behind, ahead):
                    await live.until([("ann", 2 * n - 1 + turn)])
