"""The results: JSON with every raw figure, and a Markdown table."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.machine import Machine
from bench.rows import NOISE, Outcome, Row
from bench.run import Sizes

NOT_MEASURED = "NOT MEASURED"


class Line(msgspec.Struct):
    """A row with its result.

    `reached` and `holds` are yes or no, or - if the row has no target or was not measured at its sizes.
    """

    number: int
    work: str
    goal: str
    reached: str
    must_hold: str
    holds: str
    measured: str
    how: str
    raw: dict[str, object]


def line(row: Row, sizes: Sizes, outcome: Outcome | str | None) -> Line:
    """Return the line of a row.

    `outcome` is the error of a failed row, or None for a row that was not measured.
    """
    wanted = [f"{n:,} {what}" for n, what in ((row.players, "players"), (row.sockets, "sockets")) if n]
    used = [
        f"{n:,} {what}"
        for asked, n, what in ((row.players, sizes.players, "players"), (row.sockets, sizes.sockets, "sockets"))
        if asked
    ]
    reached = holds = "-"
    raw: dict[str, object] = {}
    if outcome is None:
        measured = NOT_MEASURED
    elif isinstance(outcome, str):
        measured, reached, holds = f"FAILED: {outcome}", "no", "no"
    else:
        measured, raw = outcome.text, outcome.raw
        if wanted != used:
            measured = f"{NOT_MEASURED} at this size; at {', '.join(used)}: {measured}"
        elif row.targets:
            results = list(zip(row.targets, outcome.figures, strict=True))
            reached = "yes" if all(target.reached(figure) for target, figure in results) else "no"
            holds = "yes" if all(target.holds(figure) for target, figure in results) else "no"
    how = f"python -m bench --only {row.number}"
    if row.players > Sizes.players:
        how += f" --players {row.players}"
    return Line(
        number=row.number,
        work=f"{row.work} ({', '.join(wanted)})" if wanted else row.work,
        goal=" / ".join(f"{target.goal:,g}{target.unit}" for target in row.targets) or "-",
        reached=reached,
        must_hold=" / ".join(f"{target.must_hold:,g}{target.unit}" for target in row.targets) or "-",
        holds=holds,
        measured=measured,
        how=how,
        raw=raw,
    )


def table(lines: list[Line]) -> str:
    """Return the lines as a Markdown table, and below it the rows that miss a target."""
    text = "| # | work | goal | reached | must hold | holds | measured | how |\n|---|---|---|---|---|---|---|---|\n"
    for one in lines:
        measured = " ".join(one.measured.replace("|", "\\|").split())
        text += f"| {one.number} | {one.work} | {one.goal} | {one.reached} | {one.must_hold} | {one.holds} "
        text += f"| {measured[:600]} | `{one.how}` |\n"
    judged = [one for one in lines if one.holds != "-"]
    worse = [str(one.number) for one in judged if one.holds == "no"]
    open_goals = [str(one.number) for one in judged if one.reached == "no"]
    return f"""{text}
Rows with a target that were measured at their sizes: {len(judged)}.
Rows worse than what must hold, by more than {NOISE:.0%} for noise: {", ".join(worse) or "none"}.
Rows whose goal is not reached yet: {", ".join(open_goals) or "none"}.
"""


def markdown(lines: list[Line], machine: Machine, sizes: Sizes, limits: dict[str, object], when: datetime) -> str:
    """Return the whole page."""
    mark = " (QUICK: smaller sizes and short rounds, for a first look only)" if sizes.quick else ""
    return f"""# Benchmark of {when:%Y-%m-%d}{mark}

Made by `python -m bench`. Server on one core, load on another; each ratio against its limit in the same run, in turns,
{sizes.rounds} rounds of {sizes.seconds:g} s, medians; {sizes.connections} connections. CPU is the scheduler's, of the
whole server process; PostgreSQL, Redis and RabbitMQ share the load's core, unless a row says all
cores. MB and KB are 10^6 and 10^3 bytes. The limits are in `bench/limits/`.

{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB; {machine.system}; {machine.python}
({machine.python_build}), SQLite {machine.sqlite}, aiohttp {machine.aiohttp}, uvloop {machine.uvloop},
scoreboard {machine.scoreboard}.
Data on {machine.filesystem}: 4 KiB and fsync {machine.fsync_p50_ms} ms (p50), {machine.fsync_p99_ms} ms (p99).
Load average before: {machine.load_average}.

{table(lines)}
Limits: {"; ".join(f"{name}: {_figures(figures)}" for name, figures in limits.items()) or "none taken"}.
"""


def _figures(figures: object) -> str:
    if not isinstance(figures, dict):
        return str(figures)
    return ", ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in figures.items()
    )


def write(
    folder: Path, lines: list[Line], machine: Machine, sizes: Sizes, *, limits: dict[str, object], only: list[int]
) -> Path:
    """Write the JSON file and return its path.

    After a run of all rows at full size, write `latest.md` too.
    """
    when = datetime.now(UTC)
    folder.mkdir(exist_ok=True)
    name = f"{when:%Y-%m-%d}-{machine.short}"
    if sizes.players != Sizes.players and not sizes.quick:
        name += f"-{sizes.players}-players"
    name += "-quick" if sizes.quick else ""
    name += "".join(f"-row-{number}" for number in only)
    content = {
        "date": when.isoformat(timespec="seconds"),
        "quick": sizes.quick,
        "sizes": asdict(sizes),
        "machine": msgspec.to_builtins(machine),
        "limits": limits,
        "rows": msgspec.to_builtins(lines),
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    if not only and not sizes.quick:
        (folder / "latest.md").write_text(markdown(lines, machine, sizes, limits, when))
    return path
