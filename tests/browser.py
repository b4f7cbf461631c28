"""A real Chromium, driven by Playwright. CHROMIUM names its program; without it, the one that is installed."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str:
    """Its path. A machine without one skips the test, and CI fails."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is not None:
        return found
    wanted = "install Chromium, or name one in the variable CHROMIUM"
    if "CI" in os.environ:
        pytest.fail(wanted)
    pytest.skip(wanted)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    # Root, as in containers, may not use the sandbox; everybody else should.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()
