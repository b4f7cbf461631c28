"""Makes the pages of `docs/` that follow from the code: `python -m tools.reference`. A test says when they are old."""

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
MADE = "<!-- Made from the code by `make docs`: change the code. -->\n\n"


def codes() -> str:
    """Every code, by the status it comes with, and every close of a live connection."""
    by_status = sorted(CODES.values(), key=status_of)
    lines = [
        "# Codes",
        "Every refusal is a problem detail (RFC 9457) with a `code` that never changes its meaning; `detail` is for "
        "people and may change. A refused request has changed nothing, unless its cause says that this is unknown. In "
        "a batch, and on live connections, the same codes come without a status.",
    ]
    for status, of_it in groupby(by_status, status_of):
        lines.append(f"## {status.value} {status.phrase}")
        for code in of_it:
            lines += [f"### {code.name}", code.cause, f"**What to do**: {code.remedy}"]
    lines += ["## Closes of a WebSocket", "1001 and 4000 to 4499: come back. 4500 to 4999: do not."]
    closes = [f"| {close.code} | {close.cause} | {close.remedy} |" for close in CLOSES]
    lines.append("\n".join(["| code | cause | what to do |", "|---|---|---|", *closes]))
    return "\n\n".join(lines) + "\n"


def command_line() -> str:
    """The help of every command, with its examples."""
    examples = dict(_examples(app, "scoreboard"))
    with patch.object(sys, "argv", ["scoreboard"]):  # or usages would name the program that makes this page
        whole = app.generate_docs()
    whole = re.sub(r"## Table of Contents\n.*?(?=\*\*Commands\*\*)", "", whole, flags=re.DOTALL)
    parts = re.split(r"(?m)^(?=#+ scoreboard)", whole)
    told = [part.rstrip() + examples.get(part.partition("\n")[0].lstrip("# "), "") for part in parts if part]
    states = "0 done; 1 refused, or only done in part; 2 could not be tried; 130 ended by Ctrl-C."
    title = f"# Command line\n\nExit statuses: {states}\n\n"
    return title + "\n\n".join(told).removeprefix("# scoreboard").lstrip() + "\n"


def _examples(command: App, name: str) -> Iterator[tuple[str, str]]:
    """What the help of a command says at its end, by the command's whole name."""
    if command.help_epilogue:
        title, _, lines = command.help_epilogue.partition("\n")
        shown = "\n".join(line.removeprefix("  ") for line in lines.splitlines())
        yield name, f"\n\n{title}\n\n```text\n{shown}\n```"
    for word in command:
        if not word.startswith("-"):
            yield from _examples(command[word], f"{name} {word}")


def api() -> str:
    """Every operation of the OpenAPI document."""
    document = asyncio.run(_openapi())
    described = [(m.upper(), path, o) for path, methods in document["paths"].items() for m, o in methods.items()]
    parts = [
        "# HTTP API",
        "A running service (`serve`, or the `api` role) has this to read and try at `/docs`, and for programs at "
        "`/openapi.json`.",
        document["info"]["description"].replace("(asyncapi.json)", "(live.md)"),
    ]
    for tag in document["tags"]:
        parts.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}")
        parts += [_operation(*one) for one in described if tag["name"] in one[2]["tags"]]
    return "\n\n".join(parts) + "\n"


async def _openapi() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            service.open_service(load({}, data=folder)) as opened,
            listening(opened, "127.0.0.1", 0) as url,
        ):
            asked = await asyncio.to_thread(urllib.request.urlopen, f"{url}/openapi.json")
            with asked:
                document: dict[str, Any] = json.load(asked)
    return document


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"### {operation['summary']}", f"`{method} {path}`", operation["description"]]
    if operation["parameters"]:
        rows = [f"| `{p['name']}` | {p['in']} | {p['description']} |" for p in operation["parameters"]]
        parts.append("\n".join(["| parameter | in | |", "|---|---|---|", *rows]))
    parts += _exchanges(operation)
    refused = [f"{status}: {_links(a)}" for status, a in operation["responses"].items() if int(status) >= 400]
    parts.append("Refused with " + "; ".join(refused) + ".")
    return "\n\n".join(parts)


def _exchanges(operation: dict[str, Any]) -> Iterator[str]:
    """Each example: what is sent, and its answer."""
    sent = _examples_in(operation.get("requestBody", {}))
    for status, answer in operation["responses"].items():
        for name, example in _examples_in(answer).items():
            if name in sent:
                yield _shown("sends", sent[name])
            yield _shown(f"is answered with {status}", example)


def _examples_in(described: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = described.get("content", {}).get("application/json", {}).get("examples", {})
    return found


def _shown(what: str, example: dict[str, Any]) -> str:
    return f"*{example['summary']}* {what}\n\n```json\n{json.dumps(example['value'], indent=2)}\n```"


def _links(answer: dict[str, Any]) -> str:
    known = answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
    return ", ".join(f"[{code}](codes.md#{code})" for code in known)


def settings() -> str:
    """Every setting, by who reads it."""
    parts = [
        "# Settings",
        "Each is a variable of the environment, or the option of the command that reads it; the option wins. An "
        "unknown one is an error that names the nearest. `scoreboard config show` tells what is in force, and what set "
        "it.",
        "## Of the service",
        _table("service"),
        "## Of commands that speak to a server elsewhere",
        _table("commands"),
    ]
    return "\n\n".join(parts) + "\n"


def _table(reader: Reader) -> str:
    rows = [_row(setting) for setting in CATALOGUE if setting.reader == reader]
    return "\n".join(["| variable | option | default | may be | |", "|---|---|---|---|---|", *rows])


def _row(setting: Setting) -> str:
    default = f"`{setting.default}`" if str(setting.default) else "none"
    may_be = f"{setting.range} {setting.unit}".strip() or (f"such as `{setting.example}`" if setting.example else "")
    return f"| `{setting.variable}` | `{setting.option}` | {default} | {may_be} | {setting.meaning} |"


def how_to() -> str:
    return "# How to\n\n" + "\n".join(_list(DOCS / "how-to")) + "\n"


def decisions() -> str:
    """The decisions, in their order."""
    listed = [line.replace("](", "](../decisions/") for line in _list(DOCS / "decisions")]
    return "# Decisions\n\nWhat was decided, and why.\n\n" + "\n".join(listed) + "\n"


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
    """The page as it should be now."""
    return MADE + PAGES[name]()


def main() -> None:
    for name in PAGES:
        (DOCS / name).write_text(made(name))
        print(f"docs/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
