"""A viewer in front of the page, and somebody else's site to embed it in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, Page, expect

from tests.running import BOUND_S

expect.set_options(timeout=BOUND_S * 1_000)


@asynccontextmanager
async def viewing(browser: Browser, url: str, *, errors: bool = False, **how: Any) -> AsyncIterator[Page]:
    """A page in a window of its own. Unless `errors` are expected, none may be in its console by the end."""
    context = await browser.new_context(**{"locale": "en-GB", **how})
    context.set_default_timeout(BOUND_S * 1_000)
    page = await context.new_page()
    said: list[str] = []

    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    try:
        await page.goto(url)
        yield page
    finally:
        await context.close()
    assert errors or not said, said


async def rows(page: Page) -> list[tuple[str, str, str]]:
    """What the board shows: rank, name and score of each row, top down."""
    shown = []
    for row in await page.locator("li.row:not([data-leaving])").all():
        texts = [await row.locator(f":scope > .{part}").inner_text() for part in ("rank", "name", "score")]
        shown.append((texts[0], texts[1], texts[2]))
    return shown


@asynccontextmanager
async def site(port: int, html: str) -> AsyncIterator[str]:
    """Somebody else's web site: one page, on another origin than the service's."""

    async def page(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=html, content_type="text/html")

    runner = web.ServerRunner(web.Server(page), handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
