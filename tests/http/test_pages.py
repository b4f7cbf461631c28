"""The live page over HTTP: its list of boards, its origins and its caching."""

import re
from pathlib import Path

import pytest

from harness.client import Answer
from harness.service import Running, running
from harness.waiting import eventually
from scoreboard.application.standings.public_boards import MAX_LISTED, PublicBoards

ORIGIN = "https://shop.example"
OTHER = "/page/0123456789abcdef"  # of another release
IMMUTABLE = "public, max-age=31536000, immutable"


def origins(answer: Answer) -> list[str]:
    return [value for name, value in answer.headers.items() if name == "Access-Control-Allow-Origin"]


async def module_address(service: Running) -> str:
    """Return the address of the element's module, from the script that embeds it."""
    found = re.search(r'"\.(/page/\w+/element\.js)"', (await service.anybody.get("/embed.js")).raw.decode())
    assert found is not None
    return found[1]


class TestListing:
    async def test_a_public_board_is_listed_with_its_rules(self, service: Running) -> None:
        await service.board(
            "speed", name="Speed run", operator="best", direction="ascending", period="weekly", regions=["eu"], top_n=5
        )
        (await service.operator.post("/v1/apps/game/boards/speed/scores", {"player": "a", "score": 1})).ok()
        answer = (await service.anybody.get("/v1/page")).ok()
        shown = {
            "app": "game",
            "app_name": "game",
            "board": "speed",
            "name": "Speed run",
            "operator": "best",
            "direction": "ascending",
            "period": "weekly",
            "regions": ["eu"],
            "top_n": 5,
        }
        assert answer["shown"] == shown
        assert answer["boards"] == [shown]
        assert [re.fullmatch(r"\d{4}-W\d\d", season) is not None for season in answer["seasons"]] == [True]

    async def test_a_private_board_is_neither_listed_nor_shown(self, service: Running) -> None:
        await service.board(public=False)
        nothing: dict[str, object] = {"shown": None, "seasons": [], "boards": []}
        assert (await service.anybody.get("/v1/page")).ok() == nothing
        assert (await service.anybody.get("/v1/page?app=game&board=main")).ok() == nothing
        assert (await service.anybody.get("/v1/page?app=game&board=missing")).ok() == nothing

    async def test_the_first_matching_board_is_shown(self, service: Running) -> None:
        for app in ("a", "b"):
            for board in ("x", "y"):
                await service.board(board, app=app)

        async def shown(query: str) -> tuple[str, str]:
            found = (await service.anybody.get(f"/v1/page?{query}")).ok()["shown"]
            return found["app"], found["board"]

        assert await shown("limit=1") == ("a", "x")
        assert await shown("app=b") == ("b", "x")
        assert await shown("board=y") == ("a", "y")
        assert await shown("app=b&board=y") == ("b", "y")
        assert len((await service.anybody.get("/v1/page?limit=3")).ok()["boards"]) == 3

    async def test_a_new_board_is_listed_soon(self, service: Running) -> None:
        assert (await service.anybody.get("/v1/page")).ok()["boards"] == []
        await service.board()

        async def listed() -> bool:
            return len((await service.anybody.get("/v1/page")).ok()["boards"]) == 1

        await eventually(listed)

    async def test_the_list_is_bounded(self, service: Running) -> None:
        await service.board("b0")
        for number in range(1, MAX_LISTED + 5):
            (await service.operator.post("/v1/apps/game/boards", {"board": f"b{number}"})).ok(201)
        inside = service.service
        boards = PublicBoards(inside.directory, inside.ledger, lambda: 0)
        assert len(await boards.listed()) == MAX_LISTED
        assert (await service.anybody.get(f"/v1/page?limit={MAX_LISTED + 1}")).refused(400, "invalid_query")
        late = (await service.anybody.get("/v1/page?app=game&board=b204&limit=1")).ok()
        assert late["shown"]["board"] == "b204"


class TestFiles:
    async def test_the_page_allows_no_other_sources(self, service: Running) -> None:
        policy = (await service.anybody.get("/")).headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "*" not in policy

    async def test_modules_are_immutable_and_entry_files_revalidated(self, service: Running) -> None:
        module = await service.anybody.get(await module_address(service))
        assert module.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert module.headers["Cache-Control"] == IMMUTABLE
        for path in ("/", "/embed.js"):
            answer = await service.anybody.get(path)
            assert answer.headers["Cache-Control"] == "no-cache"
            same = await service.anybody.get(path, If_None_Match=answer.headers["ETag"])
            assert (same.status, same.raw) == (304, b"")
            assert (await service.anybody.get(path, If_None_Match='"old"')).status == 200

    async def test_another_release_gets_the_current_files_uncached(self, service: Running) -> None:
        module = await module_address(service)
        other = await service.anybody.get(f"{OTHER}/element.js")
        assert other.raw == (await service.anybody.get(module)).raw
        assert other.headers["Cache-Control"] == "no-cache"

    @pytest.mark.parametrize(
        "name", ["missing.js", "..%2Fservice.py", "client", "client/missing.js", "client/index.d.ts"]
    )
    async def test_other_files_are_not_served(self, service: Running, name: str) -> None:
        assert (await service.anybody.get(f"{OTHER}/{name}")).status == 404


class TestOrigins:
    """Origins: all may read files, listed ones may also read data."""

    @pytest.mark.parametrize("listed", ["", ORIGIN, "*"])
    async def test_the_files_of_the_element_allow_every_origin_once(self, tmp_path: Path, listed: str) -> None:
        async with running(tmp_path / "data", origins=listed) as service:
            modules = (await module_address(service), f"{OTHER}/client/scoreboard.js", f"{OTHER}/board.css")
            for path in ("/embed.js", *modules):
                for origin in (ORIGIN, "https://other.example"):
                    assert origins(await service.anybody.get(path, Origin=origin)) == ["*"], path
            same = await service.anybody.get("/embed.js", Origin=ORIGIN, If_None_Match="*")
            assert (same.status, origins(same)) == (304, ["*"])

    async def test_boards_and_the_page_allow_listed_origins(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data", origins=ORIGIN) as service:
            for path in ("/v1/page", "/"):
                assert origins(await service.anybody.get(path, Origin="https://other.example")) == []
                assert origins(await service.anybody.get(path, Origin=ORIGIN)) == [ORIGIN]
