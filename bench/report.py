"""The results: JSON with every raw figure, and a Markdown table."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.machine import Machine
from bench.rows import Outcome, Row
from bench.run import Sizes

NOT_MEASURED = "NOT MEASURED"


class Line(msgspec.Struct):
    """A row with what came of it. `met`: yes, no, or - where nothing is asked or the asked size was not run."""

    number: int
    work: str
    at_least: str
    aim: str
    measured: str
    met: str
    aim_met: str
    how: str
    raw: dict[str, object]


def line(row: Row, sizes: Sizes, outcome: Outcome | str | None) -> Line:
    """The row's line; `outcome` is a text when it failed, None when it was not run."""
    asked = [f"{n:,} {what}" for n, what in ((row.players, "players"), (row.sockets, "sockets")) if n]
    ran = [
        f"{n:,} {what}"
        for wanted, n, what in ((row.players, sizes.players, "players"), (row.sockets, sizes.sockets, "sockets"))
        if wanted
    ]
    met = aim_met = "-"
    raw: dict[str, object] = {}
    if outcome is None:
        measured = NOT_MEASURED
    elif isinstance(outcome, str):
        measured, met, aim_met = f"FAILED: {outcome}", "no", "no"
    else:
        measured, raw = outcome.text, outcome.raw
        if asked == ran:
            met, aim_met = _word(outcome.met), _word(outcome.aim_met)
        else:
            measured = f"{NOT_MEASURED} at this size; at {', '.join(ran)}: {measured}"
    work = f"{row.work} ({', '.join(asked)})" if asked else row.work
    how = f"python -m bench --only {row.number}"
    if row.players > Sizes.players:
        how += f" --players {row.players}"
    return Line(row.number, work, row.at_least, row.aim, measured, met, aim_met, how, raw)


def _word(met: bool | None) -> str:
    return "-" if met is None else "yes" if met else "no"


def table(lines: list[Line]) -> str:
    """The lines as a Markdown table."""
    text = "| # | work | at least | aim | measured | met | aim met | how |\n|---|---|---|---|---|---|---|---|\n"
    for one in sorted(lines, key=lambda this: this.number):
        measured = " ".join(one.measured.replace("|", "\\|").split())
        text += f"| {one.number} | {one.work} | {one.at_least or '-'} | {one.aim or '-'} | {measured[:600]} "
        text += f"| {one.met} | {one.aim_met} | `{one.how}` |\n"
    return text


def markdown(lines: list[Line], machine: Machine, sizes: Sizes, limits: dict[str, object], when: datetime) -> str:
    """The whole page."""
    mark = " (QUICK: smaller sizes, short rounds; for a first look only)" if sizes.quick else ""
    return f"""# Benchmark of {when:%Y-%m-%d}{mark}

Made by `python -m bench`. Server on one core, load on another; each ratio against its limit in the same run, in turn,
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
    """Write the JSON file, and `latest.md` when all rows were asked for; the path of the JSON file."""
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
    if not only:
        (folder / "latest.md").write_text(markdown(lines, machine, sizes, limits, when))
    return path
