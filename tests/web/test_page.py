"""Tests of the live page in a real browser."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from harness.browser import viewing
from harness.client import Client
from harness.ports import free_port
from harness.process import process
from harness.service import Running
from harness.waiting import eventually
from tests.making import WIDE
from tests.web.browsing import rows

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

STATE = ".connection .state"
PHONE = {"width": 390, "height": 844}
SCRIPT = "<script>document.title = 'broken in'</script>"
IMAGE = "<img src=x onerror=document.title='broken_in'>"
RECORD_ANIMATIONS = """
window.animated = [];
const animate = Element.prototype.animate;
Element.prototype.animate = function (frames, ...rest) {
  window.animated.push(JSON.stringify(frames));
  return animate.call(this, frames, ...rest);
};
"""
RECORD_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifted += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""
FOCUSED = """() => {
  const node = document.querySelector("live-scoreboard").shadowRoot.activeElement;
  return (node.labels?.[0]?.firstElementChild ?? node.labels?.[0] ?? node).textContent;
}"""
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63f8cfc0f01f0005000201a5f6456d0000000049454e44ae426082"
)


async def score(client: Client, board: str, player: str, points: int) -> None:
    (await client.post(f"{board}/scores", {"player": player, "increment": points})).ok()


async def shows(page: Page, *players: str) -> None:
    """Wait until the board shows these names in this order."""

    async def same() -> bool:
        return [name for _, name, _ in await rows(page)] == list(players)

    await eventually(same, f"the board shows {players}")


@pytest_asyncio.fixture(loop_scope="module")
async def board(service: Running) -> str:
    """A board on which ann leads bob and cid."""
    board_path = await service.board(name="The big one")
    client = service.client("server", "game")
    for player, points in (("ann", 30), ("bob", 20), ("cid", 10)):
        await score(client, board_path, player, points)
    return board_path


@pytest.fixture
def client(service: Running) -> Client:
    return service.client("server", "game")


class TestBoard:
    async def test_rows_move_when_scores_change(
        self, service: Running, browser: Browser, board: str, client: Client
    ) -> None:
        async with viewing(browser, service.url) as page:
            await shows(page, "ann", "bob", "cid")
            await expect(page.locator(".title")).to_have_text("The big one")
            await expect(page).to_have_title("The big one · Scoreboard")
            await expect(page.locator(STATE)).to_have_text("Live")
            await score(client, board, "cid", 25)
            await shows(page, "cid", "ann", "bob")
            assert (await rows(page))[0] == ("1", "cid", "35")
            movement = page.locator("li.row .move .visually-hidden")
            await expect(movement.first).to_have_text("up 2 since you arrived")
            await score(client, board, "dot", 12)
            await expect(movement.last).to_have_text("new since you arrived")
            await expect(page.locator(".facts")).to_contain_text("Players4")

    async def test_rows_glide_and_flash(self, service: Running, browser: Browser, board: str, client: Client) -> None:
        assert await self._animations(service, browser, board, client, "no-preference")

    async def test_reduced_motion_disables_animations(
        self, service: Running, browser: Browser, board: str, client: Client
    ) -> None:
        assert not await self._animations(service, browser, board, client, "reduce")

    async def _animations(
        self, service: Running, browser: Browser, board: str, client: Client, motion: str
    ) -> list[str]:
        """Return the animations when cid overtakes the others, except the fading change."""
        async with viewing(browser, service.url, reduced_motion=motion) as page:
            await page.add_init_script(RECORD_ANIMATIONS)
            await page.reload()
            await shows(page, "ann", "bob", "cid")
            await score(client, board, "cid", 25)
            await shows(page, "cid", "ann", "bob")
            animated: list[str] = await page.evaluate("window.animated")
            assert json.dumps({"opacity": [1, 1, 0]}, separators=(",", ":")) in animated
            lights = await page.locator(".light").evaluate("node => node.getAnimations().length")
            moved = [frames for frames in animated if "transform" in frames or "background" in frames]
            assert bool(lights) == bool(moved)
            return moved

    async def test_player_names_are_shown_as_text(self, service: Running, browser: Browser, client: Client) -> None:
        board_path = await service.board()
        for player, name in (("one", SCRIPT), ("two", IMAGE), (IMAGE[:50], "three")):
            (await service.operator.post("/v1/apps/game/players", {"player": player, "username": name})).ok(201)
            await score(client, board_path, player, 5)
        async with viewing(browser, service.url) as page:
            await shows(page, SCRIPT, IMAGE, "three")
            await page.get_by_label("Find a player").fill(IMAGE[:50])
            await page.keyboard.press("Enter")
            await expect(page.locator(".place > .name")).to_have_text("three")
            await expect(page.locator(".neighbours")).to_contain_text(SCRIPT)
            assert await page.locator("live-scoreboard script, live-scoreboard img").count() == 0
            await expect(page).to_have_title("Main · Scoreboard")

    async def test_initials_replace_pictures_that_cannot_be_loaded(
        self, service: Running, browser: Browser, client: Client
    ) -> None:
        board_path = await service.board()
        pictures = {"ann": "https://img.example/ann.png", "bob": "https://img.example/gone.png", "cid": None}
        for player, picture in pictures.items():
            body = {"player": player, "username": f"{player} lee", "avatar_url": picture}
            (await service.operator.post("/v1/apps/game/players", body)).ok(201)
            await score(client, board_path, player, 5)
        async with viewing(browser, "about:blank", errors=True) as page:
            await page.route("https://img.example/ann.png", lambda route: route.fulfill(body=PIXEL))
            await page.route("https://img.example/gone.png", lambda route: route.abort())
            await page.goto(service.url)
            await shows(page, "ann lee", "bob lee", "cid lee")
            await expect(page.locator(".avatar img")).to_have_count(1)
            width = await page.locator(".avatar img").evaluate(
                "async image => (await image.decode(), image.naturalWidth)"
            )
            assert width == 1
            assert await page.locator(".avatar .letters").all_inner_texts() == ["AL", "BL", "CL"]

    async def test_wide_scores_are_exact_and_formatted_for_the_locale(
        self, service: Running, browser: Browser, client: Client
    ) -> None:
        bounds = {name: str(bound) for name, bound in WIDE.items()}
        board_path = await service.board(operator="latest", **bounds)
        for player, value in (("ann", 2**63 - 1), ("bob", 2**63 - 3)):
            (await client.post(f"{board_path}/scores", {"player": player, "score": str(value)})).ok()
        async with viewing(browser, f"{service.url}/?find=bob", locale="de-DE") as page:
            await shows(page, "ann", "bob")
            assert [shown for _, _, shown in await rows(page)] == [
                "9.223.372.036.854.775.807",
                "9.223.372.036.854.775.805",
            ]
            await expect(page.locator(".place dl")).to_contain_text("To next score2")

    async def test_loading_does_not_shift_the_layout(self, service: Running, browser: Browser, board: str) -> None:
        for size in (PHONE, {"width": 1280, "height": 800}):
            async with viewing(browser, "about:blank", viewport=size) as page:
                await page.add_init_script(RECORD_SHIFTS)
                await page.goto(f"{service.url}/?find=bob")
                await shows(page, "ann", "bob", "cid")
                await expect(page.locator(".place .where")).to_contain_text("of 3")
                await page.wait_for_timeout(300)
                assert await page.evaluate("window.shifted") < 0.01


class TestStates:
    async def test_the_page_reconnects_after_a_server_restart(self, browser: Browser, tmp_path: Path) -> None:
        port, data = free_port(), tmp_path / "data"
        board_path = "/v1/apps/game/boards/main"
        async with aiohttp.ClientSession() as http:
            with process(data, port=port) as first:
                await first.ready()
                client = Client(http, first.url, first.mint("admin", "*"))
                (await client.post("/v1/apps", {"app": "game"})).ok(201)
                (await client.post("/v1/apps/game/boards", {"board": "main"})).ok(201)
                await score(client, board_path, "ann", 5)
                async with viewing(browser, first.url, errors=True) as page:
                    await shows(page, "ann")
                    first.kill()
                    await expect(page.locator(STATE)).to_have_text(re.compile(r"^Reconnecting in \d+ s$"))
                    await expect(page.locator(".sheet")).to_have_class("sheet stale")
                    await expect(page.locator(".freshness")).to_contain_text("Not live – last update")
                    assert await rows(page) == [("1", "ann", "5")]
                    with process(data, port=port) as second:
                        await second.ready()
                        await score(client, board_path, "bob", 50)
                        await shows(page, "bob", "ann")
                        await expect(page.locator(STATE)).to_have_text("Live")
                        await expect(page.locator(".sheet")).to_have_class("sheet")

    async def test_an_unreachable_server_is_retried(self, browser: Browser, service: Running) -> None:
        async with viewing(browser, "about:blank", errors=True) as page:
            await page.route("**/v1/page**", lambda route: route.abort())
            await page.goto(service.url)
            await expect(page.locator(STATE)).to_have_text(re.compile(r"^Retrying in \d+ s$"))
            await page.unroute("**/v1/page**")
            await page.get_by_role("button", name="Try now").click()
            await expect(page.locator(".message h2")).to_have_text("There is no board yet")
            await service.board()
            await expect(page.locator(".message h2")).to_have_text("No scores yet")

    async def test_an_empty_board_shows_how_to_send_a_score(
        self, service: Running, browser: Browser, client: Client
    ) -> None:
        board_path = await service.board()
        async with viewing(browser, service.url) as page:
            await expect(page.locator(".message h2")).to_have_text("No scores yet")
            await expect(page.locator(".message pre")).to_contain_text(f"curl -X POST {service.url}{board_path}/scores")
            await score(client, board_path, "ann", 5)
            await shows(page, "ann")
            await expect(page.locator(".message")).to_be_hidden()

    async def test_a_board_made_private_becomes_stale(self, service: Running, browser: Browser, board: str) -> None:
        async with viewing(browser, service.url) as page:
            await shows(page, "ann", "bob", "cid")
            (await service.operator.patch(board, {"public": False})).ok()
            await expect(page.locator(STATE)).to_have_text("Not available")
            await expect(page.locator(".sheet")).to_have_class("sheet stale")
            await page.reload()
            await expect(page.locator(".message h2")).to_have_text("There is no board yet")

    async def test_a_missing_board_shows_its_error_code(self, service: Running, browser: Browser) -> None:
        await service.board()
        async with viewing(browser, f"{service.url}/?app=game&board=missing") as page:
            await expect(page.locator(".message")).to_contain_text("board_not_found")
            await expect(page.get_by_label("Board")).to_have_value("")
            await page.get_by_label("Board").select_option(label="Main")
            await expect(page.locator(".message h2")).to_have_text("No scores yet")


class TestChoice:
    async def test_boards_and_regions_can_be_chosen(self, service: Running, browser: Browser, client: Client) -> None:
        race = await service.board("race", name="Race", period="weekly", regions=["eu", "us"])
        await service.board("all", name="All time", app="other")
        for player, region in (("ann", "eu"), ("bob", "us")):
            (await client.post(f"{race}/scores", {"player": player, "increment": 5, "region": region})).ok()
        async with viewing(browser, service.url) as page:
            await shows(page, "ann", "bob")
            assert await page.locator("select:visible").count() == 2, "a single season is not offered"
            await page.get_by_label("Region").select_option("us")
            await shows(page, "bob")
            assert "region=us" in page.url
            await page.reload()
            await shows(page, "bob")
            await page.get_by_label("Board").select_option(label="All time")
            await expect(page.locator(".title")).to_have_text("All time")
            await expect(page.locator(".app")).to_have_text("other")
            assert page.url.endswith("?app=other&board=all")
            await page.get_by_label("Board").select_option(label="Race")
            await shows(page, "ann", "bob")

    async def test_a_past_season_can_be_linked(self, service: Running, browser: Browser, client: Client) -> None:
        race = await service.board("race", period="weekly")
        await score(client, race, "ann", 5)
        async with viewing(browser, f"{service.url}/?season=2026-W07") as page:
            await expect(page.get_by_label("Season")).to_have_value("2026-W07")
            await expect(page.locator(".facts")).to_contain_text("Week 7, 2026")
            await page.get_by_label("Season").select_option(label="Current")
            await shows(page, "ann")


class TestFindMe:
    async def test_a_found_player_has_rank_neighbours_and_gap(
        self, service: Running, browser: Browser, client: Client
    ) -> None:
        board_path = await service.board(top_n=3)
        for place in range(9):
            await score(client, board_path, f"p{place + 1}", 100 - 10 * place)
        async with viewing(browser, service.url, errors=True) as page:
            await page.get_by_label("Find a player").fill("p6")
            await page.get_by_role("button", name="Find").click()
            await expect(page.locator(".place .where")).to_have_text("6 of 9")
            facts = await page.locator(".place dl div").all_inner_texts()
            assert [fact.split() for fact in facts] == [
                ["Score", "50"],
                ["Ahead", "of", "37.5%"],
                ["To", "next", "score", "10"],
            ]
            assert await page.locator(".neighbours .name").all_inner_texts() == ["p4", "p5", "p6", "p7", "p8"]
            await expect(page.locator("[role=status]")).to_have_text(
                "p6 has rank 6 of 9. Ahead of 37.5% of the other players. 10 to the next score."
            )
            assert "find=p6" in page.url
            await page.reload()
            await expect(page.locator(".place .where")).to_have_text("6 of 9")
            await page.get_by_label("Find a player").fill("nobody")
            await page.keyboard.press("Enter")
            await expect(page.locator(".missing")).to_have_text("“nobody” has no score here.")
            await expect(page.locator(".place")).to_be_hidden()
            await page.get_by_label("Find a player").fill("p1")
            await page.keyboard.press("Enter")
            await expect(page.locator("li.row[data-own] .name")).to_have_text("p1")
            await page.get_by_role("button", name="Stop following").click()
            await expect(page.locator(".place")).to_be_hidden()
            await expect(page.locator("li.row[data-own]")).to_have_count(0)
            assert "find=" not in page.url

    async def test_the_card_follows_rank_changes(
        self, service: Running, browser: Browser, board: str, client: Client
    ) -> None:
        async with viewing(browser, f"{service.url}/?find=cid") as page:
            await expect(page.locator(".place .where")).to_have_text("3 of 3")
            await score(client, board, "cid", 25)
            await expect(page.locator(".place .where")).to_have_text("1 of 3")
            await expect(page.locator(".place dl")).to_contain_text("Score35")


class TestAccessibility:
    async def test_only_a_new_leader_is_announced_at_once(
        self, service: Running, browser: Browser, board: str, client: Client
    ) -> None:
        async with viewing(browser, service.url) as page:
            await expect(page.locator("[role=status]")).to_have_text("ann leads with 30.")
            await page.evaluate("""() => {
                window.announced = [];
                const region = document.querySelector("live-scoreboard").shadowRoot.querySelector("[role=status]");
                new MutationObserver(() => announced.push(region.textContent)).observe(region, { childList: true });
            }""")
            for place in range(10):
                await score(client, board, ("bob", "cid")[place % 2], 20)
            await shows(page, "bob", "cid", "ann")
            await page.wait_for_timeout(1_500)
            assert await page.evaluate("window.announced") == []

    async def test_all_controls_work_with_the_keyboard(self, service: Running, browser: Browser, board: str) -> None:
        await service.board("second", regions=["eu"])
        async with viewing(browser, f"{service.url}/?board=second", errors=True) as page:
            await expect(page.locator(STATE)).to_have_text("Live")
            reached = []
            for _ in range(4):
                await page.keyboard.press("Tab")
                reached.append(await page.evaluate(FOCUSED))
            assert reached == ["Board", "Region", "Find a player", "Find"]
            outline = await page.evaluate("""() => {
                const root = document.querySelector("live-scoreboard").shadowRoot;
                return getComputedStyle(root.activeElement).outlineStyle;
            }""")
            assert outline == "solid"
            await page.keyboard.press("Shift+Tab")
            await page.keyboard.type("ann")
            await page.keyboard.press("Enter")
            await expect(page.locator(".missing")).to_be_visible()

    @pytest.mark.parametrize(
        ("path", "how"),
        [
            ("/?board=main&find=bob", {"color_scheme": "light"}),
            ("/?board=main&find=bob", {"color_scheme": "dark"}),
            ("/?board=main&find=bob", {"viewport": PHONE}),
            ("/?board=main&find=bob", {"viewport": PHONE, "color_scheme": "dark"}),
            ("/?tv", {"viewport": {"width": 3840, "height": 2160}, "color_scheme": "dark"}),
            ("/?tv", {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "light"}),
            ("/?board=empty", {}),
            ("/?board=missing&app=game", {}),
        ],
    )
    async def test_axe_finds_no_violations(
        self, service: Running, browser: Browser, board: str, path: str, how: dict[str, Any]
    ) -> None:
        await service.board("empty", regions=["eu"])
        async with viewing(browser, service.url + path, reduced_motion="reduce", **how) as page:
            await expect(page.locator("li.row, .message h2").first).to_be_visible()
            if "find" in path:
                await expect(page.locator(".place .where")).to_have_text("2 of 3")
            assert await violations(page) == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_axe_finds_no_violations_on_a_stale_board(
        self, service: Running, browser: Browser, board: str, scheme: str
    ) -> None:
        async with viewing(browser, service.url, reduced_motion="reduce", color_scheme=scheme) as page:
            await shows(page, "ann", "bob", "cid")
            (await service.operator.patch(board, {"public": False})).ok()
            await expect(page.locator(".sheet")).to_have_class("sheet stale")
            assert await violations(page) == []


class TestWallDisplay:
    @pytest.mark.parametrize(("width", "height"), [(3840, 2160), (1920, 1080), (1280, 720), (1080, 1920)])
    async def test_ten_places_fill_the_screen_without_controls(
        self, service: Running, browser: Browser, client: Client, width: int, height: int
    ) -> None:
        board_path = await service.board(top_n=25)
        for place in range(25):
            await score(client, board_path, f"p{place}", 100 - place)
        async with viewing(browser, f"{service.url}/?tv", viewport={"width": width, "height": height}) as page:
            await shows(page, *(f"p{place}" for place in range(10)))
            assert await page.locator("select:visible, input:visible, button:visible").count() == 0
            size = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            assert size[0] <= width
            assert size[1] <= height
            box = await page.locator("li.row").last.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] > height * 0.6
            assert box["height"] > height / 25


async def violations(page: Page) -> list[str]:
    """Return the violations that axe finds, injected by the browser."""
    await page.evaluate(AXE)
    found = await page.evaluate("axe.run()")
    return [f"{v['id']}: {node['html'][:200]}" for v in found["violations"] for node in v["nodes"]]
