import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.ledger import BatchState, Decide, Decision, Ledger
from scoreboard.application.ports.ranking import NotRanked, RankChange, Ranking
from scoreboard.application.updates.batching import BatchLimits
from scoreboard.application.updates.commit import CommitRetries, GroupCommit, RankedOutcome
from scoreboard.domain import codes
from scoreboard.domain.board import Board
from scoreboard.domain.submission import Standing, Submission, TableKey
from tests.making import ManualClock, board, submission, table

REGIONAL = board(regions=("eu",))


class FakeServers:
    """A ledger, ranking and publisher in memory, with injected failures."""

    def __init__(self) -> None:
        self.faults: dict[str, Exception] = {}  # by region
        self.out_of_range = False  # of the cached part of the ranking
        self.ack_fault: Exception | None = None
        self.acknowledged: list[int] = []
        self.published: list[TableKey] = []
        self.barrier: asyncio.Barrier | None = None  # at which calls wait for each other
        self.ranked: dict[TableKey, dict[str, Standing]] = {}
        self.commit = GroupCommit(
            cast("Ledger", self),
            cast("Ranking", self),
            cast("Publisher", self),
            ManualClock(),
            BatchLimits(),
            asyncio.Event(),
            CommitRetries(projection_s=0.0),
        )

    async def transact(self, batch: Sequence[Submission], decide: Decide) -> Decision:
        decision = decide(batch, BatchState())
        decision.projection_id = 7
        return decision

    async def apply(
        self, key: TableKey, _: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, RankChange]:
        if key.region in self.faults:
            raise self.faults[key.region]
        if self.barrier is not None:
            await self.barrier.wait()
        self.ranked.setdefault(key, {}).update(standings)
        return {player: RankChange(1, None) for player in standings} if place and not self.out_of_range else {}

    async def ack_projections(self, projection_ids: Collection[int]) -> None:
        if self.ack_fault is not None:
            raise self.ack_fault
        self.acknowledged += projection_ids

    def changed(self, _: Board, key: TableKey) -> None:
        self.published.append(key)

    async def update(self, value: int = 5, *, place: bool = True) -> RankedOutcome:
        """Return the result of an update in a region."""
        (result,) = await self.commit.submit([submission(REGIONAL, value=value, region="eu")], ranks=place)
        return result


@pytest.fixture
async def servers() -> AsyncIterator[FakeServers]:
    servers = FakeServers()
    running = asyncio.create_task(servers.commit.run())
    yield servers
    servers.commit.close()
    await running


async def test_the_tables_of_a_batch_are_ranked_concurrently(servers: FakeServers) -> None:
    servers.barrier = asyncio.Barrier(2)
    async with asyncio.timeout(BOUND_S):
        assert (await servers.update()).rank_state == "exact"
    assert sorted(key.region for key in servers.published) == ["", "eu"]


async def test_an_update_gets_a_rank_is_published_and_its_projection_acknowledged(servers: FakeServers) -> None:
    result = await servers.update()
    assert (result.rank, result.rank_state) == (RankChange(1, None), "exact")
    assert servers.published == [table(REGIONAL), table(REGIONAL, region="eu")]
    assert servers.acknowledged == [7]


async def test_ranks_are_returned_only_on_request(servers: FakeServers) -> None:
    assert (await servers.update(place=False)).rank is None


async def test_the_rank_of_a_warming_table_is_absent_with_its_state(servers: FakeServers) -> None:
    servers.faults[""] = NotRanked("warming")
    result = await servers.update()
    assert (result.outcome.status, result.rank, result.rank_state) == ("applied", None, "warming")
    assert servers.acknowledged == [7]  # the table that is being built will have it


async def test_a_rank_outside_the_cached_part_is_absent_with_its_state(servers: FakeServers) -> None:
    servers.out_of_range = True
    result = await servers.update()
    assert (result.outcome.status, result.rank, result.rank_state) == ("applied", None, "out_of_range")
    assert servers.acknowledged == [7]


@pytest.mark.parametrize("region", ["", "eu"])
async def test_a_projection_that_failed_is_not_acknowledged(servers: FakeServers, region: str) -> None:
    servers.faults[region] = RuntimeError("ranking")
    result = await servers.update()
    assert result.outcome.status == "applied"
    assert result.rank_state == ("exact" if region else "unavailable")
    assert servers.acknowledged == []


async def test_a_failed_acknowledgement_does_not_fail_the_update(servers: FakeServers) -> None:
    servers.ack_fault = codes.STORAGE_FAILED.error("not now")
    assert (await servers.update()).outcome.status == "applied"


async def test_unranked_standings_are_ranked_and_published_after_an_outage(servers: FakeServers) -> None:
    servers.faults = {"": codes.RANKING_UNAVAILABLE.error("not now"), "eu": NotRanked("warming")}
    for value in (5, 7):
        await servers.update(value)
    retrying = asyncio.create_task(servers.commit.late.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert servers.ranked == {}
    servers.published.clear()
    servers.faults = {}
    async with asyncio.timeout(BOUND_S):
        while not servers.published:  # noqa: ASYNC110 - lets the task run
            await asyncio.sleep(0)
    retrying.cancel()
    assert servers.published == [table(REGIONAL)]  # the other table is built from the totals
    assert [one.score for one in servers.ranked[table(REGIONAL)].values()] == [7]
    assert servers.acknowledged == []
