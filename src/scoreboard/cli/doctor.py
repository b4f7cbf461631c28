"""`scoreboard doctor`: what is well and what is not, and what to do about it."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from scoreboard import __version__
from scoreboard.application.ports.backend import NotUsable
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.bootstrap import backends, settings
from scoreboard.bootstrap.data_dir import FolderLocked, FolderUnusable, is_locked, running_url
from scoreboard.bootstrap.diagnostics.local import diagnose_data_dir, diagnose_settings
from scoreboard.bootstrap.diagnostics.servers import diagnose_servers
from scoreboard.bootstrap.serve import configure_logging
from scoreboard.bootstrap.settings import Settings
from scoreboard.cli import show
from scoreboard.cli.client import Client
from scoreboard.cli.drift import drift
from scoreboard.cli.errors import CommandError, RequestRefused
from scoreboard.cli.rebuild import places
from scoreboard.cli.resources import Json, Whole
from scoreboard.cli.retrying import Patient
from scoreboard.cli.target import Connection, Target, connected, elsewhere, run
from scoreboard.entrypoints.contracts.v1 import schema

MOST = 1_000_000  # entries of a board that are read
PATIENCE_S = 60.0
SILENT = "critical"  # the log: what it would say is what the report says
STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(
    *,
    most_entries: Annotated[Whole, Parameter(help="Longer ledgers are not compared with the ranking.")] = MOST,
    json: Json = False,
    server: Target | None = None,
) -> None:
    """Look at settings, folder, disk, store, clock, server and rankings; say what is wrong, and what to do.

    It changes nothing, and works with a server running and without. With --url it looks at what can be seen from here.
    """
    findings = run(_looked(server or Target(), most_entries))
    problems = sum(finding.state == "problem" for finding in findings)
    if json:
        show.document({"well": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        show.statements([(one.state, one.check, one.text, one.remedy) for one in findings], STYLES)
    if problems:
        raise CommandError(f"{show.counted(problems, 'problem')} found")


async def _looked(target: Target, most: int) -> list[Finding]:
    configure_logging(SILENT)
    findings: list[Finding] = []
    if elsewhere(target) is None:
        local = settings.load(data=target.data)
        findings += diagnose_settings(settings.effective(data=target.data), local)
        if not await _usable(local, findings):
            return findings
    try:
        async with connected(target, log_level=SILENT) as connection:
            async for finding in _of_server(connection, most):
                findings.append(finding)
    except (CommandError, FolderLocked, FolderUnusable, NotUsable) as error:
        findings.append(Finding("server", "problem", str(error), "see its log; is it running?"))
    return findings


async def _usable(local: Settings, findings: list[Finding]) -> bool:
    """Looks at what the settings lead to; whether its boards can be looked at, too."""
    if not local.database_url:
        return _at_home(local, findings)
    found, usable = await diagnose_servers(backends.options_of(local))
    findings += found
    return usable


def _at_home(local: Settings, findings: list[Finding]) -> bool:
    """Looks at the data folder; whether its boards can be looked at, too."""
    if not local.data.is_dir():
        findings.append(
            Finding("folder", "ok", f"{local.data.absolute()} is not there yet; `scoreboard serve` makes it")
        )
        return False
    served = is_locked(local.data)
    found, sound = diagnose_data_dir(local.data, served=served)
    findings += found
    if not served:
        findings.append(Finding("server", "ok", "none runs on this folder; to start one: scoreboard serve"))
        return sound
    if running_url(local.data) is None:
        text = "another process has the folder, and does not say where it listens"
        findings.append(Finding("server", "warning", text, "a server that starts or a command: look again in a moment"))
        return False
    return True


async def _of_server(connection: Connection, most: int) -> AsyncIterator[Finding]:
    if connection.served:
        yield await _of_readiness(connection.client)
        yield await _of_version(connection.client)
    client = Patient(connection.client, PATIENCE_S)
    for app, board in await places(client, None, None):
        yield await _of_board(client, app, board, most)


async def _of_readiness(client: Client) -> Finding:
    try:
        await client.get("/health/ready")
    except RequestRefused as error:
        return Finding("server", "warning", f"{client.base} is not ready: {error.detail}", "wait, and look again")
    return Finding("server", "ok", f"{client.base} is ready")


async def _of_version(client: Client) -> Finding:
    version = (await client.get("/openapi.json"))["info"]["version"]
    if version != __version__:
        return Finding(
            "server", "warning", f"it is version {version}, this is {__version__}", "restart the server, or update this"
        )
    return Finding("server", "ok", f"it is version {version}, as this is")


async def _of_board(client: Patient, app: str, board: str, most: int) -> Finding:
    rules = await client.call("GET", "apps", app, "boards", board, answer=schema.Board)
    found = await drift(client, app, rules, most)
    name = f"{app}/{board}"
    if not found.complete:
        text = f"{name}: not compared, as its ledger has more than {most:,} entries"
        return Finding("ranking", "ok", text, "to compare it: --most-entries")
    if found.differences:
        text = f"{name}: {show.counted(len(found.differences), 'difference')}, such as {found.differences[0]}"
        return Finding("ranking", "problem", text, f"scoreboard rebuild --app {app} --board {board}, and look again")
    entries, standings = (
        show.counted(found.entries, "ledger entry", "ledger entries"),
        show.counted(found.standings, "standing"),
    )
    return Finding("ranking", "ok", f"{name}: its {entries} come to the {standings} it shows")
