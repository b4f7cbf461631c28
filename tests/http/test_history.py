"""The history of a board: read and import ledgers, rebuild the ranking."""

import asyncio
from typing import Any

import pytest

from harness.client import Client
from harness.service import Running
from scoreboard.application.upkeep.verify import verify
from scoreboard.domain import codes, event_id, instant

DAY = 86_400_000_000
LONG_AGO = 1_760_000_000_000_000  # 2025-10-09


def past_entry(number: int, player: str = "ann", value: object = 5, at: int = LONG_AGO, **more: Any) -> dict[str, Any]:
    return {"event": event_id.to_text(event_id.make(at + number, number)), "player": player, "value": value, **more}


async def ledger(client: Client, board: str, limit: int = 1_000) -> list[dict[str, Any]]:
    """Read all entries, page by page."""
    found, after = [], ""
    while True:
        page = (await client.get(f"{board}/ledger?limit={limit}{after}")).ok()
        found += page["entries"]
        if page["next_after"] is None:
            return found
        assert page["next_after"] == found[-1]["event"]
        after = f"&after={page['next_after']}"


async def import_entries(client: Client, board: str, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    answer = (await client.post(f"{board}/ledger", {"entries": entries})).ok()
    assert answer["applied"] + answer["refused"] == len(entries) == len(answer["results"])
    return list(answer["results"])


async def tops(client: Client, board: str, *queries: str) -> list[Any]:
    return [(await client.get(f"{board}/top?limit=1000{query}")).ok()["entries"] for query in ("", *queries)]


async def check_consistent(service: Running, app: str, board: str) -> None:
    """Check that ledger, totals and ranking agree."""
    found = await service.service.directory.board(app, board)
    assert (await verify(service.service.ledger, service.service.ranking, found)).differences == []


async def test_entries_are_read_in_order_with_every_page_size(service: Running) -> None:
    board, other = await service.board(regions=["eu"]), await service.board("other")
    operator = service.operator
    for n in range(7):
        update = {"player": f"p{n % 3}", "increment": n, "region": "eu" if n % 2 else None, "metadata": {"n": [n, "é"]}}
        (await operator.post(f"{board}/scores", update)).ok()
        (await operator.post(f"{other}/scores", {"player": "p0", "increment": 1})).ok()
    found = await ledger(operator, board)
    for limit in (1, 2, 6, 7, 8):
        assert await ledger(operator, board, limit) == found
    assert [entry["value"] for entry in found] == [*range(7)]
    assert [entry["event"] for entry in found] == sorted(entry["event"] for entry in found)
    last = found[-1]
    assert (last["player"], last["score"], last["previous_score"], last["region"]) == ("p0", 9, 3, None)
    assert (last["season"], last["metadata"]) == ("all", {"n": [6, "é"]})
    assert last["accepted_at"] == instant.to_text(event_id.accepted_at(event_id.from_text(last["event"])))
    (await operator.get(f"{board}/ledger?after=x")).refused(400, "invalid_event")


@pytest.mark.parametrize("operator", ["increment", "best", "latest"])
@pytest.mark.parametrize("ties", ["earliest", "shared"])
async def test_an_imported_ledger_gives_the_same_standings(service: Running, operator: str, ties: str) -> None:
    rules: dict[str, Any] = {"operator": operator, "ties": ties, "regions": ["eu", "us"], "numbering": "competition"}
    source, target = await service.board(**rules), await service.board("copy", **rules)
    field = "increment" if operator == "increment" else "score"
    for n in range(60):
        update = {"player": f"p{n % 13}", field: n * 7 % 5, "region": ("eu", "us", None)[n % 3], "metadata": {"n": n}}
        (await service.operator.post(f"{source}/scores", update)).ok()
    entries = await ledger(service.operator, source)
    results = await import_entries(service.operator, target, *entries)
    assert [result["score"] for result in results] == [entry["score"] for entry in entries]
    queries = ("&region=eu", "&region=us")
    assert await tops(service.operator, target, *queries) == await tops(service.operator, source, *queries)
    same = ("accepted_at", "season", "region", "player", "value", "score", "previous_score", "metadata")
    copied = await ledger(service.operator, target)
    assert [[entry[name] for name in same] for entry in copied] == [[entry[name] for name in same] for entry in entries]
    await check_consistent(service, "game", "copy")


async def test_an_entry_counts_once_per_board(service: Running) -> None:
    board, other = await service.board(), await service.board("other")
    entries = [past_entry(n, f"p{n % 3}") for n in range(9)]
    first = await import_entries(service.operator, board, *entries, *entries)
    assert [entry["replayed"] for entry in first] == [False] * 9 + [True] * 9
    again = await import_entries(service.client("admin", "game", "somebody else"), board, *entries)
    assert all(entry["replayed"] for entry in again)
    assert [entry["score"] for entry in again] == [entry["score"] for entry in first[:9]]
    assert len(await ledger(service.operator, board)) == 9
    (changed,) = await import_entries(service.operator, board, {**entries[0], "value": 6})
    assert (changed["status"], changed["code"]) == ("refused", "key_reused")
    assert not any(entry["replayed"] for entry in await import_entries(service.operator, other, *entries)), (
        "an entry counts once per board"
    )
    assert await tops(service.operator, board) == await tops(service.operator, other)
    (await service.operator.delete(board)).ok(204)
    board = await service.board()
    assert not any(entry["replayed"] for entry in await import_entries(service.operator, board, *entries)), (
        "the board is new"
    )
    await check_consistent(service, "game", "main")


async def test_entries_belong_to_the_season_of_their_acceptance(service: Running) -> None:
    board = await service.board(period="daily")
    (await service.operator.post(f"{board}/scores", {"player": "ann", "increment": 1})).ok()
    await import_entries(
        service.operator,
        board,
        past_entry(1, value=3),
        past_entry(2, value=4, at=LONG_AGO + DAY),
        past_entry(3, value=5),
    )
    assert [entry[0]["score"] for entry in await tops(service.operator, board, "&season=2025-10-09")] == [1, 8]
    (second,) = (await tops(service.operator, board, "&season=2025-10-10"))[1]
    assert (second["score"], second["reached_at"]) == (4, instant.to_text(LONG_AGO + DAY + 2))
    await check_consistent(service, "game", "main")


async def test_older_entries_precede_existing_ones(service: Running) -> None:
    board = await service.board(operator="latest")
    (await service.operator.post(f"{board}/scores", {"player": "ann", "score": 1})).ok()
    (await service.operator.post(f"{board}/scores", {"player": "bob", "score": 5})).ok()
    assert [
        entry["changed"]
        for entry in await import_entries(service.operator, board, past_entry(1), past_entry(2, "cleo"))
    ] == [
        False,
        True,
    ]
    (top,) = await tops(service.operator, board)
    assert [(entry["player"], entry["score"]) for entry in top] == [("cleo", 5), ("bob", 5), ("ann", 1)]
    await check_consistent(service, "game", "main")


async def test_a_deleted_player_returns_with_new_entries_only(service: Running) -> None:
    board = await service.board()
    (await service.operator.post(f"{board}/scores", {"player": "bob", "increment": 1})).ok()
    await import_entries(service.operator, board, past_entry(1), past_entry(2))
    (await service.operator.delete("/v1/apps/game/players/ann")).ok(204)
    (refused,) = await import_entries(service.operator, board, past_entry(1))
    assert refused["code"] == "key_spent"
    await import_entries(service.operator, board, past_entry(3, value=7))
    (top,) = await tops(service.operator, board)
    assert [(entry["player"], entry["score"]) for entry in top] == [("ann", 7), ("bob", 1)]
    await check_consistent(service, "game", "main")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (past_entry(1, event="x"), "invalid_event"),
        (past_entry(1, event="00000000-0000-4000-8000-000000000000"), "invalid_event"),
        (past_entry(1, event=event_id.to_text(event_id.make(2**47 * 1_000, 0))), "in_the_future"),
        (past_entry(1, ""), "invalid_player"),
        (past_entry(1, "x" * 51), "invalid_player"),
        (past_entry(1, value=2**63), "invalid_value"),
        (past_entry(1, value=2**53), "total_out_of_bounds"),
        (past_entry(1, region="mars"), "unknown_region"),
        (past_entry(1, metadata="x" * 2_100), "metadata_too_big"),
    ],
)
async def test_an_invalid_entry_is_refused_alone(service: Running, entry: dict[str, Any], code: str) -> None:
    board = await service.board(regions=["eu"])
    refused, applied = await import_entries(service.operator, board, entry, past_entry(2))
    assert (refused["status"], refused["code"], refused["player"]) == ("refused", code, entry["player"])
    assert (applied["status"], applied["score"]) == ("applied", 5)
    assert len(await ledger(service.operator, board)) == 1
    await check_consistent(service, "game", "main")


