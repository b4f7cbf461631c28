"""`scoreboard doctor`: finds problems of an installation, each with its remedy."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter
from rich.table import Column
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
from scoreboard.cli.client import Client
from scoreboard.cli.drift import diagnose_board
from scoreboard.cli.errors import CommandError, RequestRefused
from scoreboard.cli.parameters import Json, Whole
from scoreboard.cli.rebuild import board_paths
from scoreboard.cli.target import DEFAULT, Target, connect, remote_server, run
from scoreboard.entrypoints.contracts.v1 import schema

MOST_ENTRIES = 1_000_000
PATIENCE_S = 60.0
LOG_LEVEL = "critical"  # the report has what the log would have
STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(
    *,
    most_entries: Annotated[
        Whole, Parameter(help="Do not check the ranking of a board with more ledger entries.")
    ] = MOST_ENTRIES,
    json: Json = False,
    server: Target = DEFAULT,
) -> None:
    """Find problems with the installation and print a remedy for each.

    It checks settings, data folder, disk, database, clock, servers and rankings. It changes nothing, and needs no
    running server. With --url, it checks only what the API of the server shows.
    """
    findings = run(_diagnose(server, most_entries))
    problems = sum(finding.state == "problem" for finding in findings)
    if json:
        output.json({"ok": not problems, "findings": findings})
    else:
        table = output.plain_table(Column(no_wrap=True), Column(no_wrap=True), Column(overflow="fold"))
        for finding in findings:
            table.add_row(Text(finding.state, style=STYLES[finding.state]), finding.check, Text(finding.text))
            if finding.remedy is not None:
                table.add_row("", "", Text(f"-> {finding.remedy}"))
        output.renderable(table)
    if problems:
        raise CommandError(f"{output.count(problems, 'problem')} found")


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
        async with connect(target, log_level=LOG_LEVEL) as client:
            if client.served:
                async for finding in _diagnose_server(client):
                    findings.append(finding)
            retrying = replace(client, patience_s=PATIENCE_S)
            for path in await board_paths(retrying):
                rules = await retrying.call("GET", *path, response=schema.Board)
                findings.append(await diagnose_board(retrying, path[1], rules, most_entries))
    except (CommandError, FolderLocked, FolderUnusable, NotUsable) as error:
        findings.append(Finding("server", "problem", str(error), "check that it is running, and read its log"))
    return findings


def _diagnose_folder(local: Settings) -> tuple[list[Finding], bool]:
    """Return findings on the data folder, and whether its boards can be checked."""
    if not local.data.is_dir():
        text = f"{local.data.absolute()} does not exist yet; `scoreboard serve` creates it"
        return [Finding("folder", "ok", text)], False
    served = is_locked(local.data)
    findings, sound = diagnose_data_dir(local.data, served=served)
    if not served:
        findings.append(Finding("server", "ok", "no server is running on this folder; to start one: scoreboard serve"))
        return findings, sound
    if running_url(local.data) is None:
        text = "another process is using the folder and has not published its address"
        remedy = "repeat the check in a moment: a server may be starting, or another command running"
        findings.append(Finding("server", "warning", text, remedy))
        return findings, False
    return findings, True


async def _diagnose_server(client: Client) -> AsyncIterator[Finding]:
    address = client.transport.base
    try:
        await client.call("GET", prefix="/health/ready")
        yield Finding("server", "ok", f"{address} is ready")
    except RequestRefused as error:
        yield Finding("server", "warning", f"{address} is not ready: {error.detail}", "repeat the check later")
    version = (await client.call("GET", prefix="/openapi.json"))["info"]["version"]
    if version == __version__:
        yield Finding("server", "ok", f"its version is {version}, the same as this command's")
    else:
        text = f"its version is {version}, but this command's is {__version__}"
        yield Finding("server", "warning", text, "restart the server, or update this command")
