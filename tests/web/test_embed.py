"""Tests of the element on a foreign site, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from harness.browser import viewing
from harness.ports import free_port
from harness.service import Running, running
from harness.waiting import eventually
from tests.web.browsing import rows, site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

STATE = ".connection .state"
EXAMPLE = Path(__file__).parents[2] / "docs" / "how-to" / "embed-example.html"
HOSTILE = "* { color: red !important; font-size: 3px; } li, section { display: none; }"


def html(service: str, attributes: str = 'app="game" board="main"', style: str = "", more: str = "") -> str:
    """Return a minimal version of the page in the how-to."""
    return f"""<!doctype html><html lang="en"><title>A shop</title><style>{style}</style>
        <script type="module" src="{service}/embed.js"></script><h1>A shop</h1>
        <live-scoreboard src="{service}" {attributes}><a href="/">The board</a></live-scoreboard>{more}"""


async def send_scores(service: Running, **scores: int) -> None:
    for player, points in scores.items():
        update = {"player": player, "increment": points}
        (await service.client("server", "game").post("/v1/apps/game/boards/main/scores", update)).ok()


async def names(page: Page) -> list[str]:
    return [name for _, name, _ in await rows(page)]


async def colour(page: Page, selector: str) -> str:
    found: str = await page.locator(selector).first.evaluate("node => getComputedStyle(node).backgroundColor")
    return found


async def test_a_page_of_an_allowed_origin_shows_the_live_board(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path / "data", origins=f"http://127.0.0.1:{port}") as service:
        await service.board()
        await send_scores(service, ann=30, bob=20)
        async with (
            site(port, html(service.url, style=HOSTILE + "live-scoreboard { --paint: rgb(1, 2, 3) }")) as shop,
            viewing(browser, shop, color_scheme="light") as page,
        ):
            await expect(page.locator(STATE)).to_have_text("Live")
            assert await names(page) == ["ann", "bob"]
            await send_scores(service, bob=20)
            await expect(page.locator("li.row .name").first).to_have_text("bob")
            assert await colour(page, "li.row") == "rgb(1, 2, 3)"
            size = await page.locator("li.row .name").first.evaluate("node => getComputedStyle(node).fontSize")
            assert size == "16px", "styles of the site do not apply"
            assert not await page.get_by_label("Find a player").is_visible()
            await expect(page.get_by_role("heading", level=2)).to_have_text("Main")


async def test_a_page_of_a_forbidden_origin_shows_the_missing_setting(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path / "data", origins="https://other.example") as service:
        await service.board()
        await send_scores(service, ann=30)
        async with site(port, html(service.url)) as shop, viewing(browser, shop, errors=True) as page:
            await expect(page.locator(STATE)).to_have_text("Not allowed on this site")
            await expect(page.locator(".message pre")).to_have_text(f"SCOREBOARD_ORIGINS={shop}")
            assert await rows(page) == []


async def test_an_unreachable_service_is_retried(browser: Browser, service: Running) -> None:
    unreachable = f"http://127.0.0.1:{free_port()}"
    page_html = html(service.url).replace(
        f'<live-scoreboard src="{service.url}"', f'<live-scoreboard src="{unreachable}"'
    )
    async with site(free_port(), page_html) as shop, viewing(browser, shop, errors=True) as page:
        await expect(page.locator(STATE)).to_have_text(re.compile("^Retrying in"))


async def test_an_invalid_address_is_reported(browser: Browser, service: Running) -> None:
    page_html = html(service.url).replace(f'<live-scoreboard src="{service.url}"', '<live-scoreboard src="http://["')
    async with site(free_port(), page_html) as shop, viewing(browser, shop) as page:
        await expect(page.locator(".message")).to_contain_text("http://[ is not a valid address")


async def test_the_fallback_content_is_shown_without_the_script(browser: Browser) -> None:
    unreachable = f"http://127.0.0.1:{free_port()}"
    async with site(free_port(), html(unreachable)) as shop, viewing(browser, shop, errors=True) as page:
        await expect(page.get_by_role("link", name="The board")).to_be_visible()


async def test_themes(browser: Browser, tmp_path: Path) -> None:
    async with running(tmp_path / "data", origins="*") as service:
        await service.board()
        await send_scores(service, ann=30)
        both = f'<live-scoreboard src="{service.url}" theme="dark" id="dark"></live-scoreboard>'
        page_html = html(service.url, 'theme="light" id="light"', more=both)
        async with site(free_port(), page_html) as shop, viewing(browser, shop, color_scheme="dark") as page:
            await expect(page.locator(STATE)).to_have_text(["Live", "Live"])
            assert await colour(page, "#light") == "rgb(243, 245, 243)"
            assert await colour(page, "#dark") == "rgb(11, 21, 17)"


async def test_changed_attributes_apply_and_removal_disconnects(browser: Browser, tmp_path: Path) -> None:
    async with running(tmp_path / "data", origins="*") as service:
        await service.board()
        await service.board("other", name="Another")
        await send_scores(service, ann=30, bob=20, cid=10)
        async with (
            site(free_port(), html(service.url, 'board="main" limit="2"')) as shop,
            viewing(browser, shop) as page,
        ):
            await expect(page.locator("li.row .name")).to_have_text(["ann", "bob"])
            element = page.locator("live-scoreboard")
            await element.evaluate("node => node.setAttribute('limit', '1')")
            await expect(page.locator("li.row .name")).to_have_text(["ann"])
            await element.evaluate("node => node.setAttribute('find', 'cid')")
            await expect(page.locator(".place .where")).to_have_text("3 of 3")
            await element.evaluate("node => node.removeAttribute('find')")
            await element.evaluate("node => (node.setAttribute('board', 'other'), node.setAttribute('level', '3'))")
            await expect(page.get_by_role("heading", level=3)).to_have_text("Another")
            await expect(page.locator(".message h2")).to_have_text("No scores yet")
            assert service.service.live.connections == 1
            await element.evaluate("node => node.remove()")
            await eventually(lambda: service.service.live.connections == 0)


async def test_the_element_dispatches_events(browser: Browser, tmp_path: Path) -> None:
    async with running(tmp_path / "data", origins="*") as service:
        await service.board()
        await send_scores(service, ann=30)
        listening = """<script>
            window.events = [];
            for (const name of ["board", "change", "state", "choose"])
                document.addEventListener(`scoreboard-${name}`, ({ detail }) => events.push([name, detail]));
        </script>"""
        page_html = html(service.url, "controls", more=listening)
        async with site(free_port(), page_html) as shop, viewing(browser, shop) as page:
            await expect(page.locator("li.row")).to_have_count(1)
            await page.get_by_label("Find a player").fill("ann")
            await page.keyboard.press("Enter")
            events = dict(await page.evaluate("window.events"))
            assert events["board"] == {"app": "game", "board": "main", "name": "Main"}
            assert events["state"] == {"name": "live"}
            assert events["choose"] == {"app": None, "board": None, "season": None, "region": None, "find": "ann"}
            (entry,) = events["change"]["entries"]
            assert (entry["rank"], entry["player"], entry["name"], entry["score"]) == (1, "ann", "ann", 30)
            assert (events["change"]["total"], events["change"]["season"]) == (1, "all")


async def test_the_how_to_example_works(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path / "data", origins=f"http://127.0.0.1:{port}") as service:
        await service.board(app="demo")
        for player, points in (("hana", 30), ("ann", 20)):
            update = {"player": player, "increment": points}
            (await service.client("server", "demo").post("/v1/apps/demo/boards/main/scores", update)).ok()
        example = EXAMPLE.read_text().replace("http://127.0.0.1:8000", service.url)
        async with site(port, example) as shop, viewing(browser, shop) as page:
            await expect(page.locator(STATE)).to_have_text("Live")
            await expect(page.locator("li.row[data-own] .name")).to_have_text("hana")
            await expect(page.locator(".place .where")).to_have_text("1 of 2")
