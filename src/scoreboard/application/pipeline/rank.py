"""Rank what a batch changed, tell the live boards, and put each submission's rank beside its outcome."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog

from scoreboard.application.pipeline.publish import Publish
from scoreboard.application.ports.ledger import Decision, Ledger
from scoreboard.application.ports.ranking import NotRanked, Placed, Ranking, RankState
from scoreboard.domain.submission import WORLD, Outcome, Submission, TableKey

log = structlog.get_logger(__name__)


class Result(NamedTuple):
    """An outcome, and where it took the player in the world's table; `placed` is None unless the state is `exact`."""

    outcome: Outcome
    placed: Placed | None = None
    rank_state: RankState = "unavailable"


class Rank:
    """The step from durable to visible. It cannot fail an update: a table it cannot rank is repaired later from the
    projection notes, and the answer says so."""

    def __init__(self, ledger: Ledger, ranking: Ranking, publish: Publish) -> None:
        self._ledger = ledger
        self._ranking = ranking
        self._publish = publish

    async def __call__(self, submissions: Sequence[Submission], decision: Decision, *, place: bool) -> list[Result]:
        boards = {submission.board.number: submission.board for submission in submissions}
        placed: dict[TableKey, Mapping[str, Placed]] = {}
        states: dict[TableKey, RankState] = {}
        repair = False
        for key, standings in decision.touched.items():
            try:
                placed[key] = await self._ranking.apply(key, boards[key.board], standings, place=place)
                states[key] = "exact"
            except NotRanked as error:
                states[key] = error.state
                self._publish.changed(boards[key.board], key)  # told when it can be
            except Exception:
                log.exception("ranking_failed", table=key)
                states[key], repair = "unavailable", True
            else:
                if key in decision.standings or key in decision.recovered:
                    self._publish.changed(boards[key.board], key)
        if decision.note and not repair:
            await self._done_with(decision.note)
        if not place:
            return [Result(outcome) for outcome in decision.outcomes]
        return [_result(outcome, placed, states) for outcome in decision.outcomes]

    async def _done_with(self, note: int) -> None:
        try:
            await self._ledger.ranked((note,))
        except Exception:
            log.exception("note_remains", note=note)  # repair will rank again what is ranked: harmless


def _result(
    outcome: Outcome,
    placed: Mapping[TableKey, Mapping[str, Placed]],
    states: Mapping[TableKey, RankState],
) -> Result:
    key = TableKey(outcome.board, outcome.season, WORLD)
    place = placed.get(key, {}).get(outcome.player)
    return Result(outcome, place, states.get(key, "unavailable") if place is None else "exact")
