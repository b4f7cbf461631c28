"""The verdict on a board: every update, the totals, the ranking and the screens."""

import asyncio
import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import aiohttp

from chaos.account import Line, acknowledged, sums, tables
from chaos.clients import Screens
from chaos.cluster import Cluster
from chaos.load import Load
from harness.client import Client
from harness.service import TIMINGS
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.application.upkeep.verify import Report, verify
from scoreboard.bootstrap import service as bootstrap
from scoreboard.bootstrap.lifecycle import Service
from scoreboard.domain.board import Board

DRAINED_S = 120.0
LOOK_S = 0.25
AT_ONCE = 16
DRIFTED = "ranking_drifted"


@dataclass
class Verdict:
    """The acknowledged updates, and counts and descriptions of all faults.

    `lost` are acknowledged updates that no event applied. `doubled` are ledger entries beyond one per update. `without`
    are updates without a final outcome. `wrong` are standings that differ from the sum of the acknowledged updates.
    `differences` are those between ledger, totals and ranking. `drifted` counts the findings of the drift check.
    `screens` are those whose last frame is not the final board. `backwards` are frames older than the one before.
    `refused` are requests with a final refusal.
    """

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    without: int = 0
    wrong: int = 0
    differences: list[str] = field(default_factory=list)
    drifted: int = 0
    screens: int = 0
    backwards: int = 0
    refused: list[str] = field(default_factory=list)
    left_in_queues: int = 0

    @property
    def faults(self) -> dict[str, object]:
        """The fields that must be empty or zero, and are not."""
        return {name: found for name, found in vars(self).items() if name != "acknowledged" and found}


class Judged(NamedTuple):
    """A board, its screens, and all that its clients logged."""

    name: str
    load: Load
    lines: list[Line]


async def judge(
    cluster: Cluster, http: aiohttp.ClientSession, app: str, boards: Sequence[Judged], patience_s: float = DRAINED_S
) -> Verdict:
    """Return the verdict on boards, after background work has finished.

    The queue drains, repair ranks its notes and screens receive their last frame. Each may take up to `patience_s`.
    """
    deadline = partial(_Deadline, patience_s)
    operator = Client(http, cluster.apis[0], cluster.token("admin", "*"))
    found = await _settled(operator, app, acknowledged(chain.from_iterable(one.lines for one in boards)), deadline())
    verdict = Verdict(
        acknowledged=len(found),
        lost=sum(status != "applied" for status in found.values()),
        without=sum(status in {"pending", "unknown"} for status in found.values()),
        refused=[f"{line.key}: {line.event}" for one in boards for line in one.lines if line.kind == "X"],
        left_in_queues=await _drained(cluster, deadline()),
    )
    entries = 0
    async with bootstrap.open_service(cluster.settings, parts=frozenset(), timings=TIMINGS) as service:
        for one in boards:
            board = await service.directory.board(app, one.name)
            report = await _verified(service, board, deadline())
            entries += report.entries
            verdict.differences += report.differences
            verdict.wrong += _wrong(await _totals(service, board), tables(sums(one.lines)))
    verdict.doubled = max(0, entries - (verdict.acknowledged - verdict.lost))
    for one in boards:
        screens, backwards = await _shown(one.load, operator, f"/v1/apps/{app}/boards/{one.name}/top", deadline())
        verdict.screens += screens
        verdict.backwards += backwards
    verdict.drifted = drifted(cluster.logs(), {f"{app}/{one.name}" for one in boards})
    return verdict


class _Deadline:
    """The time after which a condition is no longer waited for."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    async def pause(self) -> bool:
        """Sleep briefly. Return False when the deadline has passed."""
        await asyncio.sleep(LOOK_S)
        return time.monotonic() < self._until


async def _drained(cluster: Cluster, deadline: _Deadline) -> int:
    """Wait for empty queues. Return the number of messages that remain."""
    while (left := await asyncio.to_thread(cluster.left_in_queues)) and await deadline.pause():
        pass
    return left


async def _settled(client: Client, app: str, lines: dict[str, Line], deadline: _Deadline) -> dict[str, str]:
    """Wait until no update is pending. Return the outcomes by key."""
    while "pending" in (found := await _outcomes(client, app, lines)).values() and await deadline.pause():
        pass
    return found


async def _outcomes(client: Client, app: str, lines: dict[str, Line]) -> dict[str, str]:
    """Return the status of each key's event, or of the event that it refers to."""
    room = asyncio.Semaphore(AT_ONCE)

    async def outcome(key: str, event: str) -> tuple[str, str]:
        async with room:
            return key, await _outcome(client, app, event)

    return dict(await asyncio.gather(*(outcome(key, line.event) for key, line in lines.items())))


async def _outcome(client: Client, app: str, event: str) -> str:
    answer = await client.get(f"/v1/apps/{app}/events/{event}")
    if answer.status != 200:
        return "unknown"
    outcome = answer.body
    if outcome.get("code") == "key_replayed":  # an earlier, unanswered attempt was applied
        return await _outcome(client, app, outcome["detail"].rpartition(" ")[2])
    return str(outcome["status"])


async def _verified(service: Service, board: Board, deadline: _Deadline) -> Report:
    """Return the service's own comparison, after the repair job had its chance."""
    while (report := await _report(service, board)).differences and await deadline.pause():
        pass
    return report


async def _report(service: Service, board: Board) -> Report:
    try:
        return await verify(service.ledger, service.ranking, board)
    except NotRanked as error:
        return Report(0, 0, [f"{board.slug} is not ranked: {error.state}"])


async def _totals(service: Service, board: Board) -> dict[tuple[str, str], int]:
    """Return the scores by region and player."""
    return {
        (key.region, player): standing.score
        for key in await service.ledger.tables(board)
        async for chunk in service.ledger.standings(key)
        for player, standing in chunk
    }


def _wrong(found: Mapping[tuple[str, str], int], expected: Mapping[tuple[str, str], int]) -> int:
    return sum(found.get(one) != expected.get(one) for one in found.keys() | expected.keys())


async def _shown(load: Load, client: Client, top: str, deadline: _Deadline) -> tuple[int, int]:
    """Count the screens that show another board, and the frames that went backwards."""
    page = (await client.get(f"{top}?limit=10")).ok()
    final = [(entry["player"], entry["score"]) for entry in page["entries"]]

    def others(found: Screens) -> int:
        return sum(shown != final for shown in found.shown)

    while others(found := await load.screens()) and await deadline.pause():
        pass
    return others(found), found.backwards


def drifted(logs: Iterable[Path], boards: Collection[str]) -> int:
    """Count the times that the drift check logged one of these boards."""
    entries = [json.loads(line) for log in logs for line in log.read_text().splitlines() if DRIFTED in line]
    return sum(entry["event"] == DRIFTED and entry["board"] in boards for entry in entries)
