"""Apps, boards, actions and players, and the permissions of credentials."""

from typing import Any

import pytest

from harness.client import Client
from harness.service import Running

BOARD = {
    "board": "main",
    "name": "main",
    "operator": "increment",
    "direction": "descending",
    "ties": "earliest",
    "numbering": "ordinal",
    "period": "all_time",
    "time_zone": "UTC",
    "regions": [],
    "top_n": 10,
    "public": True,
    "player_values": False,
    "consistency": "direct",
    "priority": "normal",
    "min_value": -(2**53) + 1,
    "max_value": 2**53 - 1,
    "min_total": -(2**53) + 1,
    "max_total": 2**53 - 1,
}
PLAYER = {"player": "alice", "username": "Alice", "avatar_url": None, "email": None, "region": None}
RESOURCES: list[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("/v1/apps", "other", {"app": "other"}, {"app": "other", "name": "other", "time_zone": "UTC"}, {"name": "Other"}),
    ("/v1/apps/game/boards", "main", {"board": "main"}, BOARD, {"name": "Main", "top_n": 3, "public": False}),
    (
        "/v1/apps/game/actions",
        "quest",
        {"action": "quest", "points": 10},
        {"action": "quest", "points": 10, "per_day": None, "cooldown_s": 0},
        {"points": 20, "per_day": 3},
    ),
    (
        "/v1/apps/game/players",
        "alice",
        {"player": "alice", "username": "Alice"},
        PLAYER,
        {"username": "A.", "avatar_url": "https://x.example/a.png", "email": "a@x.example", "region": "eu"},
    ),
]


@pytest.fixture
async def game(service: Running) -> Client:
    """Return the operator of a service with one app."""
    (await service.operator.post("/v1/apps", {"app": "game"})).ok(201)
    return service.operator


@pytest.mark.parametrize(
    ("collection", "name", "body", "created", "change"), RESOURCES, ids=["app", "board", "action", "player"]
)
async def test_resources_are_created_read_changed_and_deleted(
    game: Client, collection: str, name: str, body: dict[str, Any], created: dict[str, Any], change: dict[str, Any]
) -> None:
    address, kind = f"{collection}/{name}", collection.rpartition("/")[2].removesuffix("s")
    (await game.get(address)).refused(404, f"{kind}_not_found")
    assert (await game.post(collection, body)).ok(201) == created
    assert (await game.get(address)).ok() == created
    assert created in (await game.get(collection)).ok()[f"{kind}s"]
    (await game.post(collection, body)).refused(409, f"{kind}_exists")
    assert (await game.patch(address, change)).ok() == {**created, **change}
    assert (await game.patch(address, {})).ok() == {**created, **change}
    assert (await game.get(address)).ok() == {**created, **change}
    deleted = await game.delete(address)
    assert (deleted.status, deleted.raw) == (204, b"")
    for again in (await game.get(address), await game.delete(address), await game.patch(address, change)):
        again.refused(404, f"{kind}_not_found")
    assert created not in (await game.get(collection)).ok()[f"{kind}s"]
    assert (await game.post(collection, body)).ok(201) == created


async def test_rules_that_define_standings_are_fixed(service: Running) -> None:
    board = await service.board()
    for change in ({"operator": "best"}, {"direction": "ascending"}, {"period": "daily"}, {"max_total": 1}):
        (await service.operator.patch(board, change)).refused(400, "invalid_body")
    assert (await service.operator.get(board)).ok() == BOARD


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"board": "Main"}, "invalid_board"),
        ({"board": ""}, "invalid_board"),
        ({"board": "a/b"}, "invalid_board"),
        ({"name": "a\nb"}, "invalid_name"),
        ({"top_n": 0}, "invalid_top_n"),
        ({"top_n": 1_001}, "invalid_top_n"),
        ({"time_zone": "Mars/Olympus"}, "invalid_time_zone"),
        ({"time_zone": "../../etc/passwd"}, "invalid_time_zone"),
        ({"regions": ["eu", "eu"]}, "invalid_regions"),
        ({"regions": ["E U"]}, "invalid_region"),
        ({"min_value": 5, "max_value": 4}, "invalid_bounds"),
        ({"max_total": str(2**63)}, "invalid_bounds"),
        ({"operator": "sum"}, "invalid_body"),
        ({"unknown": 1}, "invalid_body"),
    ],
)
async def test_an_invalid_board_is_refused(game: Client, rules: dict[str, Any], code: str) -> None:
    (await game.post("/v1/apps/game/boards", {"board": "main", **rules})).refused(400, code)
    assert (await game.get("/v1/apps/game/boards")).ok() == {"boards": []}


