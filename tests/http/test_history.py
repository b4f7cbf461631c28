"""The history of a board: its ledger read page by page, another ledger taken over, its ranking made anew."""

import asyncio
from typing import Any

import pytest

from harness.client import Client
from harness.service import Running
from scoreboard.application.upkeep.verify import verify
from scoreboard.domain import codes, event_id, instant

DAY = 86_400_000_000
LONG_AGO = 1_760_000_000_000_000  # 2025-10-09


def past(number: int, player: str = "ann", value: object = 5, at: int = LONG_AGO, **more: Any) -> dict[str, Any]:
    return {"event": event_id.to_text(event_id.make(at + number, number)), "player": player, "value": value, **more}


async def ledger(client: Client, board: str, limit: int = 1_000) -> list[dict[str, Any]]:
    """All entries, page by page."""
    found, after = [], ""
    while True:
        page = (await client.get(f"{board}/ledger?limit={limit}{after}")).ok()
        found += page["entries"]
        if page["next_after"] is None:
            return found
        assert page["next_after"] == found[-1]["event"]
        after = f"&after={page['next_after']}"


async def take_over(client: Client, board: str, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    answer = (await client.post(f"{board}/ledger", {"entries": entries})).ok()
    assert answer["applied"] + answer["refused"] == len(entries) == len(answer["results"])
    return list(answer["results"])


async def tops(client: Client, board: str, *queries: str) -> list[Any]:
    return [(await client.get(f"{board}/top?limit=1000{query}")).ok()["entries"] for query in ("", *queries)]


async def exact(service: Running, app: str, board: str) -> None:
    """The fold of the ledger equals the totals equals the ranking."""
    found = await service.service.directory.board(app, board)
    assert (await verify(service.service.ledger, service.service.ranking, found)).differences == []


async def test_entries_are_read_in_order_whatever_the_size_of_a_page(service: Running) -> None:
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
async def test_another_ledger_ends_in_the_same_standings(service: Running, operator: str, ties: str) -> None:
    rules: dict[str, Any] = {"operator": operator, "ties": ties, "regions": ["eu", "us"], "numbering": "competition"}
    source, target = await service.board(**rules), await service.board("copy", **rules)
    field = "increment" if operator == "increment" else "score"
    for n in range(60):
        update = {"player": f"p{n % 13}", field: n * 7 % 5, "region": ("eu", "us", None)[n % 3], "metadata": {"n": n}}
        (await service.operator.post(f"{source}/scores", update)).ok()
    entries = await ledger(service.operator, source)
    results = await take_over(service.operator, target, *entries)
    assert [result["score"] for result in results] == [entry["score"] for entry in entries]
    queries = ("&region=eu", "&region=us")
    assert await tops(service.operator, target, *queries) == await tops(service.operator, source, *queries)
    same = ("accepted_at", "season", "region", "player", "value", "score", "previous_score", "metadata")
    copied = await ledger(service.operator, target)
    assert [[one[name] for name in same] for one in copied] == [[one[name] for name in same] for one in entries]
    await exact(service, "game", "copy")


async def test_an_entry_counts_once_whoever_brings_it(service: Running) -> None:
    board, other = await service.board(), await service.board("other")
    entries = [past(n, f"p{n % 3}") for n in range(9)]
    first = await take_over(service.operator, board, *entries, *entries)
    assert [one["replayed"] for one in first] == [False] * 9 + [True] * 9
    again = await take_over(service.client("admin", "game", "somebody else"), board, *entries)
    assert all(one["replayed"] for one in again)
    assert [one["score"] for one in again] == [one["score"] for one in first[:9]]
    assert len(await ledger(service.operator, board)) == 9
    (changed,) = await take_over(service.operator, board, {**entries[0], "value": 6})
    assert (changed["status"], changed["code"]) == ("refused", "key_reused")
    assert not any(one["replayed"] for one in await take_over(service.operator, other, *entries)), "for a board"
    assert await tops(service.operator, board) == await tops(service.operator, other)
    (await service.operator.delete(board)).ok(204)
    board = await service.board()
    assert not any(one["replayed"] for one in await take_over(service.operator, board, *entries)), "made again"
    await exact(service, "game", "main")


async def test_entries_belong_to_the_season_they_were_accepted_in(service: Running) -> None:
    board = await service.board(period="daily")
    (await service.operator.post(f"{board}/scores", {"player": "ann", "increment": 1})).ok()
    await take_over(service.operator, board, past(1, value=3), past(2, value=4, at=LONG_AGO + DAY), past(3, value=5))
    assert [one[0]["score"] for one in await tops(service.operator, board, "&season=2025-10-09")] == [1, 8]
    (second,) = (await tops(service.operator, board, "&season=2025-10-10"))[1]
    assert (second["score"], second["reached_at"]) == (4, instant.to_text(LONG_AGO + DAY + 2))
    await exact(service, "game", "main")


async def test_older_entries_go_before_what_is_there(service: Running) -> None:
    board = await service.board(operator="latest")
    (await service.operator.post(f"{board}/scores", {"player": "ann", "score": 1})).ok()
    (await service.operator.post(f"{board}/scores", {"player": "bob", "score": 5})).ok()
    assert [one["changed"] for one in await take_over(service.operator, board, past(1), past(2, "cleo"))] == [
        False,
        True,
    ]
    (top,) = await tops(service.operator, board)
    assert [(one["player"], one["score"]) for one in top] == [("cleo", 5), ("bob", 5), ("ann", 1)]
    await exact(service, "game", "main")


async def test_a_player_who_was_deleted_comes_back_with_other_entries_only(service: Running) -> None:
    board = await service.board()
    (await service.operator.post(f"{board}/scores", {"player": "bob", "increment": 1})).ok()
    await take_over(service.operator, board, past(1), past(2))
    (await service.operator.delete("/v1/apps/game/players/ann")).ok(204)
    (spent,) = await take_over(service.operator, board, past(1))
    assert spent["code"] == "key_spent"
    await take_over(service.operator, board, past(3, value=7))
    (top,) = await tops(service.operator, board)
    assert [(one["player"], one["score"]) for one in top] == [("ann", 7), ("bob", 1)]
    await exact(service, "game", "main")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (past(1, event="x"), "invalid_event"),
        (past(1, event="00000000-0000-4000-8000-000000000000"), "invalid_event"),
        (past(1, event=event_id.to_text(event_id.make(2**47 * 1_000, 0))), "in_the_future"),
        (past(1, ""), "invalid_player"),
        (past(1, "x" * 51), "invalid_player"),
        (past(1, value=2**63), "invalid_value"),
        (past(1, value=2**53), "total_out_of_bounds"),
        (past(1, region="mars"), "unknown_region"),
        (past(1, metadata="x" * 2_100), "metadata_too_big"),
    ],
)
async def test_an_entry_that_makes_no_sense_is_refused_alone(
    service: Running, entry: dict[str, Any], code: str
) -> None:
    board = await service.board(regions=["eu"])
    refused, applied = await take_over(service.operator, board, entry, past(2))
    assert (refused["status"], refused["code"], refused["player"]) == ("refused", code, entry["player"])
    assert (applied["status"], applied["score"]) == ("applied", 5)
    assert len(await ledger(service.operator, board)) == 1
    await exact(service, "game", "main")


