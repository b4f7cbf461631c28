"""Reads of a board by clients."""

import asyncio
import random
from pathlib import Path
from typing import Any, cast

import pytest

from harness.client import Client
from harness.service import Running, running
from harness.waiting import eventually
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.bootstrap.timings import Timings


async def fill_board(service: Running, scores: dict[str, int], **rules: Any) -> str:
    board = await service.board(**rules)
    field = "increment" if rules.get("operator", "increment") == "increment" else "score"
    updates = [{"player": player, field: score} for player, score in scores.items()]
    answer = (await service.client("server", "game").post(f"{board}/scores/batch", {"updates": updates})).ok()
    assert answer["refused"] == 0
    return board


async def names(client: Client, address: str) -> list[str]:
    return [entry["player"] for entry in (await client.get(address)).ok()["entries"]]


TEN = {f"p{n}": 100 - n for n in range(10)}


class TestTop:
    async def test_a_page_has_its_position_and_entries(self, service: Running) -> None:
        board = await fill_board(service, {"alice": 5, "bob": 7})
        await service.operator.patch("/v1/apps/game/players/alice", {"username": "Alice", "avatar_url": "/a.png"})
        answer = await service.anybody.get(f"{board}/top")
        page = answer.ok()
        reached = [entry.pop("reached_at") for entry in page["entries"]]
        assert all(text.endswith("Z") for text in reached)
        assert page.pop("epoch")
        assert page.pop("offset") > 0
        assert page == {
            "app": "game",
            "board": "main",
            "season": "all",
            "region": None,
            "total": 2,
            "rank_state": "exact",
            "entries": [
                {"rank": 1, "player": "bob", "username": "bob", "avatar_url": None, "score": 7},
                {"rank": 2, "player": "alice", "username": "Alice", "avatar_url": "/a.png", "score": 5},
            ],
            "next_cursor": None,
        }
        assert answer.headers["Cache-Control"] == "public, no-cache"

    async def test_pages_follow_each_other_to_the_end(self, service: Running) -> None:
        board = await fill_board(service, TEN)
        seen, query = [], "?limit=3"
        while True:
            page = (await service.anybody.get(f"{board}/top{query}")).ok()
            seen += [(entry["rank"], entry["player"]) for entry in page["entries"]]
            if page["next_cursor"] is None:
                break
            query = f"?limit=3&cursor={page['next_cursor']}"
        assert seen == [(n + 1, f"p{n}") for n in range(10)]

    async def test_pages_neither_repeat_nor_skip_unmoved_players(self, service: Running) -> None:
        # Between two pages, players of the first fall below it, and others rise into it.
        scores = {f"p{n:02}": 1_000 - n for n in range(40)}
        board = await fill_board(service, scores)
        server = service.client("server", "game")
        chance = random.Random(8)
        movers = set(chance.sample(sorted(scores), 15))
        seen: list[str] = []
        query = "?limit=4"
        while True:
            page = (await service.anybody.get(f"{board}/top{query}")).ok()
            seen += [entry["player"] for entry in page["entries"]]
            if page["next_cursor"] is None:
                break
            query = f"?limit=4&cursor={page['next_cursor']}"
            for player in chance.sample(sorted(movers), 5):
                await server.post(f"{board}/scores", {"player": player, "increment": chance.randint(-60, 60)})
        stayed = [player for player in seen if player not in movers]
        assert stayed == [player for player in scores if player not in movers]

    async def test_a_cursor_is_valid_for_its_table_only(self, service: Running) -> None:
        board = await fill_board(service, TEN, regions=["eu"])
        other = await service.board("other")
        cursor = (await service.anybody.get(f"{board}/top?limit=3")).ok()["next_cursor"]
        (await service.anybody.get(f"{other}/top?cursor={cursor}")).refused(400, "invalid_cursor")
        (await service.anybody.get(f"{board}/top?region=eu&cursor={cursor}")).refused(400, "invalid_cursor")
        forged = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
        for text in (forged, cursor[:-4], "", "x", "%C3%A9", "%00", cursor * 20):
            (await service.anybody.get(f"{board}/top?cursor={text}")).refused(400, "invalid_cursor")

    async def test_a_cursor_survives_a_restart(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data") as service:
            board = await fill_board(service, TEN)
            cursor = (await service.anybody.get(f"{board}/top?limit=3")).ok()["next_cursor"]
        async with running(tmp_path / "data") as service:
            assert await names(service.anybody, f"{board}/top?limit=3&cursor={cursor}") == ["p3", "p4", "p5"]

    async def test_an_unchanged_page_is_not_sent_again(self, service: Running) -> None:
        board = await fill_board(service, TEN)
        first = await service.anybody.get(f"{board}/top")
        tag = first.headers["ETag"]
        again = await service.anybody.get(f"{board}/top", If_None_Match=tag)
        assert (again.status, again.raw, again.headers["ETag"]) == (304, b"", tag)
        assert (await service.anybody.get(f"{board}/top", If_None_Match=f'"x", {tag}')).status == 304
        assert (await service.anybody.get(f"{board}/top", If_None_Match=f"W/{tag}")).status == 304
        assert (await service.anybody.get(f"{board}/top", If_None_Match="*")).status == 304
        assert (await service.anybody.get(f"{board}/top", If_None_Match='"x"')).status == 200

    @pytest.mark.parametrize("change", ["score", "name", "size"])
    async def test_a_changed_page_is_sent_again(self, service: Running, change: str) -> None:
        board = await fill_board(service, TEN)
        tag = (await service.anybody.get(f"{board}/top")).headers["ETag"]
        match change:
            case "score":
                await service.client("server", "game").post(f"{board}/scores", {"player": "p9", "increment": 1})
            case "name":
                (await service.operator.patch("/v1/apps/game/players/p3", {"username": "New"})).ok()
            case "size":
                (await service.operator.patch(board, {"top_n": 3})).ok()
        changed = await service.anybody.get(f"{board}/top", If_None_Match=tag)
        assert changed.status == 200
        assert changed.headers["ETag"] != tag
        if change == "size":
            assert len(changed.body["entries"]) == 3

    async def test_a_new_name_is_in_the_top_at_once(self, service: Running) -> None:
        board = await fill_board(service, TEN)
        for name in ("One", "Two", "Three"):
            (await service.operator.patch("/v1/apps/game/players/p0", {"username": name})).ok()
            for _ in range(2):
                assert (await service.anybody.get(f"{board}/top?limit=1")).ok()["entries"][0]["username"] == name

    @pytest.mark.parametrize(
        ("numbering", "ranks"),
        [("ordinal", [1, 2, 3, 4, 5]), ("competition", [1, 2, 2, 4, 4]), ("dense", [1, 2, 2, 3, 3])],
    )
    async def test_ranks_follow_the_numbering_of_the_board(
        self, service: Running, numbering: str, ranks: list[int]
    ) -> None:
        board = await fill_board(service, {"a": 9, "b": 7, "c": 7, "d": 1, "e": 1}, numbering=numbering)
        page = (await service.anybody.get(f"{board}/top")).ok()
        assert [entry["rank"] for entry in page["entries"]] == ranks
        for player, rank in zip("abcde", ranks, strict=True):
            assert (await service.anybody.get(f"{board}/players/{player}")).ok()["rank"] == rank
        tail = (await service.anybody.get(f"{board}/players/e/around?radius=1")).ok()
        assert [entry["rank"] for entry in tail["entries"]] == ranks[2:]

    @pytest.mark.parametrize(("ties", "order"), [("earliest", "abc"), ("latest", "cba"), ("shared", "abc")])
    async def test_equal_scores_follow_the_ties_of_the_board(self, service: Running, ties: str, order: str) -> None:
        board = await fill_board(service, {"a": 5, "b": 5, "c": 5}, ties=ties)
        assert await names(service.anybody, f"{board}/top") == list(order)

    async def test_ids_may_be_of_any_script(self, service: Running) -> None:
        players = ["søren", "小明", "a b", "a/b", "a?b", "100%", "%2F", "..", "😀", "query", "around", "x" * 50]
        board = await fill_board(service, {player: n for n, player in enumerate(players)})
        for player in players:
            quoted = "".join(f"%{byte:02X}" for byte in player.encode())
            standing = (await service.anybody.get(f"{board}/players/{quoted}")).ok()
            assert standing["player"] == player
            (await service.anybody.get(f"{board}/players/{quoted}/around")).ok()

    @pytest.mark.parametrize("player", ["query", "around", "batch", "top"])
    async def test_an_id_may_equal_a_word_of_an_address(self, service: Running, player: str) -> None:
        board = await fill_board(service, {player: 5})
        assert (await service.anybody.get(f"{board}/players/{player}")).ok()["score"] == 5
        assert len((await service.anybody.get(f"{board}/players/{player}/around")).ok()["entries"]) == 1

    async def test_an_empty_board_has_an_exact_empty_ranking(self, service: Running) -> None:
        board = await service.board()
        page = (await service.anybody.get(f"{board}/top")).ok()
        assert (page["total"], page["entries"], page["next_cursor"], page["rank_state"]) == (0, [], None, "exact")

    async def test_concurrent_readers_never_see_an_older_board(self, service: Running) -> None:
        board = await fill_board(service, TEN)
        server = service.client("server", "game")
        going = True

        async def write() -> None:
            nonlocal going
            for n in range(200):
                await server.post(f"{board}/scores", {"player": f"p{n % 10}", "increment": 1})
            going = False

        async def read() -> None:
            offset, total = 0, 0
            while going:
                page = (await service.anybody.get(f"{board}/top")).ok()
                scores = sum(entry["score"] for entry in page["entries"])
                assert page["offset"] >= offset
                assert scores >= total
                offset, total = page["offset"], scores

        await asyncio.gather(write(), *(read() for _ in range(5)))


class TestStanding:
    async def test_a_standing_has_rank_ties_percentile_and_gap(self, service: Running) -> None:
        board = await fill_board(service, {"a": 10, "b": 7, "c": 7, "d": 1, "e": 0})
        standing = (await service.anybody.get(f"{board}/players/c")).ok()
        assert standing.pop("reached_at")
        assert standing == {
            "player": "c",
            "season": "all",
            "region": None,
            "score": 7,
            "rank": 3,
            "rank_state": "exact",
            "total": 5,
            "ties": 1,
            "percentile": 50.0,
            "gap_to_next": 3,
        }
        best = (await service.anybody.get(f"{board}/players/a")).ok()
        assert (best["rank"], best["gap_to_next"], best["percentile"]) == (1, None, 100.0)

    async def test_a_missing_standing_differs_from_a_missing_player(self, service: Running) -> None:
        board = await fill_board(service, {"a": 10})
        (await service.operator.post("/v1/apps/game/players", {"player": "idle"})).ok(201)
        (await service.anybody.get(f"{board}/players/idle")).refused(404, "standing_not_found")
        (await service.anybody.get(f"{board}/players/nobody")).refused(404, "player_not_found")
        (await service.anybody.get(f"{board}/players/nobody/around")).refused(404, "player_not_found")

    async def test_ranks_are_the_same_after_a_restart(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data") as service:
            board = await fill_board(service, TEN)
            before = (await service.anybody.get(f"{board}/top")).ok()
        async with running(tmp_path / "data") as service:
            after = (await service.anybody.get(f"{board}/top")).ok()
            assert after["entries"] == before["entries"]
            assert after["epoch"] != before["epoch"]
            answer = await service.client("server", "game").post(f"{board}/scores", {"player": "p9", "increment": 50})
            assert (answer.ok()["rank"], answer.ok()["previous_rank"]) == (1, 10)


class TestAround:
    @pytest.mark.parametrize(
        ("player", "expected"),
        [
            ("p0", [0, 1, 2, 3, 4]),
            ("p1", [0, 1, 2, 3, 4]),
            ("p2", [0, 1, 2, 3, 4]),
            ("p5", [3, 4, 5, 6, 7]),
            ("p8", [5, 6, 7, 8, 9]),
            ("p9", [5, 6, 7, 8, 9]),
        ],
    )
    async def test_the_window_is_shifted_at_the_edges(self, service: Running, player: str, expected: list[int]) -> None:
        board = await fill_board(service, TEN)
        page = (await service.anybody.get(f"{board}/players/{player}/around?radius=2")).ok()
        assert [(entry["rank"], entry["player"]) for entry in page["entries"]] == [(n + 1, f"p{n}") for n in expected]
        assert page["total"] == 10

    async def test_a_board_smaller_than_the_window_is_returned_completely(self, service: Running) -> None:
        board = await fill_board(service, {"a": 3, "b": 2, "c": 1})
        for player in "abc":
            assert await names(service.anybody, f"{board}/players/{player}/around?radius=5") == ["a", "b", "c"]


class TestQuery:
    async def test_standings_are_best_first_and_missing_players_listed(self, service: Running) -> None:
        board = await fill_board(service, TEN)
        body = {"players": ["p7", "nobody", "p2", "p7", "ghost"]}
        answer = (await service.anybody.post(f"{board}/players/query", body)).ok()
        assert [(entry["rank"], entry["player"]) for entry in answer["entries"]] == [(3, "p2"), (8, "p7")]
        assert answer["not_found"] == ["nobody", "ghost"]

    async def test_a_query_has_1_to_200_players(self, service: Running) -> None:
        board = await fill_board(service, TEN)
        for players in ([], ["x"] * 201):
            (await service.anybody.post(f"{board}/players/query", {"players": players})).refused(400, "invalid_body")
        (await service.anybody.post(f"{board}/players/query", {"players": ["x"] * 200})).ok()


class TestWarming:
    async def test_ranks_are_absent_while_a_table_is_loading(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with running(tmp_path / "data") as service:
            board = await fill_board(service, TEN)
        proceed, standings = asyncio.Event(), SqliteLedger.standings

        async def blocked(*args: Any) -> Any:
            await proceed.wait()
            async for chunk in standings(*args):
                yield chunk

        monkeypatch.setattr(SqliteLedger, "standings", blocked)
        async with running(tmp_path / "data", when_ready=False, timings=Timings()) as warming:
            (await warming.anybody.get("/health/ready")).refused(503, "not_ready")
            (await warming.anybody.get("/health/live")).ok()
            (await warming.anybody.get(f"{board}/top")).refused(503, "ranking_warming")
            (await warming.anybody.get(f"{board}/players/p1/around")).refused(503, "ranking_warming")
            standing = (await warming.anybody.get(f"{board}/players/p1")).ok()
            assert (standing["score"], standing["rank"], standing["rank_state"]) == (99, None, "warming")
            server = warming.client("server", "game")
            answer = (await server.post(f"{board}/scores", {"player": "p9", "increment": 50})).ok()
            assert (answer["score"], answer["rank"], answer["previous_rank"]) == (141, None, None)
            assert answer["rank_state"] == "warming"
            proceed.set()
            await eventually(lambda: warming.service.ready)
            (await warming.anybody.get("/health/ready")).ok()
            assert await names(warming.anybody, f"{board}/top?limit=2") == ["p9", "p0"]

    async def test_the_service_is_not_ready_until_a_table_can_be_loaded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with running(tmp_path / "data") as service:
            board = await fill_board(service, TEN)
        standings, failed, repaired = SqliteLedger.standings, asyncio.Event(), asyncio.Event()

        async def failing(*args: Any) -> Any:
            if not repaired.is_set():
                failed.set()
                raise OSError("disk failure")
            async for chunk in standings(*args):
                yield chunk

        monkeypatch.setattr(SqliteLedger, "standings", failing)
        async with running(tmp_path / "data", when_ready=False) as warming:
            await failed.wait()
            (await warming.anybody.get("/health/ready")).refused(503, "not_ready")
            repaired.set()
            await eventually(lambda: warming.service.ready)
            assert await names(warming.anybody, f"{board}/top?limit=1") == ["p0"]

    async def test_an_update_of_an_unloaded_table_has_no_wrong_rank(self, tmp_path: Path) -> None:
        async with running(tmp_path / "data") as service:
            board = await fill_board(service, TEN)
            inner = service.service
            await inner.ranking.drop(await inner.directory.board("game", "main"))
            server = service.client("server", "game")
            answer = (await server.post(f"{board}/scores", {"player": "p9", "increment": 50})).ok()
            assert answer["rank"] in {1, None}
            assert answer["previous_rank"] in {10, None}


async def test_seasons_without_scores_are_empty_and_not_cached(service: Running) -> None:
    board = await service.board(period="weekly")
    (await service.client("server", "game").post(f"{board}/scores", {"player": "a", "increment": 1})).ok()
    for week in range(1, 53):
        page = (await service.anybody.get(f"{board}/top?season=1999-W{week:02}")).ok()
        assert (page["total"], page["entries"]) == (0, [])
        answer = await service.anybody.get(f"{board}/players/a?season=1999-W{week:02}")
        answer.refused(404, "standing_not_found")
    assert len(cast("MemoryRanking", service.service.ranking).tables) == 1
