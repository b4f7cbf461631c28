"""`python -m docs.images.take`: take the pictures of the live page.

They show a running service in a real browser. This needs Chromium and ffmpeg, and looks best if the typeface Inter
is installed.
"""

import asyncio
import base64
import contextlib
import random
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Error, Page

from harness.browser import chromium, viewing
from harness.client import Client
from harness.service import Running, running
from scoreboard.bootstrap.demo import NAMES

HERE = Path(__file__).parent
BOARD = "/v1/apps/arcade/boards/sprint"
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
WALL = {"width": 3840, "height": 2160}
FILM = {"width": 1100, "height": 880}
CHANGES = (("Hana", 420), ("Elif", 510), ("Ines", 260), ("Bruno", 90))
FILM_S = 9.0
FRAMES_PER_S = 12
COLOURS = 128


async def main() -> None:
    chance = random.Random(7)  # noqa: S311 - a picture
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        async with running(work / "data") as service, chromium() as browser:
            players = await prepare(service, chance)
            await still(browser, service, work, "light", "find=hana", viewport=DESK, color_scheme="light")
            await still(browser, service, work, "dark", "find=hana", viewport=DESK, color_scheme="dark")
            await still(browser, service, work, "phone", "", viewport=PHONE, device_scale_factor=2)
            await still(browser, service, work, "tv", "tv", viewport=WALL, color_scheme="dark")
            await film(browser, service, players, work, chance)


async def prepare(service: Running, chance: random.Random) -> Client:
    """Create a board with scores, and return a client that can add to them."""
    operator = service.operator
    (await operator.post("/v1/apps", {"app": "arcade", "name": "Arcade"})).ok(201)
    rules = {"board": "sprint", "name": "Weekly sprint", "period": "weekly", "regions": ["americas", "asia", "europe"]}
    (await operator.post("/v1/apps/arcade/boards", rules)).ok(201)
    (await operator.post("/v1/apps/arcade/boards", {"board": "hall-of-fame", "name": "Hall of fame"})).ok(201)
    players = service.client("server", "arcade")
    for place, name in enumerate(NAMES):
        (await operator.post("/v1/apps/arcade/players", {"player": name.lower(), "username": name})).ok(201)
        await score(players, name, 9_600 - 340 * place + chance.randrange(300))
    return players


async def score(players: Client, name: str, points: int) -> None:
    (await players.post(f"{BOARD}/scores", {"player": name.lower(), "increment": points, "region": "europe"})).ok()


async def shown(page: Page) -> None:
    await page.locator("li.row").nth(9).wait_for()


async def still(browser: Browser, service: Running, work: Path, name: str, query: str, **how: Any) -> None:
    """Save a screenshot after a few changes, in at most COLOURS colours."""
    players = service.client("server", "arcade")
    async with viewing(browser, f"{service.url}/?board=sprint&{query}", **how) as page:
        await shown(page)
        for who, points in CHANGES:
            await page.wait_for_timeout(900)
            await score(players, who, points)
        await page.wait_for_timeout(200)
        taken = work / f"{name}.png"
        await page.screenshot(path=taken)
    palette = f"split[a][b];[a]palettegen=max_colors={COLOURS}:stats_mode=full[p];[b][p]paletteuse=dither=none"
    scale = "scale=1920:-1:flags=lanczos," if name == "tv" else ""
    ffmpeg("-i", taken, "-vf", scale + palette, HERE / f"board-{name}.png")


async def film(browser: Browser, service: Running, players: Client, work: Path, chance: random.Random) -> None:
    """Save an animation of the page, with each frame as long as the browser showed it."""
    frames: list[tuple[float, bytes]] = []
    async with viewing(browser, f"{service.url}/?board=sprint&find=hana", viewport=FILM, color_scheme="light") as page:
        await shown(page)
        session = await page.context.new_cdp_session(page)

        async def keep(event: dict[str, Any]) -> None:
            frames.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
            with contextlib.suppress(Error):  # the window may be closed by then
                await session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

        session.on("Page.screencastFrame", keep)
        await session.send("Page.startScreencast", {"format": "png"})
        until = asyncio.get_running_loop().time() + FILM_S
        while asyncio.get_running_loop().time() < until:
            await score(players, chance.choice(NAMES[:14]), chance.choice((40, 90, 180, 340, 620)))
            await asyncio.sleep(chance.uniform(0.3, 0.8))
        await session.send("Page.stopScreencast")
    lines = []
    frames.sort()
    for number, (at, data) in enumerate(frames):
        (work / f"{number:04}.png").write_bytes(data)
        lasts = max(0.001, frames[number + 1][0] - at) if number + 1 < len(frames) else 0.5
        lines += [f"file {number:04}.png", f"duration {lasts:.4f}"]
    (work / "frames").write_text("\n".join(lines))
    coded = ("-c:v", "libwebp_anim", "-quality", "60", "-compression_level", "6", "-loop", "0")
    ffmpeg("-f", "concat", "-i", work / "frames", "-vf", f"fps={FRAMES_PER_S}", *coded, HERE / "board.webp")


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-y", "-loglevel", "error", *map(str, arguments)], check=True)  # noqa: S603, S607 - our own arguments


if __name__ == "__main__":
    asyncio.run(main())
