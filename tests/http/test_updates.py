"""Updates by clients."""

import asyncio
import re
from typing import Any

import pytest

from harness.client import Client
from harness.service import Running
from harness.wire import wire

EVENT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


async def top(client: Client, board: str, query: str = "") -> list[tuple[int, str, Any]]:
    page = (await client.get(f"{board}/top{query}")).ok()
    return [(entry["rank"], entry["player"], entry["score"]) for entry in page["entries"]]


class TestOneUpdate:
    async def test_the_response_to_an_increment_has_score_and_rank(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        first = (await server.post(f"{board}/scores", {"player": "alice", "increment": 5})).ok()
        event, at = first.pop("event"), first.pop("accepted_at")
        assert EVENT.fullmatch(event)
        assert INSTANT.fullmatch(at)
        assert first == {
            "status": "applied",
            "player": "alice",
            "board": "main",
            "season": "all",
            "score": 5,
            "previous_score": None,
            "changed": True,
            "rank": 1,
            "previous_rank": None,
            "rank_state": "exact",
        }
        await server.post(f"{board}/scores", {"player": "bob", "increment": 7})
        second = (await server.post(f"{board}/scores", {"player": "alice", "increment": 3})).ok()
        assert (second["score"], second["previous_score"], second["rank"], second["previous_rank"]) == (8, 5, 1, 2)
        assert second["event"] != event
        assert await top(service.anybody, board) == [(1, "alice", 8), (2, "bob", 7)]

    async def test_a_zero_increment_creates_a_standing_and_then_changes_nothing(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        first = (await server.post(f"{board}/scores", {"player": "alice", "increment": 0})).ok()
        assert (first["score"], first["changed"], first["rank"]) == (0, True, 1)
        second = (await server.post(f"{board}/scores", {"player": "alice", "increment": 0})).ok()
        assert (second["score"], second["changed"], second["rank"]) == (0, False, 1)

    async def test_a_best_board_keeps_the_better_score(self, service: Running) -> None:
        board = await service.board(operator="best")
        server = service.client("server", "game")
        scores = [
            (await server.post(f"{board}/scores", {"player": "alice", "score": score})).ok()["score"]
            for score in (10, 30, 20)
        ]
        assert scores == [10, 30, 30]

    async def test_a_latest_board_keeps_the_last_score(self, service: Running) -> None:
        board = await service.board(operator="latest")
        server = service.client("server", "game")
        scores = [
            (await server.post(f"{board}/scores", {"player": "alice", "score": score})).ok()["score"]
            for score in (10, 30, 20)
        ]
        assert scores == [10, 30, 20]

    async def test_an_action_earns_the_points_that_the_server_has(self, service: Running) -> None:
        board = await service.board()
        (await service.operator.post("/v1/apps/game/actions", {"action": "quest", "points": 25})).ok(201)
        alice = service.client("player", "game", "alice")
        assert (await alice.post(f"{board}/scores", {"action": "quest"})).ok()["score"] == 25
        (await service.operator.patch("/v1/apps/game/actions/quest", {"points": 5})).ok()
        assert (await alice.post(f"{board}/scores", {"action": "quest"})).ok()["score"] == 30

    async def test_ranks_are_correct_on_an_ascending_board(self, service: Running) -> None:
        board = await service.board(operator="best", direction="ascending")
        server = service.client("server", "game")

        async def run(player: str, score: int) -> tuple[int, int | None]:
            answer = (await server.post(f"{board}/scores", {"player": player, "score": score})).ok()
            return answer["rank"], answer["previous_rank"]

        assert await run("alice", 60) == (1, None)
        assert await run("bob", 50) == (1, None)
        assert await run("carol", 70) == (3, None)
        assert await run("carol", 40) == (1, 3)
        assert await run("carol", 90) == (1, 1)
        assert await top(service.anybody, board) == [(1, "carol", 40), (2, "bob", 50), (3, "alice", 60)]

    async def test_a_score_on_a_wide_board_is_text_everywhere(self, service: Running) -> None:
        # Doubles, and so JavaScript, cannot represent these scores exactly.
        bound = 2**63 - 1
        board = await service.board(
            operator="latest", min_value=str(-bound), max_value=str(bound), min_total=str(-bound), max_total=str(bound)
        )
        server = service.client("server", "game")
        near = [bound, bound - 1, bound - 2]
        for player, score in zip("abc", near, strict=True):
            answer = (await server.post(f"{board}/scores", {"player": player, "score": str(score)})).ok()
            assert answer["score"] == str(score)
        again = (await server.post(f"{board}/scores", {"player": "a", "score": bound})).ok()
        assert (again["score"], again["previous_score"], again["changed"]) == (str(bound), str(bound), False)
        assert await top(service.anybody, board) == [
            (n, p, str(s)) for n, p, s in zip((1, 2, 3), "abc", near, strict=True)
        ]
        standing = (await service.anybody.get(f"{board}/players/b")).ok()
        assert (standing["score"], standing["gap_to_next"]) == (str(bound - 1), "1")
        event = (await server.get(f"/v1/apps/game/events/{again['event']}")).ok()
        assert event["score"] == str(bound)
        described = (await service.operator.get(board)).ok()
        assert described["max_total"] == str(bound)
        batch = (await server.post(f"{board}/scores/batch", {"updates": [{"player": "d", "score": "7"}]})).ok()
        assert batch["results"][0]["score"] == "7"

    async def test_overflow_is_refused_and_changes_nothing(self, service: Running) -> None:
        bound = 2**63 - 1
        board = await service.board(max_value=str(bound), max_total=str(bound))
        server = service.client("server", "game")
        (await server.post(f"{board}/scores", {"player": "a", "increment": str(bound)})).ok()
        refused = await server.post(f"{board}/scores", {"player": "a", "increment": 1})
        refused.refused(409, "total_out_of_bounds")
        assert (await service.anybody.get(f"{board}/players/a")).ok()["score"] == str(bound)

    async def test_an_update_counts_in_the_world_and_in_its_region(self, service: Running) -> None:
        board = await service.board(regions=["eu", "us"])
        server = service.client("server", "game")
        await server.post(f"{board}/scores", {"player": "alice", "increment": 5, "region": "eu"})
        await server.post(f"{board}/scores", {"player": "bob", "increment": 9, "region": "us"})
        assert await top(service.anybody, board) == [(1, "bob", 9), (2, "alice", 5)]
        assert await top(service.anybody, board, "?region=eu") == [(1, "alice", 5)]
        answer = await server.post(f"{board}/scores", {"player": "bob", "increment": 9, "region": "mars"})
        answer.refused(400, "unknown_region")
        (await service.anybody.get(f"{board}/top?region=mars")).refused(404, "region_not_found")

    async def test_metadata_may_be_any_json_up_to_a_size(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        (await server.post(f"{board}/scores", {"player": "a", "increment": 1, "metadata": {"level": [1, "x"]}})).ok()
        large = await server.post(f"{board}/scores", {"player": "a", "increment": 1, "metadata": "x" * 3_000})
        large.refused(400, "metadata_too_big")
        assert await top(service.anybody, board) == [(1, "a", 1)]

    async def test_the_rate_limit_of_a_player_is_enforced_and_reported(self, service: Running) -> None:
        board = await service.board()
        (await service.operator.post("/v1/apps/game/actions", {"action": "coin", "points": 1})).ok(201)
        alice = service.client("player", "game", "alice")
        answer = await alice.post(f"{board}/scores", {"action": "coin"}, Idempotency_Key="first")
        assert (answer.headers["RateLimit-Limit"], answer.headers["RateLimit-Remaining"]) == ("120", "119")
        counted = 1
        while (answer := await alice.post(f"{board}/scores", {"action": "coin"})).status == 200:
            counted += 1
        answer.refused(429, "rate_limited")
        assert int(answer.headers["Retry-After"]) >= 1
        assert await top(service.anybody, board) == [(1, "alice", counted)]
        retried = await alice.post(f"{board}/scores", {"action": "coin"}, Idempotency_Key="first")
        assert (retried.status, retried.headers["Idempotent-Replayed"]) == (200, "true")

    async def test_an_action_has_a_daily_limit(self, service: Running) -> None:
        board = await service.board()
        await service.operator.post("/v1/apps/game/actions", {"action": "gift", "points": 3, "per_day": 2})
        alice = service.client("player", "game", "alice")
        statuses = [(await alice.post(f"{board}/scores", {"action": "gift"})).status for _ in range(3)]
        assert statuses == [200, 200, 409]
        (await alice.post(f"{board}/scores", {"action": "gift"})).refused(409, "action_limit")
        assert await top(service.anybody, board) == [(1, "alice", 6)]

    async def test_an_action_in_cooldown_returns_retry_after(self, service: Running) -> None:
        board = await service.board()
        await service.operator.post("/v1/apps/game/actions", {"action": "gift", "points": 3, "cooldown_s": 600})
        alice = service.client("player", "game", "alice")
        (await alice.post(f"{board}/scores", {"action": "gift"})).ok()
        refused = (await alice.post(f"{board}/scores", {"action": "gift"})).refused(409, "action_cooldown")
        assert 590 <= int(refused.headers["Retry-After"]) <= 600


class TestIdempotency:
    async def test_a_retry_returns_the_first_outcome(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        body = {"player": "alice", "increment": 5}
        first = await server.post(f"{board}/scores", body, Idempotency_Key="k-1")
        assert "Idempotent-Replayed" not in first.headers
        again = await server.post(f"{board}/scores", body, Idempotency_Key="k-1")
        assert again.headers["Idempotent-Replayed"] == "true"
        same = (
            "event",
            "status",
            "player",
            "board",
            "season",
            "score",
            "previous_score",
            "changed",
            "accepted_at",
            "rank",
        )
        assert {name: again.ok()[name] for name in same} == {name: first.ok()[name] for name in same}
        assert await top(service.anybody, board) == [(1, "alice", 5)]

    async def test_a_key_with_another_body_is_a_conflict(self, service: Running) -> None:
        board = await service.board()
        other = await service.board("other")
        server = service.client("server", "game")
        (await server.post(f"{board}/scores", {"player": "a", "increment": 5}, Idempotency_Key="k")).ok()
        records = await service.records()
        changed = await server.post(f"{board}/scores", {"player": "a", "increment": 6}, Idempotency_Key="k")
        changed.refused(409, "key_reused")
        elsewhere = await server.post(f"{other}/scores", {"player": "a", "increment": 5}, Idempotency_Key="k")
        elsewhere.refused(409, "key_reused")
        assert await service.records() == records

    async def test_a_key_belongs_to_its_credential(self, service: Running) -> None:
        board = await service.board()
        for subject in ("one", "two"):
            server = service.client("server", "game", subject)
            answer = await server.post(f"{board}/scores", {"player": "a", "increment": 5}, Idempotency_Key="k")
            assert "Idempotent-Replayed" not in answer.headers
        assert await top(service.anybody, board) == [(1, "a", 10)]

    async def test_a_refusal_is_replayed_too(self, service: Running) -> None:
        board = await service.board(max_total=10)
        server = service.client("server", "game")
        for replayed in (None, "true"):
            answer = await server.post(f"{board}/scores", {"player": "a", "increment": 11}, Idempotency_Key="k")
            answer.refused(409, "total_out_of_bounds")
            assert answer.headers.get("Idempotent-Replayed") == replayed

    @pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "clé"])
    async def test_a_key_is_visible_ascii_of_1_to_255(self, service: Running, key: str) -> None:
        board = await service.board()
        server = service.client("server", "game")
        records = await service.records()
        answer = await server.post(f"{board}/scores", {"player": "a", "increment": 1}, Idempotency_Key=key)
        answer.refused(400, "invalid_idempotency_key")
        assert await service.records() == records

    async def test_concurrent_retries_count_once(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        answers = await asyncio.gather(
            *(server.post(f"{board}/scores", {"player": "a", "increment": 5}, Idempotency_Key="k") for _ in range(50))
        )
        assert {answer.ok()["event"] for answer in answers} == {answers[0].ok()["event"]}
        assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
        assert await top(service.anybody, board) == [(1, "a", 5)]

    async def test_a_key_is_spent_after_its_player_was_deleted(self, service: Running) -> None:
        # A retry must neither count again nor create the player again.
        board = await service.board()
        server = service.client("server", "game")
        (await server.post(f"{board}/scores", {"player": "a", "increment": 5}, Idempotency_Key="k")).ok()
        (await service.operator.delete("/v1/apps/game/players/a")).ok(204)
        retried = await server.post(f"{board}/scores", {"player": "a", "increment": 5}, Idempotency_Key="k")
        assert retried.status in {200, 404, 409, 410}
        if retried.status != 200:
            assert retried.code != "not_storable"
        assert await top(service.anybody, board) == []


class TestPreferences:
    async def test_respond_async_returns_202_and_the_address_of_the_outcome(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        answer = await server.post(f"{board}/scores", {"player": "a", "increment": 5}, Prefer="respond-async")
        accepted = answer.ok(202)
        assert accepted["status"] == "accepted"
        assert accepted["outcome"] == answer.headers["Location"] == f"/v1/apps/game/events/{accepted['event']}"
        assert answer.headers["Preference-Applied"] == "respond-async"
        outcome = (await server.get(accepted["outcome"])).ok()
        assert (outcome["event"], outcome["status"], outcome["score"]) == (accepted["event"], "applied", 5)
        assert (outcome["board"], outcome["player"], outcome["season"]) == ("main", "a", "all")

    async def test_a_queued_board_returns_202_unless_the_client_prefers_to_wait(self, service: Running) -> None:
        board = await service.board(consistency="queued")
        server = service.client("server", "game")
        accepted = (await server.post(f"{board}/scores", {"player": "a", "increment": 5})).ok(202)
        assert (await server.get(accepted["outcome"])).ok()["score"] == 5
        waited = await server.post(f"{board}/scores", {"player": "a", "increment": 5}, Prefer="wait=5")
        assert (waited.ok()["score"], waited.headers["Preference-Applied"]) == (10, "wait")

    async def test_a_refusal_after_a_202_is_at_its_address(self, service: Running) -> None:
        board = await service.board(consistency="queued", max_total=10)
        server = service.client("server", "game")
        accepted = (await server.post(f"{board}/scores", {"player": "a", "increment": 11})).ok(202)
        outcome = (await server.get(accepted["outcome"])).ok()
        assert (outcome["status"], outcome["code"], outcome["score"]) == ("refused", "total_out_of_bounds", None)

    async def test_every_202_has_an_outcome_if_two_bodies_race_for_one_key(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        answers = await asyncio.gather(
            *(
                server.post(
                    f"{board}/scores", {"player": "a", "increment": n}, Idempotency_Key="k", Prefer="respond-async"
                )
                for n in range(1, 20)
            )
        )
        accepted = [answer for answer in answers if answer.status == 202]
        assert accepted
        for answer in accepted:
            (await server.get(answer.headers["Location"])).ok()
        for answer in answers:
            if answer not in accepted:
                answer.refused(409, "key_reused")

    async def test_only_its_app_and_player_may_read_an_event(self, service: Running) -> None:
        board = await service.board()
        await service.board(app="other")
        server = service.client("server", "game")
        event = (await server.post(f"{board}/scores", {"player": "alice", "increment": 5})).ok()["event"]
        address = f"/v1/apps/game/events/{event}"
        (await service.client("player", "game", "alice").get(address)).ok()
        (await service.client("player", "game", "bob").get(address)).refused(404, "event_not_found")
        (await service.client("server", "other").get(address)).refused(403, "wrong_app")
        (await service.client("server", "other").get(f"/v1/apps/other/events/{event}")).refused(404, "event_not_found")
        (await service.anybody.get(address)).refused(401, "token_missing")


class TestBatch:
    async def test_each_update_has_its_own_outcome(self, service: Running) -> None:
        board = await service.board(max_total=100)
        await service.operator.post("/v1/apps/game/actions", {"action": "quest", "points": 25})
        server = service.client("server", "game")
        updates = [
            {"player": "alice", "increment": 5},
            {"player": "bob", "increment": 101},
            {"player": "carol", "action": "quest"},
            {"player": "dora", "action": "nothing"},
            {"player": "", "increment": 1},
            {"player": "erin", "increment": 1, "score": 1},
            {"player": "alice", "increment": 6},
        ]
        answer = (await server.post(f"{board}/scores/batch", {"updates": updates})).ok()
        assert (answer["applied"], answer["refused"]) == (3, 4)
        seen = [(r["status"], r["player"], r.get("score", r.get("code"))) for r in answer["results"]]
        assert seen == [
            ("applied", "alice", 5),
            ("refused", "bob", "total_out_of_bounds"),
            ("applied", "carol", 25),
            ("refused", "dora", "unknown_action"),
            ("refused", "", "invalid_player"),
            ("refused", "erin", "one_value"),
            ("applied", "alice", 11),
        ]
        assert (answer["results"][0]["previous_score"], answer["results"][6]["previous_score"]) == (None, 5)
        assert await top(service.anybody, board) == [(1, "carol", 25), (2, "alice", 11)]

    async def test_a_retried_batch_counts_once(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        updates = [{"player": f"p{n}", "increment": n, "idempotency_key": f"k{n}"} for n in range(1, 6)]
        first = (await server.post(f"{board}/scores/batch", {"updates": updates})).ok()
        again = (await server.post(f"{board}/scores/batch", {"updates": updates})).ok()
        assert [r["replayed"] for r in first["results"]] == [False] * 5
        assert [r["replayed"] for r in again["results"]] == [True] * 5
        assert [r["event"] for r in first["results"]] == [r["event"] for r in again["results"]]
        assert len(await top(service.anybody, board)) == 5

    async def test_a_batch_with_one_key_counts_once(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        updates = [{"player": "a", "increment": 1}] * 3
        for _ in range(2):
            (await server.post(f"{board}/scores/batch", {"updates": updates}, Idempotency_Key="whole")).ok()
        assert await top(service.anybody, board) == [(1, "a", 3)]

    async def test_the_longest_key_of_a_batch_is_accepted(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        answer = await server.post(
            f"{board}/scores/batch", {"updates": [{"player": "a", "increment": 1}]}, Idempotency_Key="k" * 255
        )
        assert answer.ok()["applied"] == 1

    @pytest.mark.parametrize("key", ["", "a b", "k" * 256, "clé", "é" * 300])
    async def test_a_key_of_a_batch_follows_the_rules_of_keys(self, service: Running, key: str) -> None:
        board = await service.board()
        server = service.client("server", "game")
        records = await service.records()
        updates = [{"player": "a", "increment": 1, "idempotency_key": "its-own"}, {"player": "b", "increment": 1}]
        answer = await server.post(f"{board}/scores/batch", {"updates": updates}, Idempotency_Key=key)
        answer.refused(400, "invalid_idempotency_key")
        assert await service.records() == records

    async def test_a_key_used_twice_in_one_batch_counts_once(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        updates = [
            {"player": "a", "increment": 1, "idempotency_key": "k"},
            {"player": "a", "increment": 1, "idempotency_key": "k"},
            {"player": "a", "increment": 2, "idempotency_key": "k"},
        ]
        answer = (await server.post(f"{board}/scores/batch", {"updates": updates})).ok()
        assert [r["status"] for r in answer["results"]] == ["applied", "applied", "refused"]
        assert [r["replayed"] for r in answer["results"][:2]] == [False, True]
        assert answer["results"][2]["code"] == "key_reused"
        assert await top(service.anybody, board) == [(1, "a", 1)]

    async def test_a_batch_has_1_to_1000_updates(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        one = {"player": "a", "increment": 1}
        (await server.post(f"{board}/scores/batch", {"updates": []})).refused(400, "invalid_body")
        (await server.post(f"{board}/scores/batch", {"updates": [one] * 1_001})).refused(400, "invalid_body")
        assert (await server.post(f"{board}/scores/batch", {"updates": [one] * 1_000})).ok()["applied"] == 1_000
        assert await top(service.anybody, board) == [(1, "a", 1_000)]

    async def test_only_trusted_servers_may_send_batches(self, service: Running) -> None:
        board = await service.board(player_values=True)
        alice = service.client("player", "game", "alice")
        answer = await alice.post(f"{board}/scores/batch", {"updates": [{"player": "alice", "increment": 1}]})
        answer.refused(403, "server_only")
        assert await top(service.anybody, board) == []

    async def test_a_forbidden_batch_is_refused_before_it_is_received(self, service: Running) -> None:
        board = await service.board()
        token = service.token("player", "game", "alice")
        head = f"POST {board}/scores/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        async with wire(service.port) as raw:
            await raw.send(f"{head}Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n".encode())
            (await raw.answer()).refused(403, "server_only")
