"""Faults before and after each statement, commit and answer.

An update is absent, or applied exactly once after a retry under the same key. It is never refused as the client's
fault, and never lost after a success.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from harness.client import Answer
from harness.service import TIMINGS, Running, running
from harness.waiting import BOUND_S, eventually
from scoreboard.application.updates.commit import CommitRetries
from scoreboard.application.upkeep.repair import Repair
from scoreboard.application.upkeep.verify import verify
from scoreboard.entrypoints.http.response import Response
from tests.faults.held import Faulty, database_of, failure

pytestmark = pytest.mark.slow

STATEMENTS = 16  # more than any of the transactions below has
FOR_GOOD = 1_000
TRANSIENT = [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY]
OURS = [
    *TRANSIENT,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_INTERNAL,
    sqlite3.SQLITE_NOTADB,
]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """Run a service whose commits are retried without pauses."""
    retries = CommitRetries(pauses_s=(0.0, 0.0, 0.0), within_s=BOUND_S)
    async with running(tmp_path / "data", timings=replace(TIMINGS, commit_retries=retries)) as started:
        yield started


@pytest.fixture
async def faulty(service: Running) -> AsyncIterator[Faulty]:
    database = database_of(service)
    connection = database.writer
    between = Faulty(connection)
    database.writer = between  # type: ignore[assignment]  # it stands for the connection
    yield between
    between.disarm()
    database.writer = connection


async def sent(service: Running, board: str, player: str, subject: str = "somebody") -> Answer:
    body = {"player": player, "increment": 5}
    return await service.client("server", "game", subject).post(f"{board}/scores", body, Idempotency_Key=f"k-{player}")


async def shown(service: Running, board: str, player: str) -> None:
    """Wait until the board shows the player's one update: at once, or after a repair."""

    async def counted() -> bool:
        answer = await service.anybody.get(f"{board}/players/{player}")
        return answer.status == 200 and answer.body["score"] == 5

    await eventually(counted, f"{player} is on the board")


async def is_sound(service: Running, board: str) -> None:
    *_, app, _, name = board.split("/")
    report = await verify(
        service.service.ledger, service.service.ranking, await service.service.directory.board(app, name)
    )
    assert report.differences == []