async def test_the_bounds_of_updates_do_not_apply_to_imports(service: Running) -> None:
    board = await service.board(max_value=3)
    (await service.operator.post(f"{board}/scores", {"player": "ann", "increment": 4})).refused(
        409, "value_out_of_bounds"
    )
    assert (await import_entries(service.operator, board, past_entry(1, value=4)))[0]["score"] == 4


async def test_scores_of_a_wide_board_are_text(service: Running) -> None:
    board = await service.board(max_total=2**63 - 1)
    await import_entries(service.operator, board, past_entry(1, value=str(2**63 - 2)), past_entry(2, value=1))
    found = await ledger(service.operator, board)
    assert [(entry["value"], entry["score"]) for entry in found] == [
        (str(2**63 - 2), str(2**63 - 2)),
        ("1", str(2**63 - 1)),
    ]


async def test_a_ranking_is_rebuilt_while_serving(service: Running) -> None:
    board = await service.board(regions=["eu"], ties="shared")
    server = service.client("server", "game")
    updates = [{"player": f"p{n}", "increment": n % 50, "region": "eu"} for n in range(900)]
    (await server.post(f"{board}/scores/batch", {"updates": updates})).ok()
    before = await tops(server, board, "&region=eu")

    async def send_updates() -> None:
        for _ in range(40):
            (await server.post(f"{board}/scores", {"player": "late", "increment": 1})).ok()

    sending = asyncio.create_task(send_updates())
    for _ in range(3):
        rebuilt = (await service.operator.post(f"{board}/rebuild", None)).ok()
        assert (rebuilt["tables"], rebuilt["rank_state"]) == (2, "exact")
        assert rebuilt["standings"] in {1_800, 1_801}
    await sending
    world, eu = await tops(server, board, "&region=eu")
    scores = {entry["player"]: entry["score"] for entry in world}
    assert scores == {**{entry["player"]: entry["score"] for entry in before[0]}, "late": 40}
    assert eu == before[1]
    await check_consistent(service, "game", "main")


