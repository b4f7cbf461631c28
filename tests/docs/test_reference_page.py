"""`/docs` of a running service, in a real browser: it shows the API, sends real requests, and needs nobody else."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import ConsoleMessage, Page, expect

from harness.browser import chromium
from harness.service import Running, running

VENDORED = files("scoreboard.entrypoints.pages") / "docs" / "swagger-ui"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path / "data") as started:
        yield started


class Watched:
    """A page, and all that it asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def needed_nobody_but(self, server: str) -> None:
        """It asked this server alone, and did so."""
        assert self.complaints == []
        elsewhere = [url for url in self.asked if not url.startswith((f"{server}/", "data:"))]
        assert (elsewhere, len(self.asked) > 4) == ([], True)


@pytest.fixture
async def watched(service: Running) -> AsyncIterator[Watched]:
    async with chromium() as browser:
        seen = Watched(await browser.new_page(color_scheme="dark"))
        await seen.page.goto(f"{service.url}/docs")
        yield seen


@pytest.mark.slow
async def test_it_shows_every_operation_and_asks_nobody_else(service: Running, watched: Watched) -> None:
    described = (await service.anybody.get("/openapi.json")).ok()
    operations = [(method, path) for path, methods in described["paths"].items() for method in methods]
    await expect(watched.page.locator(".opblock")).to_have_count(len(operations))
    shown = await watched.page.locator(".opblock-summary-path").all_text_contents()
    assert sorted(path.replace("\u200b", "") for path in shown) == sorted(path for _, path in operations)
    assert "dark-mode" in (await watched.page.locator("html").get_attribute("class") or "")
    watched.needed_nobody_but(service.url)


@pytest.mark.slow
async def test_try_it_out_sends_a_real_request_and_shows_its_answer(service: Running, watched: Watched) -> None:
    board = await service.board()
    page = watched.page
    await authorized(page, service.token("server", "game"))
    operation = page.locator("#operations-scores-updateScore")
    await operation.locator(".opblock-summary-control").click()
    await expect(operation.get_by_label("Request body")).to_have_value(re.compile('"increment": 5'))
    await operation.get_by_role("textbox", name="Idempotency-Key").fill("try-1")
    await operation.get_by_role("button", name="Execute").click()
    shown = operation.locator(".live-responses-table .response-col_description pre").first
    await expect(shown).to_contain_text('"score": 5')
    await expect(operation.locator(".live-responses-table .response .response-col_status")).to_contain_text("200")
    standing: dict[str, Any] = (await service.anybody.get(f"{board}/players/alice")).ok()
    assert (standing["score"], standing["rank"]) == (5, 1)
    watched.needed_nobody_but(service.url)


@pytest.mark.slow
async def test_a_token_stays_in_the_memory_of_the_page(service: Running, watched: Watched) -> None:
    page = watched.page
    token = service.token("server", "game")
    await authorized(page, token)
    kept = await page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    )
    assert token not in json.dumps(kept)
    await page.reload()
    await expect(page.get_by_role("button", name="Authorize")).to_have_class(re.compile("unlocked"))


@pytest.mark.slow
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_axe_finds_nothing_on_the_page_and_in_an_operation(
    service: Running, watched: Watched, colours: Literal["light", "dark"]
) -> None:
    page = watched.page
    await page.emulate_media(color_scheme=colours)
    operation = page.locator("#operations-scores-updateScore")
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Execute").click()
    await expect(operation.locator(".live-responses-table .response .response-col_status")).to_contain_text("401")
    await page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = await page.evaluate("axe.run()")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


async def authorized(page: Page, token: str) -> None:
    await page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".modal-ux")
    await dialog.locator("input").fill(token)
    await dialog.get_by_role("button", name="Apply credentials").click()
    await dialog.get_by_role("button", name="Close").last.click()


async def test_its_files_come_with_a_strict_policy_and_are_asked_for_once(service: Running) -> None:
    page = await service.anybody.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    names = re.findall(r'"docs/([a-z.-]+)"', page.raw.decode())
    assert set(names) == {"swagger-ui.css", "docs.css", "swagger-ui-bundle.js", "docs.js"}
    for name in names:
        file = await service.anybody.get(f"/docs/{name}")
        assert file.status == 200
        assert (await service.anybody.get(f"/docs/{name}", If_None_Match=file.headers["ETag"])).status == 304
    (await service.anybody.get("/docs/LICENSE")).refused(404, "file_not_found")


def test_what_is_vendored_is_what_its_note_says() -> None:
    rows = re.findall(r"\| `(\S+)` \| `(\w+)` \|", (VENDORED / "README.md").read_text())
    assert {name for name, _ in rows} == {"swagger-ui.css", "swagger-ui-bundle.js"}
    for name, digest in rows:
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest
