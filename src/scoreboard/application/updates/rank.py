"""Rank what a batch changed, tell the live boards, and put each submission's rank beside its outcome."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import NamedTuple

import structlog

from scoreboard.application.live.publisher import Publish
from scoreboard.application.ports.ledger import Decision, Ledger
from scoreboard.application.ports.ranking import NotRanked, Placed, Ranking, RankState
from scoreboard.domain.board import Board
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.submission import WORLD, Outcome, Standing, Submission, TableKey

log = structlog.get_logger(__name__)

CATCH_UP_EVERY_S = 0.1
MOST_BEHIND = 50_000  # standings


class Result(NamedTuple):
    """An outcome, and where it took the player in the world's table; `placed` is None unless the state is `exact`."""

    outcome: Outcome
    placed: Placed | None = None
    rank_state: RankState = "unavailable"


class Rank:
    """The step from durable to visible. It cannot fail an update: the answer says that it was not ranked, `catch_up`
    ranks it a moment after the ranking is back, or else, by its projection note, repair."""

    def __init__(self, ledger: Ledger, ranking: Ranking, publish: Publish) -> None:
        self._ledger = ledger
        self._ranking = ranking
        self._publish = publish
        self._behind: dict[TableKey, tuple[Board, dict[str, Standing]]] = {}
        self._fell_behind = asyncio.Event()

    async def __call__(self, submissions: Sequence[Submission], decision: Decision, *, place: bool) -> list[Result]:
        boards = {submission.board.number: submission.board for submission in submissions}
        placed: dict[TableKey, Mapping[str, Placed]] = {}
        states: dict[TableKey, RankState] = {}

        async def rank(key: TableKey, standings: Mapping[str, Standing]) -> bool:
            """False when the table has to be repaired."""
            board = boards[key.board]
            try:
                placed[key] = await self._ranking.apply(key, board, standings, place=place)
            except NotRanked as error:
                states[key] = error.state
                self._publish.changed(board, key)  # told when it can be
                return True
            except Unavailable:
                states[key] = "unavailable"
                self._later(key, board, standings)
                return False
            except Exception:
                log.exception("ranking_failed", table=key)
                states[key] = "unavailable"
                return False
            states[key] = "exact"
            if key in decision.standings or key in decision.recovered:
                self._publish.changed(board, key)
            return True

        tables = list(decision.touched.items())
        # Most batches are of one table, which is not worth a task.
        ranked = [await rank(*tables[0])] if len(tables) == 1 else await asyncio.gather(*starmap(rank, tables))
        if decision.note and all(ranked):
            await self._done_with(decision.note)
        if not place:
            return [Result(outcome) for outcome in decision.outcomes]
        return [_result(outcome, placed, states) for outcome in decision.outcomes]

    def _later(self, key: TableKey, board: Board, standings: Mapping[str, Standing]) -> None:
        """Keep the newest of each player; of more than can be kept, the projection notes tell."""
        _, kept = self._behind.setdefault(key, (board, {}))
        if sum(len(some) for _, some in self._behind.values()) < MOST_BEHIND:
            kept.update(standings)
            self._fell_behind.set()

    async def catch_up(self) -> None:
        """For ever: rank what could not be ranked. Its notes remain, for repair to find it ranked."""
        while True:
            await self._fell_behind.wait()
            await asyncio.sleep(CATCH_UP_EVERY_S)
            behind, self._behind = self._behind, {}
            self._fell_behind.clear()
            for key, (board, standings) in behind.items():
                try:
                    await self._ranking.apply(key, board, standings, place=False)
                except NotRanked:
                    pass  # the table being made will have them
                except Unavailable:
                    newer = self._behind.get(key, (board, {}))[1]
                    self._later(key, board, {**standings, **newer})
                except Exception:
                    log.exception("ranking_failed", table=key)
                else:
                    self._publish.changed(board, key)

    async def _done_with(self, note: int) -> None:
        try:
            await self._ledger.ranked((note,))
        except Unavailable:
            pass  # as below
        except Exception:
            log.exception("note_remains", note=note)  # repair will rank again what is ranked: harmless


def _result(
    outcome: Outcome,
    placed: Mapping[TableKey, Mapping[str, Placed]],
    states: Mapping[TableKey, RankState],
) -> Result:
    key = TableKey(outcome.board, outcome.season, WORLD)
    place, state = placed.get(key, {}).get(outcome.player), states.get(key, "unavailable")
    if place is not None:
        return Result(outcome, place, "exact")
    return Result(outcome, None, "beyond" if state == "exact" else state)  # it is not among those that are ranked
