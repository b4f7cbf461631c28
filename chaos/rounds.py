"""The rounds of one victim: kills and restarts under load, then a verdict."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from chaos.account import REGIONS, in_flight, read
from chaos.clients import Orders
from chaos.cluster import Cluster, Victim
from chaos.judge import Judged, Verdict, judge
from chaos.load import Load, load
from chaos.probe import NotRecovered, Probe
from harness.client import Client

APP = "chaos"
BOARDS = 4  # with their regions twelve tables, so that every master of a Cluster holds some
CONNECTIONS = 320
SCREENS = 12
IN_FLIGHT = 200  # at least, at each kill
ANSWERS = 1_000  # of load before each kill

LogLine = Callable[[str], None]


@dataclass
class Outcome:
    """The result of all rounds of a victim.

    `in_flight` has the number of requests at each kill. `recovered` has the seconds from each kill to the recovery, or
    None where the service did not recover.
    """

    victim: Victim
    in_flight: list[int] = field(default_factory=list)
    recovered: list[float | None] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def passed(self) -> bool:
        return not self.verdict.faults and None not in self.recovered and min(self.in_flight) >= IN_FLIGHT

    @property
    def median_s(self) -> float | None:
        times = [one for one in self.recovered if one is not None]
        return statistics.median(times) if times else None

    @property
    def worst_s(self) -> float | None:
        times = [one for one in self.recovered if one is not None]
        return None if len(times) < len(self.recovered) else max(times)


async def create_app(cluster: Cluster, http: aiohttp.ClientSession) -> None:
    """Create the app of all boards."""
    await cluster.ready()
    (await Client(http, cluster.apis[0], cluster.token("admin", "*")).post("/v1/apps", {"app": APP})).ok(201)


async def run_rounds(
    cluster: Cluster, http: aiohttp.ClientSession, folder: Path, victim: Victim, rounds: int, log: LogLine
) -> Outcome:
    """Run all rounds of a victim on new boards."""
    outcome, killed_at = Outcome(victim), list[float]()
    async with AsyncExitStack() as stack:
        names = [f"{victim}-{number}" for number in range(BOARDS)]
        boards = [await stack.enter_async_context(loaded(cluster, http, folder, name)) for name in names]
        for number in range(rounds):
            await asyncio.gather(*(board.load.burst(ANSWERS // BOARDS) for board in boards))
            killed_at.append(time.monotonic())
            outcome.recovered.append(await _round(cluster, boards, victim, number, log))
            await asyncio.to_thread(cluster.wait_for_replicas)
        await asyncio.gather(*(board.load.hold() for board in boards))
        judged = [board.judged() for board in boards]
        outcome.in_flight = [sum(in_flight(one.lines, at) for one in judged) for at in killed_at]
        outcome.verdict = await judge(cluster, http, APP, judged)
    log(f"{victim}: {outcome.verdict.acknowledged:,} acknowledged; faults: {outcome.verdict.faults or 'none'}")
    return outcome


@dataclass
class Loaded:
    """A board under load."""

    name: str
    load: Load
    probe: Probe
    log: Path

    def judged(self) -> Judged:
        """Return the board with all requests of its clients and its probe."""
        return Judged(self.name, self.load, read(self.log) + self.probe.lines)


@asynccontextmanager
async def loaded(cluster: Cluster, http: aiohttp.ClientSession, folder: Path, name: str) -> AsyncIterator[Loaded]:
    """Create a board and start its share of the clients and screens."""
    operator = Client(http, cluster.apis[0], cluster.token("admin", "*"))
    (await operator.post(f"/v1/apps/{APP}/boards", {"board": name, "regions": REGIONS})).ok(201)
    token, log = cluster.token("server", APP), folder / f"clients-of-{name}.log"
    connections, screens = CONNECTIONS // BOARDS, SCREENS // BOARDS
    orders = Orders(cluster.apis, cluster.live, token, APP, name, str(log), connections, screens)
    async with load(orders) as clients:
        yield Loaded(name, clients, Probe(http, cluster.apis, token, APP, name), log)


async def _round(cluster: Cluster, boards: list[Loaded], victim: Victim, number: int, log: LogLine) -> float | None:
    """Kill and restart the victim. Return the seconds to recover, or None."""
    target, at = cluster.victim(victim, number), time.monotonic()
    await asyncio.to_thread(target.kill)
    await asyncio.gather(*(board.load.calm() for board in boards))
    await asyncio.to_thread(target.start)
    try:
        await cluster.ready()
        started_s = time.monotonic() - at
        await asyncio.gather(*(board.probe.works() for board in boards))
        works_s = time.monotonic() - at
        await asyncio.gather(*(board.probe.is_shown(board.load) for board in boards))
    except NotRecovered as error:
        log(f"{victim} {number + 1}: NOT RECOVERED: {error}")
        return None
    took_s = time.monotonic() - at
    log(f"{victim} {number + 1}: started {started_s:.1f} s, updates {works_s:.1f} s, screens {took_s:.1f} s")
    return took_s
