"""`python -m tools.reference`: writes the pages of `docs/` made from the code.

A test fails when a page is outdated.
"""

import asyncio
import json
import re
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cyclopts import App

from scoreboard.application.live.close_codes import CLOSES
from scoreboard.bootstrap import service
from scoreboard.bootstrap.listening import listening
from scoreboard.bootstrap.settings import CATALOGUE, Reader, Setting, load
from scoreboard.cli.main import app
from scoreboard.entrypoints.contracts.v1.errors import CODES, status_of

DOCS = Path(__file__).parents[1] / "docs"
NOTICE = "<!-- Generated from the code by `make docs`. Change the code instead. -->\n\n"


def codes() -> str:
    """Render the codes by status, and the close codes of live connections."""
    by_status = sorted(CODES.values(), key=status_of)
    lines = [
        "# Codes",
        "Every refusal is a problem detail (RFC 9457) with a `code`, whose meaning never changes. Its `detail` is for "
        "people and may change. A refused request has changed nothing, unless the cause of its code states that this "
        "is unknown. The results of batches and the messages of live connections have the same codes without a status.",
    ]
    for status, group in groupby(by_status, status_of):
        lines.append(f"## {status.value} {status.phrase}")
        for code in group:
            lines += [f"### {code.name}", code.cause, f"**Remedy**: {code.remedy}"]
    lines += ["## Closes of a WebSocket", "Reconnect after 1001 and 4000 to 4499, but not after 4500 to 4999."]
    closes = [f"| {close.code} | {close.cause} | {close.remedy} |" for close in CLOSES]
    lines.append("\n".join(["| code | cause | remedy |", "|---|---|---|", *closes]))
    return "\n\n".join(lines) + "\n"


def command_line() -> str:
    """Render the help of every command, with its examples."""
    examples = dict(_epilogues(app, "scoreboard"))
    with patch.object(sys, "argv", ["scoreboard"]):  # the usage lines contain the name of the running program
        text = app.generate_docs()
    text = re.sub(r"## Table of Contents\n.*?(?=\*\*Commands\*\*)", "", text, flags=re.DOTALL)
    parts = re.split(r"(?m)^(?=#+ scoreboard)", text)
    commands = [part.rstrip() + examples.get(part.partition("\n")[0].lstrip("# "), "") for part in parts if part]
    statuses = "0 done; 1 refused, or only partly done; 2 could not be attempted; 130 interrupted by Ctrl-C."
    title = f"# Command line\n\nExit statuses: {statuses}\n\n"
    return title + "\n\n".join(commands).removeprefix("# scoreboard").lstrip() + "\n"


def _epilogues(command: App, name: str) -> Iterator[tuple[str, str]]:
    """Yield the full name of each command, with the end of its help in Markdown."""
    if command.help_epilogue:
        title, _, lines = command.help_epilogue.partition("\n")
        examples = "\n".join(line.removeprefix("  ") for line in lines.splitlines())
        yield name, f"\n\n{title}\n\n```text\n{examples}\n```"
    for word in command:
        if not word.startswith("-"):
            yield from _epilogues(command[word], f"{name} {word}")


def api() -> str:
    """Render the operations of the OpenAPI document, by tag."""
    document = asyncio.run(_openapi())
    operations = [(m.upper(), path, o) for path, methods in document["paths"].items() for m, o in methods.items()]
    parts = [
        "# HTTP API",
        "A running service (`serve`, or the `api` role) has an interactive version of this page at `/docs`, and the "
        "OpenAPI document at `/openapi.json`.",
        document["info"]["description"].replace("(asyncapi.json)", "(live.md)"),
    ]
    for tag in document["tags"]:
        parts.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}")
        parts += [_operation(*operation) for operation in operations if tag["name"] in operation[2]["tags"]]
    return "\n\n".join(parts) + "\n"


