"""Races, each held at its critical point."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from harness.service import Running
from harness.waiting import BOUND_S, eventually
from harness.wire import wire
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.tenants.administration import Tenants
from scoreboard.application.updates.batching import BatchLimits
from scoreboard.application.updates.requests import UpdateRequest
from scoreboard.application.upkeep.repair import Repair
from scoreboard.domain.board import Player
from tests.faults.held import pending, writer_held

pytestmark = pytest.mark.slow


async def top(service: Running, board: str) -> list[tuple[str, int]]:
    entries = (await service.anybody.get(f"{board}/top")).ok()["entries"]
    return [(entry["player"], entry["score"]) for entry in entries]


async def test_a_retry_that_the_limit_refuses_before_the_first_has_an_outcome_counts_nothing(service: Running) -> None:
    """The lookup of the receipt comes between the two. It finds nothing yet."""
    board = await service.board()
    (await service.operator.post("/v1/apps/game/actions", {"action": "coin", "points": 5})).ok(201)
    submit = service.service.submit
    submit.rate_limit = replace(submit.rate_limit, player_per_minute=1)
    alice = service.client("player", "game", "alice")
    async with writer_held(service) as release:
        first = asyncio.create_task(alice.post(f"{board}/scores", {"action": "coin"}, Idempotency_Key="k"))
        await pending(service, 1)
        (await alice.post(f"{board}/scores", {"action": "coin"}, Idempotency_Key="k")).refused(429, "rate_limited")
        release()
        told = (await first).ok()
    again = await alice.post(f"{board}/scores", {"action": "coin"}, Idempotency_Key="k")
    assert (again.ok()["event"], again.headers["Idempotent-Replayed"]) == (told["event"], "true")
    assert await top(service, board) == [("alice", 5)]


@pytest.mark.parametrize("batch", [1, 500], ids=["in-a-later-transaction", "in-the-same-transaction"])
async def test_a_retry_while_the_first_is_in_its_transaction_counts_once(service: Running, batch: int) -> None:
    board = await service.board()
    service.service.commit.batcher.limits = BatchLimits(batch=batch)
    server = service.client("server", "game")
    async with writer_held(service) as release:
        leading = asyncio.create_task(server.post(f"{board}/scores", {"player": "z", "increment": 1}))
        await pending(service, 1)  # what follows shares the next transaction
        tries = []
        for count in (2, 3, 4):
            body = {"player": "a", "increment": 5}
            tries.append(asyncio.create_task(server.post(f"{board}/scores", body, Idempotency_Key="k")))
            await pending(service, count)
        release()
        answers = await asyncio.gather(*tries)
        (await leading).ok()
    assert len({answer.ok()["event"] for answer in answers}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true", "true"]
    assert await top(service, board) == [("a", 5), ("z", 1)]


@pytest.mark.parametrize("batch", [1, 500], ids=["in-a-later-transaction", "in-the-same-transaction"])
async def test_an_action_once_a_day_counts_once_of_two_at_once(service: Running, batch: int) -> None:
    board = await service.board()
    (await service.operator.post("/v1/apps/game/actions", {"action": "gift", "points": 3, "per_day": 1})).ok(201)
    service.service.commit.batcher.limits = BatchLimits(batch=batch)
    alice, server = service.client("player", "game", "alice"), service.client("server", "game")
    async with writer_held(service) as release:
        leading = asyncio.create_task(server.post(f"{board}/scores", {"player": "z", "increment": 1}))
        await pending(service, 1)
        tries = [asyncio.create_task(alice.post(f"{board}/scores", {"action": "gift"})) for _ in range(5)]
        await pending(service, 6)
        release()
        answers = await asyncio.gather(*tries)
        (await leading).ok()
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
    for answer in answers:
        if answer.status == 409:
            answer.refused(409, "action_limit")
    assert await top(service, board) == [("alice", 3), ("z", 1)]


async def test_a_client_that_hangs_up_takes_nothing_back(service: Running) -> None:
    board = await service.board()
    token = service.token("server", "game")
    server = service.client("server", "game")
    async with writer_held(service) as release:
        leading = asyncio.create_task(server.post(f"{board}/scores", {"player": "z", "increment": 1}))
        await pending(service, 1)
        async with wire(service.port) as gone:
            body = b'{"player":"gone","increment":5}'
            head = f"POST {board}/scores HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            await gone.send(head.encode() + body)
            await pending(service, 2)
        staying = asyncio.create_task(server.post(f"{board}/scores", {"player": "stays", "increment": 7}))
        await pending(service, 3)
        release()
        (await staying).ok()
        (await leading).ok()
    assert await top(service, board) == [("stays", 7), ("gone", 5), ("z", 1)]
    again = await server.post(f"{board}/scores", {"player": "gone", "increment": 5}, Idempotency_Key="other")
    assert again.ok()["score"] == 10


async def test_a_caller_that_is_cancelled_harms_none_of_its_batch(service: Running) -> None:
    """The caller's task is cancelled while its update waits for a transaction."""
    board = await service.board()
    server = principal_of("server", "game", "somebody")
    submit = service.service.submit

    def start(player: str) -> "asyncio.Task[Any]":
        return asyncio.create_task(submit.one(server, "game", "main", UpdateRequest(b"", player=player, increment=5)))

    async with writer_held(service) as release:
        leading = start("z")
        await pending(service, 1)
        before, cancelled, behind = start("before"), start("cancelled"), start("behind")
        await pending(service, 4)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        release()
        for task in (leading, before, behind):
            async with asyncio.timeout(BOUND_S):
                assert (await task).outcome.score == 5
    assert {player for player, _ in await top(service, board)} == {"z", "before", "cancelled", "behind"}
    async with asyncio.timeout(BOUND_S):
        await start("next")


