"""Helpers for browser tests: the rows of a board, and a foreign site."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from playwright.async_api import Page


async def rows(page: Page) -> list[tuple[str, str, str]]:
    """Return rank, name and score of each row shown, from the top."""
    shown = []
    for row in await page.locator("li.row:not([data-leaving])").all():
        texts = [await row.locator(f":scope > .{part}").inner_text() for part in ("rank", "name", "score")]
        shown.append((texts[0], texts[1], texts[2]))
    return shown


@asynccontextmanager
async def site(port: int, html: str) -> AsyncIterator[str]:
    """Serve one page on an origin other than that of the service."""

    async def page(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=html, content_type="text/html")

    runner = web.ServerRunner(web.Server(page), handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
