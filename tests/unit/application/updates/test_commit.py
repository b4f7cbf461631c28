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


class HeldLedger:
    """Counts in memory, no sooner than `going`; refuses a batch that has the player `poison`."""

    def __init__(self) -> None:
        self.going = asyncio.Event()
        self.known = BatchState()
        self.tried: list[list[Submission]] = []
        self.faults: list[Exception] = []  # the next transactions end in these
        self.latest = 0

    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        self.tried.append(list(batch))
        await self.going.wait()
        if self.faults:
            raise self.faults.pop(0)
        if any(one.player == "poison" for one in batch):
            raise ValueError("this cannot be stored")
        return decide(batch, self.known)

    async def latest_instant(self) -> int:
        return self.latest

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.tried]

    @property
    def total(self) -> int:
        return sum(one.score for one in self.known.standings.get(table(MAIN), {}).values())


class NoRanking:
    """Ranks nothing, at once."""

    async def apply(
        self, key: TableKey, _: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        return {}

    def changed(self, *_: object) -> None:
        """Nobody watches."""


def group_commit(ledger: HeldLedger, clock: Callable[[], int], limits: BatchLimits, ranking: NoRanking) -> GroupCommit:
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
async def accepting(
    ledger: HeldLedger, clock: Callable[[], int], limits: BatchLimits, ranking: NoRanking | None = None
) -> AsyncIterator[GroupCommit]:
    accept = group_commit(ledger, clock, limits, ranking or NoRanking())
    await accept.start()
    run = asyncio.create_task(accept.run())
    try:
        yield accept
    finally:
        ledger.going.set()
        accept.close()
        await asyncio.gather(run, return_exceptions=True)


@pytest.fixture
async def ledger() -> HeldLedger:
    return HeldLedger()


@pytest.fixture
async def accept(ledger: HeldLedger, clock: ManualClock) -> AsyncIterator[GroupCommit]:
    async with accepting(ledger, clock, BatchLimits(pending=20, batch=4)) as running:
        yield running


def unavailable() -> Unavailable:
    return codes.STORAGE_FAILED.error("not now")


async def turns(condition: Callable[[], bool]) -> None:
    """Give other tasks turns until the condition holds; a turn is no time."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("this never came true")


def submitted(accept: GroupCommit, *players: str) -> "asyncio.Task[list[RankedOutcome]]":
    """One request, with a submission for each of these players."""
    return asyncio.create_task(accept.submit([submission(MAIN, player) for player in players], ranks=False))


async def one_in_a_held_transaction(accept: GroupCommit, ledger: HeldLedger) -> "asyncio.Task[list[RankedOutcome]]":
    first = submitted(accept, "first")
    await turns(lambda: ledger.sizes == [1])
    return first


class TestGroupCommit:
    async def test_what_arrives_during_a_commit_shares_the_next(self, accept: GroupCommit, ledger: HeldLedger) -> None:
        first = await one_in_a_held_transaction(accept, ledger)
        others = [submitted(accept, player) for player in ("ann", "bob", "cat")]
        await turns(lambda: accept.pending == 4)
        ledger.going.set()
        answers = await asyncio.gather(first, *others)
        assert [result.outcome.player for (result,) in answers] == ["first", "ann", "bob", "cat"]
        assert ledger.sizes == [1, 3]
        await turns(lambda: accept.pending == 0)

    async def test_with_an_interval_what_comes_within_it_shares_a_transaction(
        self, ledger: HeldLedger, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now)  # it stands still but for the test
        ledger.going.set()
        async with accepting(ledger, clock, BatchLimits(batch=4, interval_s=0.5)) as accept:
            await submitted(accept, "first")  # at once
            second = submitted(accept, "second")
            await turns(lambda: accept.pending == 1)
            for _ in range(20):
                await asyncio.sleep(0)
            assert ledger.sizes == [1]
            third = submitted(accept, "third")
            now += 0.5
            await asyncio.gather(second, third)
            assert ledger.sizes == [1, 2]
            full = [submitted(accept, player) for player in "abcd"]
            await turns(lambda: ledger.sizes == [1, 2, 4])  # a full one does not wait
            await asyncio.gather(*full)

    async def test_a_batch_is_bounded_and_keeps_requests_whole(self, accept: GroupCommit, ledger: HeldLedger) -> None:
        await one_in_a_held_transaction(accept, ledger)
        requests = [submitted(accept, *players) for players in ("abc", "de", "fghijk", "l")]
        await turns(lambda: accept.pending == 13)
        ledger.going.set()
        answers = await asyncio.gather(*requests)
        assert ["".join(result.outcome.player for result in answer) for answer in answers] == [
            "abc",
            "de",
            "fghijk",
            "l",
        ]
        assert ledger.sizes == [1, 3, 2, 6, 1]

    async def test_a_caller_that_hangs_up_takes_nothing_back(self, accept: GroupCommit, ledger: HeldLedger) -> None:
        first = await one_in_a_held_transaction(accept, ledger)
        waiting, neighbour = submitted(accept, "ann"), submitted(accept, "bob")
        await turns(lambda: accept.pending == 3)
        for caller in (first, waiting):
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        ledger.going.set()
        (result,) = await neighbour
        assert result.outcome.status == "applied"
        assert ledger.sizes == [1, 2]
        assert ledger.total == 3

    async def test_what_was_accepted_before_closing_gets_its_outcome(
        self, accept: GroupCommit, ledger: HeldLedger
    ) -> None:
        first = await one_in_a_held_transaction(accept, ledger)
        second = submitted(accept, "ann")
        await turns(lambda: accept.pending == 2)
        accept.close()
        with pytest.raises(Unavailable) as refusal:
            await accept.submit([submission(MAIN)], ranks=False)
        assert refusal.value.code == "shutting_down"
        ledger.going.set()
        await asyncio.gather(first, second)
        assert ledger.total == 2

    async def test_beyond_its_bound_the_queue_refuses(self, accept: GroupCommit, ledger: HeldLedger) -> None:
        first = await one_in_a_held_transaction(accept, ledger)
        rest = submitted(accept, *("ann" for _ in range(19)))
        await turns(lambda: accept.pending == 20)
        with pytest.raises(Unavailable) as refusal:
            await accept.submit([submission(MAIN)], ranks=False)
        assert refusal.value.code == "overloaded"
        assert refusal.value.retry_after_s
        ledger.going.set()
        await asyncio.gather(first, rest)
        await turns(lambda: accept.pending == 0)
        assert len(await accept.submit([submission(MAIN)], ranks=False)) == 1


class TestPoison:
    @pytest.mark.parametrize("at", range(4))
    async def test_only_the_poisonous_request_is_refused(
        self, accept: GroupCommit, ledger: HeldLedger, at: int
    ) -> None:
        players = ["ann", "bob", "cat", "dan"]
        players[at] = "poison"
        await one_in_a_held_transaction(accept, ledger)
        requests = [submitted(accept, player) for player in players]
        await turns(lambda: accept.pending == 5)
        ledger.going.set()
        told = [result.outcome.code or result.outcome.status for (result,) in await asyncio.gather(*requests)]
        assert told == ["not_storable" if player == "poison" else "applied" for player in players]
        assert ledger.total == 4

    async def test_inside_one_request_too_and_in_order(self, accept: GroupCommit, ledger: HeldLedger) -> None:
        ledger.going.set()
        results = await submitted(accept, "ann", "poison", "bob", "poison", "cat")
        assert [result.outcome.player for result in results] == ["ann", "poison", "bob", "poison", "cat"]
        assert [result.outcome.status == "applied" for result in results] == [True, False, True, False, True]
        assert ledger.total == 3

    async def test_the_worker_goes_on_after_it(self, accept: GroupCommit, ledger: HeldLedger) -> None:
        ledger.going.set()
        await submitted(accept, "poison")
        (result,) = await submitted(accept, "ann")
        assert result.outcome.status == "applied"
        await turns(lambda: accept.pending == 0)


class TestDoubt:
    async def test_a_transaction_of_unknown_outcome_is_retried_under_the_same_ids(
        self, accept: GroupCommit, ledger: HeldLedger
    ) -> None:
        ledger.faults = [unavailable(), unavailable()]
        ledger.going.set()
        (result,) = await submitted(accept, "ann")
        assert result.outcome.status == "applied"
        assert len(ledger.tried) == 3
        assert {one.event for batch in ledger.tried for one in batch} == {result.outcome.event}

    async def test_what_stays_unknown_is_told_as_unavailable_to_each(
        self, accept: GroupCommit, ledger: HeldLedger
    ) -> None:
        await one_in_a_held_transaction(accept, ledger)
        ledger.faults = [ValueError("first"), *(unavailable() for _ in range(3))]
        requests = [submitted(accept, "ann"), submitted(accept, "bob", "cat")]
        await turns(lambda: accept.pending == 4)
        ledger.going.set()
        for answer in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(answer, Unavailable)
        assert ledger.total == 0

    async def test_a_request_of_which_a_part_is_unknown_is_no_success(
        self, accept: GroupCommit, ledger: HeldLedger
    ) -> None:
        ledger.faults = [ValueError("together"), ValueError("and apart"), *(unavailable() for _ in range(3))]
        ledger.going.set()
        with pytest.raises(Unavailable):
            await submitted(accept, "ann", "bob")
        (result,) = await submitted(accept, "cat")
        assert result.outcome.status == "applied"


class TestAfterwards:
    async def test_while_one_batch_is_ranked_the_next_is_committed_and_no_third(
        self, ledger: HeldLedger, clock: ManualClock
    ) -> None:
        ledger.going.set()
        ranking, ranked = asyncio.Event(), list[str]()

        class Slow(NoRanking):
            async def apply(
                self, key: TableKey, _: Board, standings: Mapping[str, Standing], *, place: bool
            ) -> Mapping[str, RankChange]:
                (player,) = standings
                ranked.append(f"{player} begins")
                await ranking.wait()
                ranked.append(f"{player} ends")
                return {}

        async with accepting(ledger, clock, BatchLimits(batch=1), Slow()) as accept:
            requests = [submitted(accept, player) for player in ("ann", "bob", "cat")]
            await turns(lambda: ledger.sizes == [1, 1])
            for _ in range(20):
                await asyncio.sleep(0)
            assert ledger.sizes == [1, 1]
            assert ranked == ["ann begins"]
            ranking.set()
            await asyncio.gather(*requests)
            assert ranked == [f"{player} {what}" for player in ("ann", "bob", "cat") for what in ("begins", "ends")]

    async def test_closing_waits_for_the_last_ranks(self, ledger: HeldLedger, clock: ManualClock) -> None:
        ledger.going.set()
        ranking = asyncio.Event()

        class Slow(NoRanking):
            async def apply(
                self, key: TableKey, _: Board, standings: Mapping[str, Standing], *, place: bool
            ) -> Mapping[str, RankChange]:
                await ranking.wait()
                return {}

        accept = group_commit(ledger, clock, BatchLimits(), Slow())
        running = asyncio.create_task(accept.run())
        request = submitted(accept, "ann")
        await turns(lambda: ledger.sizes == [1])
        accept.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not running.done()
        ranking.set()
        await running
        (result,) = await request
        assert result.outcome.player == "ann"

    async def test_a_fault_after_a_commit_leaves_nobody_waiting(self, ledger: HeldLedger, clock: ManualClock) -> None:
        class Failing(NoRanking):
            def changed(self, *_: object) -> None:
                if ledger.sizes == [1]:
                    raise RuntimeError("in the step after the commit")

        ledger.going.set()
        async with accepting(ledger, clock, BatchLimits(), Failing()) as accept:
            ann = submitted(accept, "ann")
            await turns(lambda: ledger.total == 1)
            bob = submitted(accept, "bob")
            await turns(lambda: ann.done() and bob.done())
            (result,) = await bob
            assert result.outcome.status == "applied"
            with contextlib.suppress(Unavailable):  # told as unknown if not as done
                (result,) = await ann
                assert result.outcome.status == "applied"


class TestStamps:
    async def test_stamps_strictly_increase_though_the_clock_goes_back(
        self, accept: GroupCommit, clock: ManualClock
    ) -> None:
        stamps = []
        for now in (NOON, NOON, NOON - 5, 0, NOON + 1, NOON + 100):
            clock.now = now
            stamps.append(accept.stamp())
        assert stamps == [NOON, NOON + 1, NOON + 2, NOON + 3, NOON + 4, NOON + 100]

    async def test_a_restarted_server_stamps_after_all_that_is_in_its_ledger(
        self, ledger: HeldLedger, clock: ManualClock
    ) -> None:
        ledger.latest = NOON + 7
        ledger.going.set()
        async with accepting(ledger, clock, BatchLimits()) as accept:
            await submitted(accept, "ann")
            assert accept.stamp() == NOON + 8
