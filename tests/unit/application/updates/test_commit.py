import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.ledger import BatchState, Decide, Decision, Ledger
from scoreboard.application.ports.ranking import RankChange, Ranking
from scoreboard.application.updates.batching import BatchLimits
from scoreboard.application.updates.commit import CommitRetries, GroupCommit, RankedOutcome
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, Submission, TableKey
from tests.making import NOON, ManualClock, board, submission, table

MAIN = board()


class PausedLedger:
    """A ledger in memory that waits for `resumed` and rejects the player `poison`."""

    def __init__(self) -> None:
        self.resumed = asyncio.Event()
        self.state = BatchState()
        self.attempts: list[list[Submission]] = []
        self.faults: list[Exception] = []  # raised by the next transactions
        self.latest = 0

    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        self.attempts.append(list(batch))
        await self.resumed.wait()
        if self.faults:
            raise self.faults.pop(0)
        if any(submission.player == "poison" for submission in batch):
            raise ValueError("this cannot be stored")
        return decide(batch, self.state)

    async def latest_instant(self) -> int:
        return self.latest

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.attempts]

    @property
    def total(self) -> int:
        return sum(standing.score for standing in self.state.standings.get(table(MAIN), {}).values())


class NoRanking:
    """A ranking and publisher that does nothing."""

    async def apply(
        self, key: TableKey, _: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        return {}

    def changed(self, *_: object) -> None:
        return None


def group_commit(
    ledger: PausedLedger, clock: Callable[[], int], limits: BatchLimits, ranking: NoRanking
) -> GroupCommit:
    return GroupCommit(
        cast("Ledger", ledger),
        cast("Ranking", ranking),
        cast("Publisher", ranking),
        clock,
        limits,
        asyncio.Event(),
        CommitRetries(pauses_s=(0.0, 0.0), within_s=BOUND_S),
    )


@asynccontextmanager
async def running_commit(
    ledger: PausedLedger, clock: Callable[[], int], limits: BatchLimits, ranking: NoRanking | None = None
) -> AsyncIterator[GroupCommit]:
    commit = group_commit(ledger, clock, limits, ranking or NoRanking())
    await commit.start()
    run = asyncio.create_task(commit.run())
    try:
        yield commit
    finally:
        ledger.resumed.set()
        commit.close()
        await asyncio.gather(run, return_exceptions=True)


@pytest.fixture
async def ledger() -> PausedLedger:
    return PausedLedger()


@pytest.fixture
async def commit(ledger: PausedLedger, clock: ManualClock) -> AsyncIterator[GroupCommit]:
    async with running_commit(ledger, clock, BatchLimits(pending=20, batch=4)) as running:
        yield running


def unavailable() -> Unavailable:
    return codes.STORAGE_FAILED.error("not now")


async def run_tasks_until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until the condition holds, without a real wait."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never became true")


def submit_players(commit: GroupCommit, *players: str) -> "asyncio.Task[list[RankedOutcome]]":
    """Start one request, with a submission for each of these players."""
    return asyncio.create_task(commit.submit([submission(MAIN, player) for player in players], ranks=False))


async def start_paused_transaction(commit: GroupCommit, ledger: PausedLedger) -> "asyncio.Task[list[RankedOutcome]]":
    first = submit_players(commit, "first")
    await run_tasks_until(lambda: ledger.sizes == [1])
    return first


