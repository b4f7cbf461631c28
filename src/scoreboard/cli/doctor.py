"""`scoreboard doctor`: finds problems of an installation, each with its remedy."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from scoreboard import __version__
from scoreboard.application.ports.backend import NotUsable
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.bootstrap import backends, settings
from scoreboard.bootstrap.data_dir import FolderLocked, FolderUnusable, is_locked, running_url
from scoreboard.bootstrap.diagnostics.local import diagnose_data_dir, diagnose_settings
from scoreboard.bootstrap.diagnostics.servers import diagnose_servers
from scoreboard.bootstrap.serve import configure_logging
from scoreboard.bootstrap.settings import Settings
from scoreboard.cli import output
from scoreboard.cli.client import RetryingClient
from scoreboard.cli.drift import find_drift
from scoreboard.cli.errors import CommandError, RequestRefused
from scoreboard.cli.parameters import Json, Whole
from scoreboard.cli.rebuild import board_paths
from scoreboard.cli.target import Connection, Target, connect, remote_server, run
from scoreboard.entrypoints.contracts.v1 import schema

MOST_ENTRIES = 1_000_000
PATIENCE_S = 60.0
LOG_LEVEL = "critical"  # the report has what the log would have
STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(
    *,
    most_entries: Annotated[
        Whole, Parameter(help="Skip the ranking of a board with more ledger entries.")
    ] = MOST_ENTRIES,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Check settings, data folder, disk, database, clock, servers and rankings, and print a remedy for each problem.

    It changes nothing, and needs no running server. With --url it checks what can be seen from outside.
    """
    findings = run(_diagnose(server or Target(), most_entries))
    problems = sum(finding.state == "problem" for finding in findings)
    if json:
        output.json({"ok": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    if problems:
        raise CommandError(f"{output.count(problems, 'problem')} found")


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(Text(finding.state, style=STYLES[finding.state]), finding.check, Text(finding.text))
        if finding.remedy is not None:
            table.add_row("", "", Text(f"-> {finding.remedy}"))
    output.renderable(table)


async def _diagnose(target: Target, most_entries: int) -> list[Finding]:
    configure_logging(LOG_LEVEL)
    findings: list[Finding] = []
    if remote_server(target) is None:
        local = settings.load(data=target.data)
        findings += diagnose_settings(settings.effective(data=target.data), local)
        if local.database_url:
            found, usable = await diagnose_servers(backends.options_of(local))
        else:
            found, usable = _diagnose_folder(local)
        findings += found
        if not usable:
            return findings
    try:
        async with connect(target, log_level=LOG_LEVEL) as connection:
            async for finding in _diagnose_service(connection, most_entries):
                findings.append(finding)
    except (CommandError, FolderLocked, FolderUnusable, NotUsable) as error:
        findings.append(Finding("server", "problem", str(error), "check that it runs, and read its log"))
    return findings


def _diagnose_folder(local: Settings) -> tuple[list[Finding], bool]:
    """Return findings on the data folder, and whether its boards can be checked."""
    if not local.data.is_dir():
        text = f"{local.data.absolute()} does not exist yet; `scoreboard serve` creates it"
        return [Finding("folder", "ok", text)], False
    served = is_locked(local.data)
    findings, sound = diagnose_data_dir(local.data, served=served)
    if not served:
        return [
            *findings,
            Finding("server", "ok", "no server runs on this folder; to start one: scoreboard serve"),
        ], sound
    if running_url(local.data) is None:
        text = "another process uses the folder, and has not published its address"
        remedy = "repeat the check in a moment: a server is starting, or another command is running"
        return [*findings, Finding("server", "warning", text, remedy)], False
    return findings, True


async def _diagnose_service(connection: Connection, most_entries: int) -> AsyncIterator[Finding]:
    client = connection.client
    if connection.served:
        try:
            await client.get("/health/ready")
            yield Finding("server", "ok", f"{client.base} is ready")
        except RequestRefused as error:
            yield Finding("server", "warning", f"{client.base} is not ready: {error.detail}", "repeat the check later")
        version = (await client.get("/openapi.json"))["info"]["version"]
        if version == __version__:
            yield Finding("server", "ok", f"its version is {version}, like that of this command")
        else:
            text = f"its version is {version}, that of this command is {__version__}"
            yield Finding("server", "warning", text, "restart the server, or update this command")
    retrying = RetryingClient(client, PATIENCE_S)
    for path in await board_paths(retrying):
        rules = await retrying.call("GET", *path, response=schema.Board)
        yield await _diagnose_board(retrying, path[1], rules, most_entries)


async def _diagnose_board(client: RetryingClient, app: str, rules: schema.Board, most_entries: int) -> Finding:
    name = f"{app}/{rules.board}"
    drift = await find_drift(client, app, rules, most_entries)
    if not drift.complete:
        text = f"{name}: not compared, as its ledger has more than {most_entries:,} entries"
        return Finding("ranking", "ok", text, "to compare it, raise --most-entries")
    if drift.differences:
        text = f"{name}: {output.count(len(drift.differences), 'difference')}, such as {drift.differences[0]}"
        remedy = f"scoreboard rebuild --app {app} --board {rules.board}, then repeat the check"
        return Finding("ranking", "problem", text, remedy)
    entries = output.count(drift.entries, "ledger entry", "ledger entries")
    return Finding("ranking", "ok", f"{name}: {entries} match {output.count(drift.standings, 'standing')}")