async def test_the_bounds_of_one_update_and_rates_are_for_senders(service: Running) -> None:
    board = await service.board(max_value=3)
    (await service.operator.post(f"{board}/scores", {"player": "ann", "increment": 4})).refused(
        409, "value_out_of_bounds"
    )
    assert (await take_over(service.operator, board, past(1, value=4)))[0]["score"] == 4


async def test_scores_beyond_what_every_reader_takes_are_text(service: Running) -> None:
    board = await service.board(max_total=2**63 - 1)
    await take_over(service.operator, board, past(1, value=str(2**63 - 2)), past(2, value=1))
    found = await ledger(service.operator, board)
    assert [(one["value"], one["score"]) for one in found] == [(str(2**63 - 2), str(2**63 - 2)), ("1", str(2**63 - 1))]


async def test_a_ranking_is_made_anew_while_serving(service: Running) -> None:
    board = await service.board(regions=["eu"], ties="shared")
    server = service.client("server", "game")
    updates = [{"player": f"p{n}", "increment": n % 50, "region": "eu"} for n in range(900)]
    (await server.post(f"{board}/scores/batch", {"updates": updates})).ok()
    before = await tops(server, board, "&region=eu")

    async def updating() -> None:
        for _ in range(40):
            (await server.post(f"{board}/scores", {"player": "late", "increment": 1})).ok()

    updates_go_on = asyncio.create_task(updating())
    for _ in range(3):
        told = (await service.operator.post(f"{board}/rebuild", None)).ok()
        assert (told["tables"], told["rank_state"]) == (2, "exact")
        assert told["standings"] in {1_800, 1_801}
    await updates_go_on
    world, eu = await tops(server, board, "&region=eu")
    scores = {one["player"]: one["score"] for one in world}
    assert scores == {**{one["player"]: one["score"] for one in before[0]}, "late": 40}
    assert eu == before[1]
    await exact(service, "game", "main")


async def test_a_ranking_is_kept_while_it_could_not_be_made_anew(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = await service.board()
    server = service.client("server", "game")
    (await server.post(f"{board}/scores", {"player": "ann", "increment": 5})).ok()
    before = (await service.anybody.get(f"{board}/top")).ok()

    async def away(*_: object) -> None:
        raise codes.STORAGE_FAILED.error("not now", retry_after_s=1)

    with monkeypatch.context() as patched:
        patched.setattr(service.service.ledger, "tables", away)
        (await service.operator.post(f"{board}/rebuild", None)).refused(503, "storage_failed")
    assert (await service.anybody.get(f"{board}/top")).ok() == before


async def test_only_an_admin_of_the_app_may(service: Running) -> None:
    board = await service.board()
    (await service.operator.post("/v1/apps", {"app": "other"})).ok(201)
    for client, code in (
        (service.client("server", "game"), "scope_missing"),
        (service.client("player", "game", "ann"), "scope_missing"),
        (service.client("admin", "other"), "wrong_app"),
    ):
        (await client.get(f"{board}/ledger")).refused(403, code)
        (await client.post(f"{board}/ledger", {"entries": [past(1)]})).refused(403, code)
        (await client.post(f"{board}/rebuild", None)).refused(403, code)
    assert await ledger(service.client("admin", "game"), board) == []
