"""`/docs` of a running service, in a real browser.

The page shows the API, sends real requests, and uses no other server.
"""

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


class RecordedPage:
    """A page with its requests, and its errors and warnings."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requested: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def assert_only_requested(self, server: str) -> None:
        """Check that the page had no errors and used this server alone."""
        assert self.errors == []
        others = [url for url in self.requested if not url.startswith((f"{server}/", "data:"))]
        assert (others, len(self.requested) > 4) == ([], True)


@pytest.fixture
async def recorded(service: Running) -> AsyncIterator[RecordedPage]:
    async with chromium() as browser:
        recorded = RecordedPage(await browser.new_page(color_scheme="dark"))
        await recorded.page.goto(f"{service.url}/docs")
        yield recorded


@pytest.mark.slow
async def test_the_page_shows_all_operations_and_uses_no_other_server(service: Running, recorded: RecordedPage) -> None:
    described = (await service.anybody.get("/openapi.json")).ok()
    operations = [(method, path) for path, methods in described["paths"].items() for method in methods]
    await expect(recorded.page.locator(".opblock")).to_have_count(len(operations))
    shown = await recorded.page.locator(".opblock-summary-path").all_text_contents()
    assert sorted(path.replace("\u200b", "") for path in shown) == sorted(path for _, path in operations)
    assert "dark-mode" in (await recorded.page.locator("html").get_attribute("class") or "")
    recorded.assert_only_requested(service.url)


@pytest.mark.slow
async def test_try_it_out_sends_a_real_request_and_shows_the_response(service: Running, recorded: RecordedPage) -> None:
    board = await service.board()
    page = recorded.page
    await authorize(page, service.token("server", "game"))
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
    recorded.assert_only_requested(service.url)


@pytest.mark.slow
async def test_a_token_is_not_stored_by_the_browser(service: Running, recorded: RecordedPage) -> None:
    page = recorded.page
    token = service.token("server", "game")
    await authorize(page, token)
    stored = await page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    )
    assert token not in json.dumps(stored)
    await page.reload()
    await expect(page.get_by_role("button", name="Authorize")).to_have_class(re.compile("unlocked"))


@pytest.mark.slow
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_axe_finds_no_problem_on_the_page_and_in_an_operation(
    service: Running, recorded: RecordedPage, colours: Literal["light", "dark"]
) -> None:
    page = recorded.page
    await page.emulate_media(color_scheme=colours)
    operation = page.locator("#operations-scores-updateScore")
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Execute").click()
    await expect(operation.locator(".live-responses-table .response .response-col_status")).to_contain_text("401")
    await page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = await page.evaluate("axe.run()")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


async def authorize(page: Page, token: str) -> None:
    await page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".modal-ux")
    await dialog.locator("input").fill(token)
    await dialog.get_by_role("button", name="Apply credentials").click()
    await dialog.get_by_role("button", name="Close").last.click()


async def test_the_files_have_a_strict_policy_and_are_cached(service: Running) -> None:
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


def test_vendored_files_have_the_digests_of_their_readme() -> None:
    rows = re.findall(r"\| `(\S+)` \| `(\w+)` \|", (VENDORED / "README.md").read_text())
    assert {name for name, _ in rows} == {"swagger-ui.css", "swagger-ui-bundle.js"}
    for name, digest in rows:
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest
