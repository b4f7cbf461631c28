"""What became of every update, and whether fold, totals, ranking and screens are what they should be."""

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
    """`lost`: acknowledged, and counted under no event. `doubled`: ledger entries beyond one an update. `without`: no
    outcome, or one that does not lead to the update. `wrong`: standings whose total is not the sum of what was
    acknowledged. `differences` of fold, totals and ranking. `drifted`: times that the drift check found a ranking
    wrong. `screens`: those whose last frame is not the final board; `backwards`: frames older than the one before.
    `refused`: requests that were told never to come back."""

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
        """What should be nothing, and is not."""
        return {name: found for name, found in vars(self).items() if name != "acknowledged" and found}


class Judged(NamedTuple):
    """A board, its screens, and all that its clients logged."""

    name: str
    load: Load
    lines: list[Line]


async def judge(
    cluster: Cluster, http: aiohttp.ClientSession, app: str, boards: Sequence[Judged], patience_s: float = DRAINED_S
) -> Verdict:
    """Waits, at the longest so long, for each thing that comes by itself: the queue to drain, notes to be ranked,
    screens to be told."""
    patience = partial(_Patience, patience_s)
    operator = Client(http, cluster.apis[0], cluster.token("admin", "*"))
    found = await _settled(operator, app, acknowledged(chain.from_iterable(one.lines for one in boards)), patience())
    verdict = Verdict(
        acknowledged=len(found),
        lost=sum(status != "applied" for status in found.values()),
        without=sum(status in {"pending", "unknown"} for status in found.values()),
        refused=[f"{line.key}: {line.event}" for one in boards for line in one.lines if line.kind == "X"],
        left_in_queues=await _drained(cluster, patience()),
    )
    entries = 0
    async with bootstrap.open_service(cluster.settings, parts=frozenset()) as service:
        for one in boards:
            board = await service.directory.board(app, one.name)
            report = await _verified(service, board, patience())
            entries += report.entries
            verdict.differences += report.differences
            verdict.wrong += _wrong(await _totals(service, board), tables(sums(one.lines)))
    verdict.doubled = max(0, entries - (verdict.acknowledged - verdict.lost))
    for one in boards:
        screens, backwards = await _shown(one.load, operator, f"/v1/apps/{app}/boards/{one.name}/top", patience())
        verdict.screens += screens
        verdict.backwards += backwards
    verdict.drifted = drifted(cluster.logs(), {f"{app}/{one.name}" for one in boards})
    return verdict


class _Patience:
    """What does not come within its time is not waited for any more."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    async def left(self) -> bool:
        """After a while; False when it is at its end."""
        await asyncio.sleep(LOOK_S)
        return time.monotonic() < self._until


async def _drained(cluster: Cluster, patience: _Patience) -> int:
    """Messages that remain."""
    while (left := await asyncio.to_thread(cluster.left_in_queues)) and await patience.left():
        pass
    return left


async def _settled(client: Client, app: str, told: dict[str, Line], patience: _Patience) -> dict[str, str]:
    """The outcomes, when none is pending any more."""
    while "pending" in (found := await _outcomes(client, app, told)).values() and await patience.left():
        pass
    return found


async def _outcomes(client: Client, app: str, told: dict[str, Line]) -> dict[str, str]:
    """By key: what the event that was answered with says, or the one that it leads to."""
    room = asyncio.Semaphore(AT_ONCE)

    async def outcome(key: str, event: str) -> tuple[str, str]:
        async with room:
            return key, await _outcome(client, app, event)

    return dict(await asyncio.gather(*(outcome(key, line.event) for key, line in told.items())))


async def _outcome(client: Client, app: str, event: str) -> str:
    answer = await client.get(f"/v1/apps/{app}/events/{event}")
    if answer.status != 200:
        return "unknown"
    told = answer.body
    if told.get("code") == "key_replayed":  # a first try, which was not answered, was counted
        return await _outcome(client, app, told["detail"].rpartition(" ")[2])
    return str(told["status"])


async def _verified(service: Service, board: Board, patience: _Patience) -> Report:
    """The service's own opinion, when what is repaired by itself has been."""
    while (report := await _report(service, board)).differences and await patience.left():
        pass
    return report


async def _report(service: Service, board: Board) -> Report:
    try:
        return await verify(service.ledger, service.ranking, board)
    except NotRanked as error:
        return Report(0, 0, [f"{board.slug} is not ranked: {error.state}"])


async def _totals(service: Service, board: Board) -> dict[tuple[str, str], int]:
    """By region and player."""
    return {
        (key.region, player): standing.score
        for key in await service.ledger.tables(board)
        async for chunk in service.ledger.standings(key)
        for player, standing in chunk
    }


def _wrong(found: Mapping[tuple[str, str], int], expected: Mapping[tuple[str, str], int]) -> int:
    return sum(found.get(one) != expected.get(one) for one in found.keys() | expected.keys())


async def _shown(load: Load, client: Client, top: str, patience: _Patience) -> tuple[int, int]:
    """Screens that show something else, and frames that went backwards."""
    page = (await client.get(f"{top}?limit=10")).ok()
    final = [(entry["player"], entry["score"]) for entry in page["entries"]]

    def others(found: Screens) -> int:
        return sum(shown != final for shown in found.shown)

    while others(found := await load.screens()) and await patience.left():
        pass
    return others(found), found.backwards


def drifted(logs: Iterable[Path], boards: Collection[str]) -> int:
    """How often the drift check found one of these boards wrong: nothing else had noticed."""
    said = [json.loads(line) for log in logs for line in log.read_text().splitlines() if DRIFTED in line]
    return sum(one["event"] == DRIFTED and one["board"] in boards for one in said)
