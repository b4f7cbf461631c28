"""The outcomes that clients received, compared with the data of the service."""

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.service import TIMINGS, settings
from harness.waiting import BOUND_S, eventually
from scoreboard.adapters.sqlite.plugin import FILE as DATABASE
from scoreboard.application.upkeep.verify import Report, verify
from scoreboard.bootstrap import service as bootstrap

ROOT = Path(__file__).parents[2]


class Line(NamedTuple):
    kind: str
    key: str
    player: str
    increment: int
    sent: float
    ended: float


@dataclass
class Clients:
    """Processes of `harness.load`, and their logs."""

    logs: list[Path]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def lines(self) -> list[Line]:
        """Return the complete lines of the logs. An unfinished last line is left out."""
        found = []
        for log in self.logs:
            whole, _, _ = log.read_text().rpartition("\n") if log.exists() else ("", "", "")
            for text in whole.splitlines():
                kind, key, player, increment, sent, ended = text.split()
                found.append(Line(kind, key, player, int(increment), float(sent), float(ended)))
        return found

    def size(self) -> int:
        """Return the bytes logged so far, which grow with every answer."""
        return sum(log.stat().st_size for log in self.logs if log.exists())

    def stop(self) -> None:
        """Let each client finish its update in flight, and end."""
        for process in self.processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self.processes:
            assert process.wait(4 * BOUND_S) == 0


@contextmanager
def clients(
    folder: Path, url: str, token: str, board: str, *, connections: int, processes: int = 2
) -> Iterator[Clients]:
    started = Clients([folder / f"client-{n}.log" for n in range(processes)])
    try:
        for n, log in enumerate(started.logs):
            command = [sys.executable, "-m", "harness.load", url, token, board, str(log), f"c{n}"]
            command.append(str(connections // processes))
            started.processes.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE))
        yield started
    finally:
        for process in started.processes:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
            if process.poll() is None:
                process.kill()
            process.wait()


def in_flight(lines: list[Line], at: float) -> int:
    """Count the requests that were sent, but not answered, at an instant."""
    return sum(line.sent < at < line.ended for line in lines)


@dataclass(frozen=True)
class Account:
    acknowledged: int
    lost: int
    doubled: int
    wrong: int


def account(data: Path, lines: list[Line]) -> Account:
    """Compare the acknowledged updates with the ledger and the totals.

    `wrong` counts the players whose total is not the sum of their updates.
    """
    acknowledged = {line.key: line for line in lines if line.kind == "A"}
    with closing(sqlite3.connect(data / DATABASE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept: Counter[str] = Counter(
            key
            for (key,) in database.execute(
                "SELECT r.key FROM receipts r JOIN ledger l ON l.event = r.event JOIN players p ON p.number = l.player"
            )
        )
        (entries,) = database.execute("SELECT count(*) FROM ledger").fetchone()
        totals = dict(
            database.execute("SELECT p.player, s.score FROM standings s JOIN players p ON p.number = s.player")
        )
    sums: Counter[str] = Counter()
    for line in acknowledged.values():
        sums[line.player] += line.increment
    lost = sum(key not in kept for key in acknowledged)
    doubled = entries - len(kept) + sum(count - 1 for count in kept.values())
    wrong = sum(totals.get(player) != sums.get(player) for player in totals.keys() | sums.keys())
    return Account(len(acknowledged), lost, doubled, wrong)


async def verified(data: Path, app: str, board: str) -> Report:
    """Return the service's own comparison of ledger, totals and ranking."""
    async with bootstrap.open_service(settings(data), timings=TIMINGS) as service:
        await eventually(lambda: service.ready)
        return await verify(service.ledger, service.ranking, await service.directory.board(app, board))