async def test_a_ranking_is_kept_if_its_rebuild_fails(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    board = await service.board()
    server = service.client("server", "game")
    (await server.post(f"{board}/scores", {"player": "ann", "increment": 5})).ok()
    before = (await service.anybody.get(f"{board}/top")).ok()

    async def fail(*_: object) -> None:
        raise codes.STORAGE_FAILED.error("not now", retry_after_s=1)

    with monkeypatch.context() as patched:
        patched.setattr(service.service.ledger, "tables", fail)
        (await service.operator.post(f"{board}/rebuild", None)).refused(503, "storage_failed")
    assert (await service.anybody.get(f"{board}/top")).ok() == before


async def test_only_an_admin_of_the_app_is_allowed(service: Running) -> None:
    board = await service.board()
    (await service.operator.post("/v1/apps", {"app": "other"})).ok(201)
    for client, code in (
        (service.client("server", "game"), "scope_missing"),
        (service.client("player", "game", "ann"), "scope_missing"),
        (service.client("admin", "other"), "wrong_app"),
    ):
        (await client.get(f"{board}/ledger")).refused(403, code)
        (await client.post(f"{board}/ledger", {"entries": [past_entry(1)]})).refused(403, code)
        (await client.post(f"{board}/rebuild", None)).refused(403, code)
    assert await ledger(service.client("admin", "game"), board) == []