class TestGroupCommit:
    async def test_requests_during_a_commit_share_the_next_one(self, commit: GroupCommit, ledger: PausedLedger) -> None:
        first = await start_paused_transaction(commit, ledger)
        others = [submit_players(commit, player) for player in ("ann", "bob", "cat")]
        await run_tasks_until(lambda: commit.pending == 4)
        ledger.resumed.set()
        answers = await asyncio.gather(first, *others)
        assert [result.outcome.player for (result,) in answers] == ["first", "ann", "bob", "cat"]
        assert ledger.sizes == [1, 3]
        await run_tasks_until(lambda: commit.pending == 0)

    async def test_requests_within_an_interval_share_a_transaction(
        self, ledger: PausedLedger, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now)  # only the test advances the clock
        ledger.resumed.set()
        async with running_commit(ledger, clock, BatchLimits(batch=4, interval_s=0.5)) as commit:
            await submit_players(commit, "first")  # at once
            second = submit_players(commit, "second")
            await run_tasks_until(lambda: commit.pending == 1)
            for _ in range(20):
                await asyncio.sleep(0)
            assert ledger.sizes == [1]
            third = submit_players(commit, "third")
            now += 0.5
            await asyncio.gather(second, third)
            assert ledger.sizes == [1, 2]
            full = [submit_players(commit, player) for player in "abcd"]
            await run_tasks_until(lambda: ledger.sizes == [1, 2, 4])  # a full batch does not wait
            await asyncio.gather(*full)

    async def test_a_batch_is_bounded_and_does_not_split_requests(
        self, commit: GroupCommit, ledger: PausedLedger
    ) -> None:
        await start_paused_transaction(commit, ledger)
        requests = [submit_players(commit, *players) for players in ("abc", "de", "fghijk", "l")]
        await run_tasks_until(lambda: commit.pending == 13)
        ledger.resumed.set()
        answers = await asyncio.gather(*requests)
        assert ["".join(result.outcome.player for result in answer) for answer in answers] == [
            "abc",
            "de",
            "fghijk",
            "l",
        ]
        assert ledger.sizes == [1, 3, 2, 6, 1]

    async def test_a_cancelled_caller_does_not_withdraw_its_submissions(
        self, commit: GroupCommit, ledger: PausedLedger
    ) -> None:
        first = await start_paused_transaction(commit, ledger)
        waiting, neighbour = submit_players(commit, "ann"), submit_players(commit, "bob")
        await run_tasks_until(lambda: commit.pending == 3)
        for caller in (first, waiting):
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        ledger.resumed.set()
        (result,) = await neighbour
        assert result.outcome.status == "applied"
        assert ledger.sizes == [1, 2]
        assert ledger.total == 3

    async def test_submissions_accepted_before_close_get_their_outcomes(
        self, commit: GroupCommit, ledger: PausedLedger
    ) -> None:
        first = await start_paused_transaction(commit, ledger)
        second = submit_players(commit, "ann")
        await run_tasks_until(lambda: commit.pending == 2)
        commit.close()
        with pytest.raises(Unavailable) as refusal:
            await commit.submit([submission(MAIN)], ranks=False)
        assert refusal.value.code == "shutting_down"
        ledger.resumed.set()
        await asyncio.gather(first, second)
        assert ledger.total == 2

    async def test_submissions_beyond_the_bound_are_refused(self, commit: GroupCommit, ledger: PausedLedger) -> None:
        first = await start_paused_transaction(commit, ledger)
        rest = submit_players(commit, *("ann" for _ in range(19)))
        await run_tasks_until(lambda: commit.pending == 20)
        with pytest.raises(Unavailable) as refusal:
            await commit.submit([submission(MAIN)], ranks=False)
        assert refusal.value.code == "overloaded"
        assert refusal.value.retry_after_s
        ledger.resumed.set()
        await asyncio.gather(first, rest)
        await run_tasks_until(lambda: commit.pending == 0)
        assert len(await commit.submit([submission(MAIN)], ranks=False)) == 1


class TestRejectedBatches:
    @pytest.mark.parametrize("at", range(4))
    async def test_only_the_rejected_request_is_refused(
        self, commit: GroupCommit, ledger: PausedLedger, at: int
    ) -> None:
        players = ["ann", "bob", "cat", "dan"]
        players[at] = "poison"
        await start_paused_transaction(commit, ledger)
        requests = [submit_players(commit, player) for player in players]
        await run_tasks_until(lambda: commit.pending == 5)
        ledger.resumed.set()
        statuses = [result.outcome.code or result.outcome.status for (result,) in await asyncio.gather(*requests)]
        assert statuses == ["not_storable" if player == "poison" else "applied" for player in players]
        assert ledger.total == 4

    async def test_a_request_is_bisected_and_keeps_its_order(self, commit: GroupCommit, ledger: PausedLedger) -> None:
        ledger.resumed.set()
        results = await submit_players(commit, "ann", "poison", "bob", "poison", "cat")
        assert [result.outcome.player for result in results] == ["ann", "poison", "bob", "poison", "cat"]
        assert [result.outcome.status == "applied" for result in results] == [True, False, True, False, True]
        assert ledger.total == 3

    async def test_the_worker_survives_a_rejected_batch(self, commit: GroupCommit, ledger: PausedLedger) -> None:
        ledger.resumed.set()
        await submit_players(commit, "poison")
        (result,) = await submit_players(commit, "ann")
        assert result.outcome.status == "applied"
        await run_tasks_until(lambda: commit.pending == 0)