@pytest.mark.parametrize("times", [1, FOR_GOOD], ids=["once", "until-repaired"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_update_is_applied_once_at_a_failure_of_any_statement(
    service: Running, faulty: Faulty, *, after: bool, times: int
) -> None:
    board = await service.board()
    seen: set[str] = set()
    for at in range(1, STATEMENTS):
        player = f"p{at}"
        faulty.arm(failure(sqlite3.SQLITE_IOERR), at, after=after, times=times)
        answer = await sent(service, board, player)
        failed = list(faulty.failed)
        seen.update(failed)
        faulty.disarm()
        assert answer.status in {200, 503}, (at, failed, answer.raw)
        if answer.status == 503:
            answer.refused(503, "storage_failed")
            assert failed
        again = await sent(service, board, player)
        assert again.ok()["score"] == 5, (at, failed)
        await shown(service, board, player)
        if not failed:
            break
    assert any("COMMIT" in sql for sql in seen)
    assert any("INSERT INTO ledger" in sql for sql in seen)
    assert any("INSERT INTO receipts" in sql for sql in seen)
    assert any("standings" in sql for sql in seen)
    await is_sound(service, board)


@pytest.mark.parametrize("times", [1, FOR_GOOD], ids=["once", "until-repaired"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_the_first_update_of_a_board_is_applied_once_at_a_failure_of_any_statement(
    service: Running, faulty: Faulty, *, after: bool, times: int
) -> None:
    """The table, the credential and the player are new here."""
    for at in range(1, STATEMENTS):
        board = await service.board(f"b{at}")
        faulty.arm(failure(sqlite3.SQLITE_IOERR), at, after=after, times=times)
        answer = await sent(service, board, f"p{at}", f"server-{at}")
        failed = list(faulty.failed)
        faulty.disarm()
        assert answer.status in {200, 503}, (at, failed, answer.raw)
        again = await sent(service, board, f"p{at}", f"server-{at}")
        assert again.ok()["score"] == 5, (at, failed)
        await shown(service, board, f"p{at}")
        await is_sound(service, board)
        if not failed:
            return


@pytest.mark.parametrize("code", OURS)
async def test_a_fault_of_the_store_is_never_answered_as_the_clients_fault(
    service: Running, faulty: Faulty, code: int
) -> None:
    board = await service.board()
    (await sent(service, board, "before")).ok()
    for at in (1, 2, 5):
        faulty.arm(failure(code), at, times=FOR_GOOD)
        answer = await sent(service, board, f"p{at}")
        faulty.disarm()
        assert answer.status == 503, (at, answer.raw)
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await sent(service, board, f"p{at}")).ok()["score"] == 5
    await is_sound(service, board)


async def test_a_retry_is_answered_while_nothing_can_be_written(service: Running, faulty: Faulty) -> None:
    board = await service.board()
    first = (await sent(service, board, "a")).ok()
    faulty.arm(failure(OURS[0]), 1, times=FOR_GOOD)
    again = await sent(service, board, "a")
    faulty.disarm()
    assert (again.ok()["event"], again.headers["Idempotent-Replayed"]) == (first["event"], "true")


async def test_a_transaction_that_was_left_open_does_not_stop_those_that_follow(service: Running) -> None:
    """As after a rollback that failed, or an error between BEGIN and the work."""
    board = await service.board()
    database_of(service).writer.execute("BEGIN IMMEDIATE")
    assert (await sent(service, board, "a")).status in {200, 503}
    assert (await sent(service, board, "a")).ok()["score"] == 5
    await is_sound(service, board)


async def test_a_neighbour_of_a_poisonous_update_is_counted(service: Running, faulty: Faulty) -> None:
    """Only the update is refused whose row the store rejects."""
    board = await service.board()
    inner = faulty.execute

    def poisoned(sql: str, *values: tuple[object, ...]) -> object:
        if "INTO ledger" in sql and any(b'"poison"' in row for row in values):
            raise sqlite3.IntegrityError("no")
        return inner(sql, *values)

    faulty.execute = poisoned  # type: ignore[method-assign]  # a fault
    server = service.client("server", "game")
    updates = [{"player": f"p{n}", "increment": 1} for n in range(9)]
    updates[4]["metadata"] = "poison"
    answer = (await server.post(f"{board}/scores/batch", {"updates": updates})).ok()
    assert [r["status"] for r in answer["results"]] == ["applied"] * 4 + ["refused"] + ["applied"] * 4
    assert answer["results"][4]["code"] == "not_storable"
    assert (await service.anybody.get(f"{board}/top")).ok()["total"] == 8
    await is_sound(service, board)


async def test_an_answer_that_never_arrived_is_replayed(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    board = await service.board()
    encoded = Response.encoded

    def lost(self: Response, method: str, minor: int) -> bytes:
        if method == "POST":
            monkeypatch.setattr(Response, "encoded", encoded)
            raise ConnectionResetError("injected")
        return encoded(self, method, minor)

    monkeypatch.setattr(Response, "encoded", lost)
    with pytest.raises(aiohttp.ClientError):
        await sent(service, board, "a")
    again = await sent(service, board, "a")
    assert (again.ok()["score"], again.headers["Idempotent-Replayed"]) == (5, "true")


async def test_an_update_that_could_not_be_ranked_is_answered_without_a_rank_and_ranked_later(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 3: a rank may be absent, but is never wrong."""
    board = await service.board()
    (await sent(service, board, "first")).ok()
    ranking, apply = service.service.ranking, type(service.service.ranking).apply

    async def fails(*_: object, **__: object) -> object:
        raise RuntimeError("injected")

    monkeypatch.setattr(type(ranking), "apply", fails)
    answer = (await sent(service, board, "a")).ok()
    assert (answer["score"], answer["rank"], answer["previous_rank"]) == (5, None, None)
    assert answer["rank_state"] == "unavailable"
    monkeypatch.setattr(type(ranking), "apply", apply)
    repair = Repair(service.service.directory, service.service.ledger, ranking, service.service.publisher)
    await repair.once()
    assert (await service.anybody.get(f"{board}/players/a")).ok()["rank"] == 2
    await is_sound(service, board)


async def test_an_update_not_ranked_before_a_crash_is_ranked_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path / "data") as service:
        board = await service.board()

        async def fails(*_: object, **__: object) -> object:
            raise RuntimeError("injected")

        with monkeypatch.context() as patched:
            patched.setattr(type(service.service.ranking), "apply", fails)
            (await sent(service, board, "a")).ok()
    async with running(tmp_path / "data") as service:
        assert (await service.anybody.get(f"{board}/players/a")).ok()["rank"] == 1
        await is_sound(service, board)


async def test_an_update_without_a_key_is_counted_once_when_its_commit_was_in_doubt(
    service: Running, faulty: Faulty
) -> None:
    """The transaction is retried under the same event id, which identifies it."""
    board = await service.board()
    (await sent(service, board, "before")).ok()
    server = service.client("server", "game")
    at = 0
    while not any("COMMIT" in sql for sql in faulty.failed):
        at += 1
        faulty.arm(failure(sqlite3.SQLITE_IOERR), at, after=True)
        answer = await server.post(f"{board}/scores", {"player": f"p{at}", "increment": 5})
        assert faulty.failed, "no commit was seen"
        assert answer.ok()["score"] == 5
        await shown(service, board, f"p{at}")
    faulty.disarm()
    await is_sound(service, board)


async def test_an_update_whose_commit_was_in_doubt_is_shown_at_once(
    service: Running, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for the next change of the board, or for repair."""

    async def idle(_: Repair) -> int:
        return 0

    monkeypatch.setattr(Repair, "once", idle)
    board = await service.board(ties="latest")  # so that the newest is on top
    async with service.http.ws_connect(f"{service.url}/v1/live") as socket, asyncio.timeout(BOUND_S):

        async def show(player: str) -> None:
            while all(entry["player"] != player for entry in (await socket.receive_json()).get("entries", [])):
                pass

        await socket.send_json({"type": "subscribe", "app": "game", "board": "main"})
        at = await commit_of(service, faulty, board)
        (await sent(service, board, "before")).ok()
        await show("before")
        faulty.arm(failure(sqlite3.SQLITE_IOERR), at, after=True)
        (await sent(service, board, "in-doubt")).ok()
        assert faulty.failed == ["COMMIT"]
        faulty.disarm()
        await show("in-doubt")


async def commit_of(service: Running, faulty: Faulty, board: str) -> int:
    """Return the number of the statement that commits a new player's update."""
    for at in range(1, STATEMENTS):
        faulty.arm(failure(sqlite3.SQLITE_IOERR), at, after=True)
        (await sent(service, board, f"p{at}")).ok()
        if faulty.failed == ["COMMIT"]:
            faulty.disarm()
            return at
    raise AssertionError("no commit was seen")


async def test_updates_wait_out_a_fault_that_passes(service: Running, faulty: Faulty) -> None:
    """The store fails twice. Forty concurrent updates succeed, each applied once."""
    board = await service.board()
    for code in TRANSIENT:
        faulty.arm(failure(code), 3, times=2)
        answers = await asyncio.gather(*(sent(service, board, f"{code}-{n}") for n in range(40)))
        faulty.disarm()
        assert [answer.status for answer in answers] == [200] * 40
    assert (await service.anybody.get(f"{board}/top")).ok()["total"] == 40 * len(TRANSIENT)
    await is_sound(service, board)