async def _openapi() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            service.open_service(load({}, data=folder)) as opened,
            listening(opened, "127.0.0.1", 0) as url,
        ):
            response = await asyncio.to_thread(urllib.request.urlopen, f"{url}/openapi.json")
            with response:
                document: dict[str, Any] = json.load(response)
    return document


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"### {operation['summary']}", f"`{method} {path}`", operation["description"]]
    if operation["parameters"]:
        rows = [f"| `{p['name']}` | {p['in']} | {p['description']} |" for p in operation["parameters"]]
        parts.append("\n".join(["| parameter | in | |", "|---|---|---|", *rows]))
    parts += _exchanges(operation)
    refusals = [f"{status}: {_links(r)}" for status, r in operation["responses"].items() if int(status) >= 400]
    parts.append("Refusals:\n\n" + "\n".join(f"- {refusal}" for refusal in refusals))
    return "\n\n".join(parts)


def _exchanges(operation: dict[str, Any]) -> Iterator[str]:
    """Yield the request and the response of each example."""
    requests = _examples(operation.get("requestBody", {}))
    for status, response in operation["responses"].items():
        for name, example in _examples(response).items():
            if name in requests:
                yield _json(f"*{example['summary']}*: request", requests[name])
                yield _json(f"Response {status}", example)
            else:
                yield _json(f"*{example['summary']}*: response {status}", example)


def _examples(body: dict[str, Any]) -> dict[str, Any]:
    examples: dict[str, Any] = body.get("content", {}).get("application/json", {}).get("examples", {})
    return examples


def _json(title: str, example: dict[str, Any]) -> str:
    return f"{title}\n\n```json\n{json.dumps(example['value'], indent=2)}\n```"


def _links(response: dict[str, Any]) -> str:
    names = response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
    return ", ".join(f"[{name}](codes.md#{name})" for name in names)


def settings() -> str:
    """Render the settings, by the commands that read them."""
    parts = [
        "# Settings",
        "Each setting is an environment variable, and an option of the commands that read it. The option takes "
        "precedence. An unknown setting is an error that suggests the nearest name. `scoreboard config show` prints "
        "the current values and their sources.",
        "## Settings of the service",
        _table("service"),
        "## Settings of commands that call a running server",
        _table("commands"),
    ]
    return "\n\n".join(parts) + "\n"


def _table(reader: Reader) -> str:
    rows = [_row(setting) for setting in CATALOGUE if setting.reader == reader]
    return "\n".join(["| variable | option | default | allowed | meaning |", "|---|---|---|---|---|", *rows])


def _row(setting: Setting) -> str:
    default = f"`{setting.default}`" if str(setting.default) else "none"
    allowed = f"{setting.range} {setting.unit}".strip() or (f"such as `{setting.example}`" if setting.example else "")
    return f"| `{setting.variable}` | `{setting.option}` | {default} | {allowed} | {setting.meaning} |"


def how_to() -> str:
    return "# How to\n\n" + "\n".join(_list(DOCS / "how-to")) + "\n"


def decisions() -> str:
    """Render the list of decisions, in order."""
    listed = [line.replace("](", "](../decisions/") for line in _list(DOCS / "decisions")]
    return "# Decisions\n\nThe decisions of the project, with their reasons.\n\n" + "\n".join(listed) + "\n"


def _list(folder: Path) -> Iterator[str]:
    for page in sorted(folder.glob("*.md")):
        if page.name != "index.md":
            title = page.read_text().partition("\n")[0].removeprefix("# ")
            yield f"- [{title}]({page.name})"


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/codes.md": codes,
    "reference/cli.md": command_line,
    "reference/settings.md": settings,
    "reference/api.md": api,
    "how-to/index.md": how_to,
    "explanation/decisions.md": decisions,
}


def made(name: str) -> str:
    """Return the current content of a page."""
    return NOTICE + PAGES[name]()


def main() -> None:
    for name in PAGES:
        (DOCS / name).write_text(made(name))
        print(f"docs/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