async def test_players_are_listed_page_by_page(game: Client) -> None:
    for n in range(7):
        (await game.post("/v1/apps/game/players", {"player": f"p{n}"})).ok(201)
    listed = (await game.get("/v1/apps/game/players?limit=3&after=p2")).ok()["players"]
    assert [player["player"] for player in listed] == ["p3", "p4", "p5"]


class TestDeletion:
    async def test_a_recreated_board_is_empty(self, service: Running) -> None:
        board = await service.board(regions=["eu"])
        server = service.client("server", "game")
        first = await server.post(
            f"{board}/scores", {"player": "a", "increment": 5, "region": "eu"}, Idempotency_Key="k"
        )
        event = first.ok()["event"]
        old = await service.anybody.get(f"{board}/top")
        (await service.operator.delete(board)).ok(204)
        (await service.anybody.get(f"{board}/top")).refused(404, "board_not_found")
        await service.board(regions=["eu"])
        for query in ("", "?region=eu"):
            page = (await service.anybody.get(f"{board}/top{query}", If_None_Match=old.headers["ETag"])).ok()
            assert (page["total"], page["entries"]) == (0, [])
        (await service.anybody.get(f"{board}/players/a")).refused(404, "standing_not_found")
        (await server.get(f"/v1/apps/game/events/{event}")).refused(404, "event_not_found")
        answer = (await server.post(f"{board}/scores", {"player": "a", "increment": 1, "region": "eu"})).ok()
        assert (answer["score"], answer["previous_score"], answer["rank"]) == (1, None, 1)

    async def test_a_recreated_app_is_empty(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        (await service.operator.post("/v1/apps/game/actions", {"action": "gift", "points": 3, "per_day": 1})).ok(201)
        first = (await server.post(f"{board}/scores", {"player": "a", "action": "gift"}, Idempotency_Key="k")).ok()
        (await service.operator.delete("/v1/apps/game")).ok(204)
        (await service.anybody.get(f"{board}/top")).refused(404, "app_not_found")
        await service.board()
        assert (await service.operator.get("/v1/apps/game/players")).ok() == {"players": []}
        assert (await service.operator.get("/v1/apps/game/actions")).ok() == {"actions": []}
        assert (await service.anybody.get(f"{board}/top")).ok()["total"] == 0
        (await server.get(f"/v1/apps/game/events/{first['event']}")).refused(404, "event_not_found")
        (await service.operator.post("/v1/apps/game/actions", {"action": "gift", "points": 3, "per_day": 1})).ok(201)
        again = await server.post(f"{board}/scores", {"player": "a", "action": "gift"}, Idempotency_Key="k")
        assert "Idempotent-Replayed" not in again.headers
        assert (again.ok()["score"], again.ok()["previous_score"]) == (3, None)

    async def test_a_deleted_player_is_on_no_board(self, service: Running) -> None:
        board = await service.board(regions=["eu"])
        server = service.client("server", "game")
        for player, region in (("a", "eu"), ("b", "eu")):
            (await server.post(f"{board}/scores", {"player": player, "increment": 5, "region": region})).ok()
        (await service.operator.delete("/v1/apps/game/players/a")).ok(204)
        for query in ("", "?region=eu"):
            page = (await service.anybody.get(f"{board}/top{query}")).ok()
            assert [entry["player"] for entry in page["entries"]] == ["b"]
            assert page["total"] == 1
        (await service.anybody.get(f"{board}/players/a")).refused(404, "player_not_found")

    async def test_a_deleted_player_starts_from_scratch(self, service: Running) -> None:
        board = await service.board()
        server = service.client("server", "game")
        for _ in range(3):
            (await server.post(f"{board}/scores", {"player": "a", "increment": 5})).ok()
        (await service.operator.delete("/v1/apps/game/players/a")).ok(204)
        answer = (await server.post(f"{board}/scores", {"player": "a", "increment": 2})).ok()
        assert (answer["score"], answer["previous_score"], answer["rank"]) == (2, None, 1)
        page = (await service.anybody.get(f"{board}/top")).ok()
        assert [(entry["player"], entry["score"]) for entry in page["entries"]] == [("a", 2)]


class TestCredentials:
    async def test_a_player_may_update_only_itself(self, service: Running) -> None:
        board = await service.board(player_values=True)
        alice = service.client("player", "game", "alice")
        (await alice.post(f"{board}/scores", {"increment": 5})).ok()
        (await alice.post(f"{board}/scores", {"player": "alice", "increment": 5})).ok()
        (await alice.post(f"{board}/scores", {"player": "bob", "increment": 5})).refused(403, "wrong_player")
        page = (await service.anybody.get(f"{board}/top")).ok()
        assert [(entry["player"], entry["score"]) for entry in page["entries"]] == [("alice", 10)]

    @pytest.mark.parametrize("value", [{"increment": 5}, {"score": 5}])
    async def test_a_player_may_send_only_actions_unless_the_board_accepts_values(
        self, service: Running, value: dict[str, int]
    ) -> None:
        board = await service.board(operator="increment" if "increment" in value else "best")
        alice = service.client("player", "game", "alice")
        (await alice.post(f"{board}/scores", value)).refused(403, "value_not_allowed")
        (await service.operator.patch(board, {"player_values": True})).ok()
        (await alice.post(f"{board}/scores", value)).ok()

    @pytest.mark.parametrize("role", ["player", "server"])
    async def test_only_admins_may_manage(self, service: Running, role: Any) -> None:
        board = await service.board()
        records = await service.records()
        client = service.client(role, "game")
        for method, path, body in manage("game"):
            (await client.call(method, path, body)).refused(403, "scope_missing")
        for method, path, body in operate():
            (await client.call(method, path, body)).refused(403, "scope_missing")
        (await service.operator.get(board)).ok()
        assert await service.records() == records

    @pytest.mark.parametrize("role", ["player", "server", "admin"])
    async def test_a_credential_has_no_access_to_another_app(self, service: Running, role: Any) -> None:
        board = await service.board(public=False)
        await service.board(app="other")
        (await service.operator.post("/v1/apps/game/players", {"player": "alice"})).ok(201)
        (await service.operator.post("/v1/apps/game/actions", {"action": "quest", "points": 1})).ok(201)
        server = service.client("server", "game")
        event = (await server.post(f"{board}/scores", {"player": "alice", "increment": 5})).ok()["event"]
        records = await service.records()
        stranger = service.client(role, "other", "alice")
        calls: list[tuple[str, str, Any]] = [
            *manage("game"),
            ("POST", f"{board}/scores", {"player": "alice", "increment": 5}),
            ("POST", f"{board}/scores/batch", {"updates": [{"player": "alice", "increment": 5}]}),
            ("GET", f"/v1/apps/game/events/{event}", None),
            ("GET", f"{board}/top", None),
            ("GET", f"{board}/players/alice", None),
            ("GET", f"{board}/players/alice/around", None),
            ("POST", f"{board}/players/query", {"players": ["alice"]}),
            ("GET", f"{board}/stream", None),
        ]
        for method, path, body in calls:
            (await stranger.call(method, path, body)).refused(403, "wrong_app")
        for method, path, body in operate():
            answer = await stranger.call(method, path, body)
            assert (answer.status, answer.code) in {(403, "scope_missing"), (403, "operator_only")}
        assert await service.records() == records
        assert (await service.operator.get(f"{board}/top")).ok()["total"] == 1

    async def test_an_admin_manages_its_app_and_creates_no_other(self, service: Running) -> None:
        await service.board()
        admin = service.client("admin", "game")
        (await admin.post("/v1/apps/game/boards", {"board": "second"})).ok(201)
        (await admin.patch("/v1/apps/game", {"name": "Game"})).ok()
        (await admin.get("/v1/apps")).refused(403, "operator_only")
        (await admin.post("/v1/apps", {"app": "mine"})).refused(403, "operator_only")
        (await admin.delete("/v1/apps/game")).refused(403, "operator_only")

    async def test_a_private_board_requires_a_token_of_its_app(self, service: Running) -> None:
        board = await service.board(public=False)
        (await service.anybody.get(f"{board}/top")).refused(401, "token_missing")
        answer = await service.client("player", "game").get(f"{board}/top")
        answer.ok()
        assert answer.headers["Cache-Control"].startswith("private")

    async def test_a_board_made_private_requires_a_token_at_once(self, service: Running) -> None:
        board = await service.board()
        tag = (await service.anybody.get(f"{board}/top")).headers["ETag"]
        (await service.operator.patch(board, {"public": False})).ok()
        (await service.anybody.get(f"{board}/top", If_None_Match=tag)).refused(401, "token_missing")

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer ",
            "Basic YTpi",
            "Bearer x",
            "Bearer a.b.c",
            "Bearer " + "x" * 5_000,
            "Bearer é",
            "token",
        ],
    )
    async def test_an_invalid_token_is_refused_even_where_none_is_required(self, service: Running, header: str) -> None:
        board = await service.board()
        answer = await service.anybody.get(f"{board}/top", Authorization=header)
        answer.refused(401, "token_invalid")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    async def test_an_expired_token_has_its_own_code(self, service: Running) -> None:
        board = await service.board()
        expired = Client(service.http, service.url, service.token("server", "game", ttl_s=-1))
        (await expired.get(f"{board}/top")).refused(401, "token_expired")

    @pytest.mark.parametrize("trick", ["none", "signature", "payload"])
    async def test_a_forged_token_is_refused(self, service: Running, trick: str) -> None:
        board = await service.board()
        head, body, signature = service.token("player", "game", "alice").split(".")
        admin = service.token("admin", "game").split(".")[1]
        token = {
            "none": f"eyJhbGciOiJub25lIn0.{admin}.",
            "signature": f"{head}.{body}.{signature[:-3]}AAA",
            "payload": f"{head}.{admin}.{signature}",
        }[trick]
        forged = Client(service.http, service.url, token)
        (await forged.delete(board)).refused(401, "token_invalid")
        (await service.operator.get(board)).ok()


def manage(app: str) -> list[tuple[str, str, Any]]:
    """Return every management operation in an app."""
    root = f"/v1/apps/{app}"
    calls: list[tuple[str, str, Any]] = [("GET", root, None), ("PATCH", root, {"name": "x"})]
    for kind, body, change in (
        ("boards", {"board": "main"}, {"name": "x"}),
        ("actions", {"action": "quest", "points": 5}, {"points": 6}),
        ("players", {"player": "alice"}, {"username": "x"}),
    ):
        one = f"{root}/{kind}/{next(iter(body.values()))}"
        calls += [("GET", f"{root}/{kind}", None), ("POST", f"{root}/{kind}", body)]
        calls += [("GET", one, None), ("PATCH", one, change), ("DELETE", one, None)]
    return calls


def operate() -> list[tuple[str, str, Any]]:
    """Return the operations of the operator."""
    return [("GET", "/v1/apps", None), ("POST", "/v1/apps", {"app": "new"}), ("DELETE", "/v1/apps/game", None)]
