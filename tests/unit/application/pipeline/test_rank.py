from collections.abc import Collection, Mapping
from typing import cast

import pytest

from scoreboard.application.pipeline.apply import decide
from scoreboard.application.pipeline.publish import Publish
from scoreboard.application.pipeline.rank import Rank, Result
from scoreboard.application.ports.ledger import Known, Ledger
from scoreboard.application.ports.ranking import NotRanked, Placed, Ranking
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import Standing, TableKey
from tests.making import board, submission, table

REGIONAL = board(regions=("eu",))


class World:
    """What ranking is done with, and what of it fails."""

    def __init__(self) -> None:
        self.faults: dict[str, Exception] = {}  # by region
        self.note_fault: Exception | None = None
        self.notes: list[int] = []
        self.published: list[TableKey] = []

    async def apply(
        self, key: TableKey, _: Board, standings: Mapping[str, Standing], *, place: bool
    ) -> Mapping[str, Placed]:
        if key.region in self.faults:
            raise self.faults[key.region]
        return {player: Placed(1, None) for player in standings} if place else {}

    async def ranked(self, notes: Collection[int]) -> None:
        if self.note_fault is not None:
            raise self.note_fault
        self.notes += notes

    def changed(self, _: Board, key: TableKey) -> None:
        self.published.append(key)

    async def ranks(self, value: int = 5, *, place: bool = True) -> Result:
        """What a new player's update in a region is answered with."""
        batch = [submission(REGIONAL, value=value, region="eu")]
        decision = decide(batch, Known())
        decision.note = 7
        rank = Rank(cast("Ledger", self), cast("Ranking", self), cast("Publish", self))
        (result,) = await rank(batch, decision, place=place)
        return result


@pytest.fixture
def world() -> World:
    return World()


async def test_a_ranked_update_is_placed_published_and_its_note_done_with(world: World) -> None:
    result = await world.ranks()
    assert (result.placed, result.rank_state) == (Placed(1, None), "exact")
    assert world.published == [table(REGIONAL), table(REGIONAL, region="eu")]
    assert world.notes == [7]


async def test_places_are_told_only_when_asked_for(world: World) -> None:
    assert (await world.ranks(place=False)).placed is None


async def test_while_a_table_warms_up_the_rank_is_absent_and_says_so(world: World) -> None:
    world.faults[""] = NotRanked("warming")
    result = await world.ranks()
    assert (result.outcome.status, result.placed, result.rank_state) == ("applied", None, "warming")
    assert world.notes == [7]  # the table being made will have it


@pytest.mark.parametrize("region", ["", "eu"])
async def test_what_could_not_be_ranked_keeps_its_note(world: World, region: str) -> None:
    world.faults[region] = RuntimeError("ranking")
    result = await world.ranks()
    assert result.outcome.status == "applied"
    assert result.rank_state == ("exact" if region else "unavailable")
    assert world.notes == []


async def test_a_note_that_stays_does_not_fail_the_update(world: World) -> None:
    world.note_fault = Unavailable("storage_failed", "not now")
    assert (await world.ranks()).outcome.status == "applied"