async def test_a_player_renamed_while_the_names_are_read_is_shown_with_the_new_name(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page, cache or socket keeps a name that was read before the rename."""
    board = await service.board()
    (await service.operator.post("/v1/apps/game/players", {"player": "a", "username": "Old"})).ok(201)
    server = service.client("server", "game")
    find, reading, renamed = SqliteDirectory.find_players, [], asyncio.Event()

    async def slow(*args: Any) -> Mapping[str, Player]:
        found = await find(*args)
        if not renamed.is_set():
            reading.append(found)
            await asyncio.wait_for(renamed.wait(), BOUND_S)
        return found

    async def idle(_: Repair) -> int:
        return 0

    monkeypatch.setattr(Repair, "once", idle)  # repair would hide a failure, because it shows the new name later

    def names(message: Mapping[str, Any]) -> list[str]:
        return [entry["username"] for entry in message["entries"]]

    async with service.http.ws_connect(f"{service.url}/v1/live") as socket:
        await socket.send_json({"type": "subscribe", "app": "game", "board": "main"})
        assert (await socket.receive_json())["type"] == "subscribed"
        assert names(await socket.receive_json()) == []
        with monkeypatch.context() as patched:
            patched.setattr(SqliteDirectory, "find_players", slow)
            (await server.post(f"{board}/scores", {"player": "a", "increment": 5})).ok()
            page = asyncio.create_task(service.anybody.get(f"{board}/top"))
            await eventually(lambda: len(reading) == 2, "the publication and the page have read the old name")
            patched.setattr(SqliteDirectory, "find_players", find)
            (await service.operator.patch("/v1/apps/game/players/a", {"username": "New"})).ok()
            renamed.set()
            await page
        assert names((await service.anybody.get(f"{board}/top")).ok()) == ["New"]
        assert (await service.anybody.get(f"{board}/players/a/around")).ok()["entries"][0]["username"] == "New"
        async with asyncio.timeout(BOUND_S):
            while names(await socket.receive_json()) != ["New"]:
                pass


async def test_a_board_deleted_under_an_update_leaves_nothing_for_the_next_of_that_name(service: Running) -> None:
    """The board is deleted and created again while an update waits."""
    board = await service.board()
    server = service.client("server", "game")
    (await server.post(f"{board}/scores", {"player": "early", "increment": 1})).ok()
    async with writer_held(service) as release:
        deleting = asyncio.create_task(service.operator.delete(board))
        writing = cast("SqliteLedger", service.service.ledger).database.writing
        await eventually(lambda: writing.waiting >= 1, "the deletion waits")
        late = asyncio.create_task(server.post(f"{board}/scores", {"player": "late", "increment": 5}))
        await pending(service, 1)
        release()
        (await deleting).ok(204)
        answer = await late
    await service.board()
    assert await top(service, board) == []
    assert answer.status == 404, answer.raw
    records = await service.records()
    assert (records["ledger"], records["standings"], records["receipts"]) == (1, 0, 0)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("of", ["/v1/apps/game/boards/main", "/v1/apps/game/players/a"])
async def test_two_changes_at_once_keep_the_fields_of_both(
    service: Running, monkeypatch: pytest.MonkeyPatch, of: str, backwards: bool
) -> None:
    await service.board()
    (await service.operator.post("/v1/apps/game/players", {"player": "a"})).ok(201)
    changes: list[dict[str, Any]] = [{"name": "New"}, {"top_n": 3}]
    if "players" in of:
        changes = [{"username": "New"}, {"avatar_url": "/new.png"}]
    if backwards:
        changes.reverse()
    await at_once(service, monkeypatch, *((of, change) for change in changes))
    body = (await service.operator.get(of)).ok()
    for name, value in (changes[0] | changes[1]).items():
        assert body[name] == value


@pytest.mark.parametrize("last", ["app", "board", "action"])
async def test_an_app_and_what_it_holds_changed_at_once_agree(
    service: Running, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    await service.board()
    (await service.operator.post("/v1/apps/game/actions", {"action": "win", "points": 3})).ok(201)
    app = "/v1/apps/game"
    changes: list[tuple[str, dict[str, Any]]] = [(app, {"name": "New", "time_zone": "Asia/Tokyo"})]
    other = (f"{app}/actions/win", {"cooldown_s": 7}) if last == "action" else (f"{app}/boards/main", {"top_n": 3})
    changes.insert(0 if last == "app" else 1, other)
    await at_once(service, monkeypatch, *changes)
    directory = service.service.directory
    now = await directory.app("game")
    board, action = await directory.board("game", "main"), await directory.action("game", "win")
    assert (now.name, now.time_zone) == ("New", "Asia/Tokyo")
    assert board.app == action.app == now
    assert (action.cooldown_s == 7) if last == "action" else (board.top_n == 3)


async def test_a_board_made_while_its_app_changes_is_of_the_app_as_it_is_then(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    (await service.operator.post("/v1/apps", {"app": "game"})).ok(201)
    await at_once(service, monkeypatch, ("/v1/apps/game", {"name": "New"}), ("/v1/apps/game/boards", {"board": "main"}))
    assert (await service.service.directory.board("game", "main")).app.name == "New"


async def at_once(service: Running, monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, dict[str, Any]]) -> None:
    """Send each change after the one before has read, and before it has written."""
    begun: list[str] = []
    for name in ("update_app", "update_board", "update_action", "update_player", "create_board"):
        monkeypatch.setattr(Tenants, name, noted(begun, getattr(Tenants, name)))
    async with writer_held(service) as release:
        answers = []
        for count, (path, change) in enumerate(changes, 1):
            method = "POST" if path.endswith("s") else "PATCH"
            answers.append(asyncio.create_task(service.operator.call(method, path, change)))
            await eventually(lambda: len(begun) == count, "the change has begun")  # noqa: B023 - awaited here
        release()
        for answer in await asyncio.gather(*answers):
            assert answer.status in {200, 201}, answer.raw


def noted(begun: list[str], change: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def noting(*args: Any) -> Any:
        begun.append(change.__name__)
        return await change(*args)

    return noting
