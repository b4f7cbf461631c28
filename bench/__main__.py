"""`python -m bench`: measure, print the table, write `bench/results/`. Progress goes to stderr."""

import argparse
import os
import resource
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path

from bench import cpu, distributed_rows, machine, report, rows
from bench.distributed import Missing
from bench.process import ROOT, BenchError
from bench.rows import Outcome, Row
from bench.run import Run, Sizes

_BUILD = ROOT / "bench" / "build"
ROWS = rows.ROWS + distributed_rows.ROWS
_RESULTS = ROOT / "bench" / "results"


def _arguments() -> argparse.Namespace:
    listed = "; ".join(f"{row.number} {row.work}" for row in sorted(ROWS, key=lambda row: row.number))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, epilog=f"rows: {listed}")
    parser.add_argument("--only", action="append", type=int, default=[], metavar="ROW", help="this row (repeatable)")
    parser.add_argument("--quick", action="store_true", help="100,000 players, 2,000 sockets, short rounds")
    parser.add_argument("--players", type=int, metavar="N", help="players loaded (1,000,000)")
    parser.add_argument("--sockets", type=int, metavar="N", help="screens held (10,000)")
    parser.add_argument("--connections", type=int, default=Sizes.connections, metavar="N", help="of a closed loop (64)")
    command = str(Path(sys.executable).with_name("scoreboard"))
    parser.add_argument("--urgent", action="store_true", help="raised priority, for a shared machine (needs the right)")
    parser.add_argument("--command", default=command, metavar="FILE", help="the program to measure")
    return parser.parse_args()


def _sizes(arguments: argparse.Namespace) -> Sizes:
    sizes = Sizes(connections=arguments.connections, urgent=arguments.urgent)
    if arguments.quick:
        sizes = replace(sizes, players=100_000, sockets=2_000, rounds=2, seconds=1.0, warm=0.3, fires=3, quick=True)
    return replace(sizes, players=arguments.players or sizes.players, sockets=arguments.sockets or sizes.sockets)


def _measure(run: Run, row: Row) -> Outcome | str | None:
    """The outcome, or why there is none; None where the machine has not the servers for it."""
    run.say(f"row {row.number}: {row.work}")
    try:
        outcome = row.measure(run)
    except Missing as error:
        run.say(f"  NOT MEASURED: {error}")
        return None
    except (BenchError, OSError, KeyError) as error:
        if not isinstance(error, BenchError):
            traceback.print_exc()
        run.say(f"  FAILED: {error}")
        return f"{type(error).__name__}: {error}"
    run.say(f"  {outcome.text}")
    return outcome


def main() -> int:
    """0 when every row that was run at its size met what is asked at least."""
    arguments = _arguments()
    unknown = set(arguments.only) - {row.number for row in ROWS}
    if unknown:
        print(f"no such row: {unknown}", file=sys.stderr)
        return 2
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    os.sched_setaffinity(0, {cpu.LOAD_CORE})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # what we start inherits it
    if cpu.LOAD_CORE == cpu.SERVER_CORE:
        print("only one core: server and load share it, so no figure says much", file=sys.stderr)
    sizes = _sizes(arguments)
    _BUILD.mkdir(exist_ok=True)
    here = machine.look(_BUILD)
    print(
        f"{here.processor}, {here.cores} cores; {here.python} ({here.python_build});"
        f" data on {here.filesystem}, fsync {here.fsync_p50_ms} ms",
        file=sys.stderr,
    )
    if here.filesystem in {"tmpfs", "ramfs"}:
        print("the data folder is in memory: durability costs nothing here, so no figure says much", file=sys.stderr)
    lines = []
    with Run(sizes, [arguments.command], _BUILD) as run:
        for row in ROWS:
            wanted = not arguments.only or row.number in arguments.only
            lines.append(report.line(row, sizes, _measure(run, row) if wanted else None))
        run.say("stopping what was started")
        limits = run.limits
    lines.sort(key=lambda one: one.number)
    path = report.write(_RESULTS, lines, here, sizes, limits=limits, only=sorted(set(arguments.only)))
    print(report.table(lines))
    print(f"{path.relative_to(ROOT)} written", file=sys.stderr)
    return int(any(line.met == "no" for line in lines))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
