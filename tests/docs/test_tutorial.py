"""The tutorial works: every command runs in a fresh folder, as a reader types it."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from harness.browser import chromium
from harness.ports import free_port
from harness.waiting import eventually
from tests.docs.typed import Block, blocks
from tools.reference import DOCS

ADDRESSES = {"First terminal": "http://127.0.0.1:8000/", "Third terminal": "http://127.0.0.1:8080/"}
SOURCES = ("docs", "src", "requirements", "Makefile", "pyproject.toml", "README.md", "LICENSE")


class Reader:
    """A reader who follows the tutorial in a copy of the source.

    `outputs` has the output of each command.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outputs: list[str] = []
        self._ports = {"8000": free_port(), "8080": free_port()}
        self._variables = folder.parent / "variables"
        self._variables.touch()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    async def follow(self, step: Block) -> None:
        match step.title:
            case "First terminal" | "Third terminal":
                await asyncio.to_thread(self.start, step)
                await eventually(lambda: asyncio.to_thread(answers, self.localize(ADDRESSES[step.title])), step.text)
            case "Second terminal":
                self.outputs.append(await asyncio.to_thread(self.type, step))
                assert '"code"' not in self.outputs[-1], self.outputs[-1]
            case "Response" | "Output":
                assert comparable(self.outputs[-1]) == comparable(step.text)
            case file:
                (self.folder / file).parent.mkdir(exist_ok=True)
                (self.folder / file).write_text(self.localize(step.text))

    def type(self, step: Block) -> str:
        """Run a step in the second terminal to its end, and return its output."""
        variables = shlex.quote(str(self._variables))
        script = f"set -e; source {variables}; {self.localize(step.text)}\ndeclare -px > {variables}"
        run = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, (step.text, run.stdout, run.stderr)
        return run.stdout

    def start(self, step: Block) -> None:
        """Start a step in its terminal, after Ctrl-C for the previous one."""
        self.stop(step.title)
        port = str(self._ports["8000"])
        with (self.folder.parent / "terminals.log").open("ab") as log:
            self._running[step.title] = subprocess.Popen(
                ["bash", "-c", self.localize(step.text)],
                cwd=self.folder,
                env={**self._environment(), "SCOREBOARD_PORT": port},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, terminal: str) -> None:
        if terminal in self._running:
            running = self._running.pop(terminal)
            os.killpg(running.pid, signal.SIGINT)
            running.wait(60)

    def close(self) -> None:
        for terminal in list(self._running):
            self.stop(terminal)

    def localize(self, text: str) -> str:
        """Replace the ports of the tutorial with free ones."""
        for written, port in self._ports.items():
            text = text.replace(written, str(port))
        return text

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith(("SCOREBOARD_", "MAKE"))}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader in a copy of the source, with the environment of `make run` in place."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in SOURCES:
        source = DOCS.parent / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / ".run").touch()  # newer than its sources, so that `make run` installs nothing
    reader = Reader(folder)
    yield reader
    reader.close()


@pytest.mark.slow
async def test_every_step_of_the_tutorial_works(reader: Reader) -> None:
    *steps, last = blocks(DOCS / "tutorial.md")
    for step in steps:
        await reader.follow(step)
    top, end = json.JSONDecoder().raw_decode(reader.outputs[-1])
    assert [(entry["player"], entry["score"]) for entry in top["entries"]] == [("bob", 37), ("alice", 15)]
    assert json.loads(reader.outputs[-1][end:])["gap_to_next"] == 22
    async with chromium() as browser:
        pages = [await browser.new_page(), await browser.new_page()]
        await pages[0].goto(reader.localize("http://127.0.0.1:8000/?app=game&board=main"))
        await pages[1].goto(reader.localize("http://127.0.0.1:8080/"))
        for page in pages:
            await expect(page.get_by_text("37", exact=True).first).to_be_visible()
        await reader.follow(last)
        for page in pages:
            await expect(page.get_by_text("65", exact=True).first).to_be_visible()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
            return True
    except OSError:
        return False


def comparable(text: str) -> object:
    """Return an output without ids and times, to compare it. JSON is parsed."""
    if text.startswith("{"):
        answer = json.loads(text)
        return {name: "" if name in {"event", "accepted_at"} else value for name, value in answer.items()}
    return re.sub(r"\s+", " ", text).strip()
