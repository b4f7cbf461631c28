"""Findings about the shared servers, as their plugins report them."""

import asyncio
from itertools import chain

from scoreboard.application.ports.backend import BackendOptions, ServerPlugin
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.bootstrap.backends import check_backends, server_urls
from scoreboard.bootstrap.registry import server_plugin
from scoreboard.domain.errors import Unavailable, describe_error
from scoreboard.domain.redaction import redact_url

CHECK_S = 8.0


async def diagnose_servers(options: BackendOptions) -> tuple[list[Finding], bool]:
    """Diagnose all servers concurrently, within CHECK_S. Raises SettingsError.

    Returns the findings, and whether the service can open the database.
    """
    check_backends(options)
    plugins = [(server_plugin(setting, url), url) for setting, url in server_urls(options)]
    database, *others = await asyncio.gather(*(_diagnose(plugin, url, options) for plugin, url in plugins))
    usable = not any(finding.state == "problem" for finding in database)
    return [*database, *chain.from_iterable(others)], usable


async def _diagnose(plugin: ServerPlugin, url: str, options: BackendOptions) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_S):
            return [finding async for finding in plugin.diagnose(options)]
    except (Unavailable, TimeoutError) as error:
        reason = error.detail if isinstance(error, Unavailable) else describe_error(error)
        remedy = plugin.remedy(error.__cause__, options)
        return [Finding(plugin.name, "problem", f"{redact_url(url)}: {reason}", remedy)]
