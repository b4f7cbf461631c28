"""The tutorial does what it says: every command of it is run, in a fresh folder, as a reader types them."""

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
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser import chromium
from tests.docs.typed import Block, blocks
from tests.running import eventually, free_port
from tools.reference import DOCS

OURS = ("docs", "src", "requirements", "Makefile", "pyproject.toml", "README.md", "LICENSE")


class Reader:
    """Somebody with a copy of the source, who types what the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._terminal = folder.parent / "variables"
        self._terminal.touch()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def type(self, block: Block) -> str:
        """Run it in the terminal that goes on, to its end; what it prints."""
        kept = shlex.quote(str(self._terminal))
        script = f"set -e; source {kept}; {self.mine(block.text)}\ndeclare -px > {kept}"
        run = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, (block.text, run.stdout, run.stderr)
        return run.stdout

    def save(self, block: Block) -> None:
        (self.folder / block.title).write_text(self.mine(block.text))

    @contextmanager
    def leaving_running(self, block: Block) -> Iterator[None]:
        """Run it in a terminal of its own, until Ctrl-C."""
        log = (self.folder.parent / "terminal.log").open("ab")
        running = subprocess.Popen(
            ["bash", "-c", block.text],
            cwd=self.folder,
            env={**self.environment(), "SCOREBOARD_PORT": str(self.port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(running.pid, signal.SIGINT)
            running.wait(60)
            log.close()

    def mine(self, text: str) -> str:
        """The port of the page is not free on every machine."""
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith(("SCOREBOARD_", "MAKE"))}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """In a copy of the source, with what `make run` would install there already."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in OURS:
        source = DOCS.parent / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / ".run").touch()  # newer than what it is made from: `make run` installs nothing
    return Reader(folder)


@pytest.mark.slow
async def test_the_tutorial(reader: Reader) -> None:
    said = ""
    with ExitStack() as terminals:
        for step in blocks(DOCS / "tutorial.md"):
            match step.title:
                case "First terminal":
                    terminals.enter_context(reader.leaving_running(step))
                    await eventually(lambda: asyncio.to_thread(answers, reader.url), "the service answers")
                case "Second terminal":
                    said = await asyncio.to_thread(reader.type, step)
                    assert '"code"' not in said, said
                case "Answer":
                    assert steady(said) == steady(step.text)
                case _:
                    reader.save(step)
        top, end = json.JSONDecoder().raw_decode(said)
        assert [(entry["player"], entry["score"]) for entry in top["entries"]] == [("bob", 37), ("alice", 15)]
        standing = json.loads(said[end:])
        assert (standing["player"], standing["rank"], standing["gap_to_next"]) == ("alice", 2, 22)
        async with chromium() as browser:
            page = await browser.new_page()
            await page.goto(f"{reader.url}/?app=game&board=main")
            await expect(page.locator("body")).to_contain_text("bob")
            await expect(page.locator("body")).to_contain_text("37")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/live", timeout=5):  # noqa: S310
            return True
    except OSError:
        return False


def steady(text: str) -> object:
    """What is said, without ids and times; JSON by its meaning."""
    if text.startswith("{"):
        answer = json.loads(text)
        return {name: "" if name in {"event", "accepted_at"} else value for name, value in answer.items()}
    return re.sub(r"\s+", " ", text).strip()
