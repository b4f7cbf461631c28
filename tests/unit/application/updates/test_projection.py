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


class World:
    """What ranking is done with, and what of it fails."""

    def __init__(self) -> None:
        self.faults: dict[str, Exception] = {}  # by region
        self.beyond = False  # what the ranking keeps
        self.note_fault: Exception | None = None
        self.notes: list[int] = []
        self.published: list[TableKey] = []
        self.meeting: asyncio.Barrier | None = None  # where calls wait for each other
        self.held: dict[TableKey, dict[str, Standing]] = {}
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
        if self.meeting is not None:
            await self.meeting.wait()
        self.held.setdefault(key, {}).update(standings)
        return {player: RankChange(1, None) for player in standings} if place and not self.beyond else {}

    async def ack_projections(self, notes: Collection[int]) -> None:
        if self.note_fault is not None:
            raise self.note_fault
        self.notes += notes

    def changed(self, _: Board, key: TableKey) -> None:
        self.published.append(key)

    async def ranks(self, value: int = 5, *, place: bool = True) -> RankedOutcome:
        """Return the answer to a new player's update in a region."""
        (result,) = await self.commit.submit([submission(REGIONAL, value=value, region="eu")], ranks=place)
        return result


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    running = asyncio.create_task(world.commit.run())
    yield world
    world.commit.close()
    await running


async def test_the_tables_of_a_batch_are_ranked_at_once(world: World) -> None:
    world.meeting = asyncio.Barrier(2)
    async with asyncio.timeout(BOUND_S):
        assert (await world.ranks()).rank_state == "exact"
    assert sorted(key.region for key in world.published) == ["", "eu"]


async def test_a_ranked_update_is_placed_published_and_its_note_done_with(world: World) -> None:
    result = await world.ranks()
    assert (result.rank, result.rank_state) == (RankChange(1, None), "exact")
    assert world.published == [table(REGIONAL), table(REGIONAL, region="eu")]
    assert world.notes == [7]


async def test_places_are_told_only_when_asked_for(world: World) -> None:
    assert (await world.ranks(place=False)).rank is None


async def test_while_a_table_warms_up_the_rank_is_absent_and_says_so(world: World) -> None:
    world.faults[""] = NotRanked("warming")
    result = await world.ranks()
    assert (result.outcome.status, result.rank, result.rank_state) == ("applied", None, "warming")
    assert world.notes == [7]  # the table being made will have it


async def test_the_rank_of_who_is_beyond_what_is_kept_is_absent_and_says_so(world: World) -> None:
    world.beyond = True
    result = await world.ranks()
    assert (result.outcome.status, result.rank, result.rank_state) == ("applied", None, "out_of_range")
    assert world.notes == [7]


@pytest.mark.parametrize("region", ["", "eu"])
async def test_what_could_not_be_ranked_keeps_its_note(world: World, region: str) -> None:
    world.faults[region] = RuntimeError("ranking")
    result = await world.ranks()
    assert result.outcome.status == "applied"
    assert result.rank_state == ("exact" if region else "unavailable")
    assert world.notes == []


async def test_a_note_that_stays_does_not_fail_the_update(world: World) -> None:
    world.note_fault = codes.STORAGE_FAILED.error("not now")
    assert (await world.ranks()).outcome.status == "applied"


async def test_what_could_not_be_ranked_is_ranked_and_shown_when_the_ranking_is_back(
    world: World,
) -> None:
    world.faults = {"": codes.RANKING_UNAVAILABLE.error("away"), "eu": NotRanked("warming")}
    for value in (5, 7):
        await world.ranks(value)
    catching_up = asyncio.create_task(world.commit.late.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert world.held == {}
    world.published.clear()
    world.faults = {}
    async with asyncio.timeout(BOUND_S):
        while not world.published:  # noqa: ASYNC110 - turns of the task
            await asyncio.sleep(0)
    catching_up.cancel()
    assert world.published == [table(REGIONAL)]  # the other is being made, with all there is
    assert [one.score for one in world.held[table(REGIONAL)].values()] == [7]
    assert world.notes == []
