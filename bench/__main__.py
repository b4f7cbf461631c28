"""`python -m bench`: measure all rows and write `bench/results/`.

The table goes to stdout, progress to stderr.
"""

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
    parser.add_argument("--only", action="append", type=int, default=[], metavar="ROW", help="one row (repeatable)")
    parser.add_argument("--quick", action="store_true", help="100,000 players, 2,000 sockets, short rounds")
    parser.add_argument("--players", type=int, metavar="N", help="players on the board (1,000,000)")
    parser.add_argument("--sockets", type=int, metavar="N", help="open screens (10,000)")
    parser.add_argument("--connections", type=int, default=Sizes.connections, metavar="N", help="closed loop (64)")
    parser.add_argument("--rounds", type=int, metavar="N", help="for limit and product (4); 9 to compare versions")
    command = str(Path(sys.executable).with_name("scoreboard"))
    parser.add_argument(
        "--urgent", action="store_true", help="raise the priority, for a shared machine (needs permission)"
    )
    parser.add_argument("--command", default=command, metavar="FILE", help="the program to measure")
    return parser.parse_args()


def _sizes(arguments: argparse.Namespace) -> Sizes:
    sizes = Sizes(connections=arguments.connections, urgent=arguments.urgent)
    if arguments.quick:
        sizes = replace(sizes, players=100_000, sockets=2_000, rounds=2, seconds=1.0, warm=0.3, fires=3, quick=True)
    return replace(
        sizes,
        players=arguments.players or sizes.players,
        sockets=arguments.sockets or sizes.sockets,
        rounds=arguments.rounds or sizes.rounds,
    )


def _measure(run: Run, row: Row) -> Outcome | str | None:
    """Measure a row. Return its outcome, its error, or None if a server is missing."""
    run.log(f"row {row.number}: {row.work}")
    try:
        outcome = row.measure(run)
    except Missing as error:
        run.log(f"  NOT MEASURED: {error}")
        return None
    except (BenchError, OSError, KeyError) as error:
        if not isinstance(error, BenchError):
            traceback.print_exc()
        run.log(f"  FAILED: {error}")
        return f"{type(error).__name__}: {error}"
    run.log(f"  {outcome.text}")
    return outcome


def main() -> int:
    """Run the benchmark. Return 1 if a row failed or does not hold."""
    arguments = _arguments()
    unknown = set(arguments.only) - {row.number for row in ROWS}
    if unknown:
        print(f"unknown rows: {', '.join(map(str, sorted(unknown)))}; --help lists the rows", file=sys.stderr)
        return 2
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    os.sched_setaffinity(0, {cpu.LOAD_CORE})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # inherited by every process of the run
    if cpu.LOAD_CORE == cpu.SERVER_CORE:
        print("this machine has one core, which server and load share: the figures are not valid", file=sys.stderr)
    sizes = _sizes(arguments)
    _BUILD.mkdir(exist_ok=True)
    here = machine.describe(_BUILD)
    print(
        f"{here.processor}, {here.cores} cores; {here.python} ({here.python_build});"
        f" data on {here.filesystem}, fsync {here.fsync_p50_ms} ms",
        file=sys.stderr,
    )
    if here.filesystem in {"tmpfs", "ramfs"}:
        print("the data folder is in memory, so durability costs nothing: the figures are not valid", file=sys.stderr)
    lines = []
    with Run(sizes, [arguments.command], _BUILD) as run:
        for row in ROWS:
            wanted = not arguments.only or row.number in arguments.only
            lines.append(report.line(row, sizes, _measure(run, row) if wanted else None))
        run.log("stopping all processes")
        limits = run.limits
    lines.sort(key=lambda line: line.number)
    path = report.write(_RESULTS, lines, here, sizes, limits=limits, only=sorted(set(arguments.only)))
    print(f"{here.python} ({here.python_build})\n\n{report.table(lines)}")
    print(f"{path.relative_to(ROOT)} written", file=sys.stderr)
    return int(any(line.holds == "no" for line in lines))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
