"""A real Chromium, driven by Playwright.

The environment variable CHROMIUM names its program; the default is the installed one.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from harness.missing import missing
from harness.waiting import BOUND_S

expect.set_options(timeout=BOUND_S * 1_000)

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str:
    """Return the path of the browser; skip the test without one."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    return found or missing("install Chromium, or name one in the variable CHROMIUM")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Open a browser for the length of a context."""
    # Root, as in containers, may not use the sandbox; everybody else should.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def viewing(browser: Browser, url: str, *, errors: bool = False, **how: Any) -> AsyncIterator[Page]:
    """Open a page in a new window.

    AssertionError if its console shows errors, unless `errors` are expected.
    """
    context = await browser.new_context(**{"locale": "en-GB", **how})
    context.set_default_timeout(BOUND_S * 1_000)
    page = await context.new_page()
    found: list[str] = []

    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    try:
        await page.goto(url)
        yield page
    finally:
        await context.close()
    assert errors or not found, found