class TestUnknownOutcomes:
    async def test_a_transaction_of_unknown_outcome_is_retried_under_the_same_ids(
        self, commit: GroupCommit, ledger: PausedLedger
    ) -> None:
        ledger.faults = [unavailable(), unavailable()]
        ledger.resumed.set()
        (result,) = await submit_players(commit, "ann")
        assert result.outcome.status == "applied"
        assert len(ledger.attempts) == 3
        assert {submission.event for batch in ledger.attempts for submission in batch} == {result.outcome.event}

    async def test_each_caller_gets_unavailable_when_the_outcome_stays_unknown(
        self, commit: GroupCommit, ledger: PausedLedger
    ) -> None:
        await start_paused_transaction(commit, ledger)
        ledger.faults = [ValueError("first"), *(unavailable() for _ in range(3))]
        requests = [submit_players(commit, "ann"), submit_players(commit, "bob", "cat")]
        await run_tasks_until(lambda: commit.pending == 4)
        ledger.resumed.set()
        for answer in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(answer, Unavailable)
        assert ledger.total == 0

    async def test_a_request_fails_when_the_outcome_of_a_part_is_unknown(
        self, commit: GroupCommit, ledger: PausedLedger
    ) -> None:
        ledger.faults = [ValueError("whole batch"), ValueError("first half"), *(unavailable() for _ in range(3))]
        ledger.resumed.set()
        with pytest.raises(Unavailable):
            await submit_players(commit, "ann", "bob")
        (result,) = await submit_players(commit, "cat")
        assert result.outcome.status == "applied"


class TestProjection:
    async def test_only_one_batch_is_committed_while_another_is_ranked(
        self, ledger: PausedLedger, clock: ManualClock
    ) -> None:
        ledger.resumed.set()
        may_rank, log = asyncio.Event(), list[str]()

        class Slow(NoRanking):
            async def apply(
                self, key: TableKey, _: Board, standings: Mapping[str, Standing], *, place: bool
            ) -> Mapping[str, RankChange]:
                (player,) = standings
                log.append(f"{player} starts")
                await may_rank.wait()
                log.append(f"{player} ends")
                return {}

        async with running_commit(ledger, clock, BatchLimits(batch=1), Slow()) as commit:
            requests = [submit_players(commit, player) for player in ("ann", "bob", "cat")]
            await run_tasks_until(lambda: ledger.sizes == [1, 1])
            for _ in range(20):
                await asyncio.sleep(0)
            assert ledger.sizes == [1, 1]
            assert log == ["ann starts"]
            may_rank.set()
            await asyncio.gather(*requests)
            assert log == [f"{player} {what}" for player in ("ann", "bob", "cat") for what in ("starts", "ends")]

    async def test_close_waits_for_the_last_batch_to_be_ranked(self, ledger: PausedLedger, clock: ManualClock) -> None:
        ledger.resumed.set()
        may_rank = asyncio.Event()

        class Slow(NoRanking):
            async def apply(
                self, key: TableKey, _: Board, standings: Mapping[str, Standing], *, place: bool
            ) -> Mapping[str, RankChange]:
                await may_rank.wait()
                return {}

        commit = group_commit(ledger, clock, BatchLimits(), Slow())
        running = asyncio.create_task(commit.run())
        request = submit_players(commit, "ann")
        await run_tasks_until(lambda: ledger.sizes == [1])
        commit.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not running.done()
        may_rank.set()
        await running
        (result,) = await request
        assert result.outcome.player == "ann"

    async def test_a_failure_after_a_commit_leaves_no_caller_waiting(
        self, ledger: PausedLedger, clock: ManualClock
    ) -> None:
        class Failing(NoRanking):
            def changed(self, *_: object) -> None:
                if ledger.sizes == [1]:
                    raise RuntimeError("after the commit")

        ledger.resumed.set()
        async with running_commit(ledger, clock, BatchLimits(), Failing()) as commit:
            ann = submit_players(commit, "ann")
            await run_tasks_until(lambda: ledger.total == 1)
            bob = submit_players(commit, "bob")
            await run_tasks_until(lambda: ann.done() and bob.done())
            (result,) = await bob
            assert result.outcome.status == "applied"
            with contextlib.suppress(Unavailable):  # either result is correct
                (result,) = await ann
                assert result.outcome.status == "applied"


class TestStamps:
    async def test_stamps_strictly_increase_when_the_clock_is_set_back(
        self, commit: GroupCommit, clock: ManualClock
    ) -> None:
        stamps = []
        for now in (NOON, NOON, NOON - 5, 0, NOON + 1, NOON + 100):
            clock.now = now
            stamps.append(commit.stamp())
        assert stamps == [NOON, NOON + 1, NOON + 2, NOON + 3, NOON + 4, NOON + 100]

    async def test_stamps_continue_after_the_latest_instant_in_the_ledger(
        self, ledger: PausedLedger, clock: ManualClock
    ) -> None:
        ledger.latest = NOON + 7
        ledger.resumed.set()
        async with running_commit(ledger, clock, BatchLimits()) as commit:
            await submit_players(commit, "ann")
            assert commit.stamp() == NOON + 8
