"""What a page shows, and a foreign site that embeds the board."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from playwright.async_api import Page


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
