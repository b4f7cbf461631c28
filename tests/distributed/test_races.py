"""Races between a commit, the ranking and open pages, held at breakpoints."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from harness.client import Answer, Client
from harness.process import Process, process
from harness.servers import redis
from harness.service import HOUR_S, Running, running, settings
from harness.waiting import eventually
from scoreboard.adapters.postgres.ledger import PostgresLedger
from scoreboard.adapters.redis.feed import RedisFeed
from scoreboard.application.ports.ranking import NotRanked
from scoreboard.application.upkeep.repair import Repair
from scoreboard.bootstrap import tokens
from scoreboard.domain.submission import TableKey
from tests.distributed.calls import differences, propagated, score, top, update
from tests.distributed.held import FRONTENDS, Relay, entries, frontends, held, rows
from tests.distributed.servers import SIGNING_KEY, Servers
from tests.live.watching import page, scores_of

pytestmark = pytest.mark.slow

PAUSE_MS = 60_000
AT_ONCE = ("--repl-diskless-sync-delay", "0")
TABLE = "sb:{1:all:}:"


class TestCrashBetweenCommitAndRank:
    """The process dies after the commit in PostgreSQL, and before Redis has it."""

    @pytest.mark.parametrize("by", ["another-process", "the-next-start"])
    async def test_the_board_has_the_update_once(self, servers: Servers, tmp_path: Path, by: str) -> None:
        async with AsyncExitStack() as stack:
            if by == "another-process":
                other = await stack.enter_async_context(running(tmp_path / "other", **servers.settings()))
            board = await crashed(servers, tmp_path)
            ranked = servers.redis.ask("HMGET", TABLE + "meta", "epoch", "offset")
            if by == "the-next-start":
                await eventually(lambda: old_note(servers), "no other process handles the note")
                other = await stack.enter_async_context(running(tmp_path / "api", **servers.settings()))

            async def repaired() -> bool:
                return await top(other, board) == [(1, "ann", 15), (2, "bob", 10)]

            await eventually(repaired, "the board has the update")
            epoch, offset = servers.redis.ask("HMGET", TABLE + "meta", "epoch", "offset")
            assert [epoch, int(offset)] == [ranked[0], int(ranked[1]) + 1], "it was ranked once, and not rebuilt"
            again = await update(other, board, "ann", 10, Idempotency_Key="crash")
            assert (again.ok()["score"], again.body["rank"]) == (15, 1)
            assert again.headers["Idempotent-Replayed"] == "true"
            assert await entries(servers) == 3
            assert await differences(other) == []

    async def test_a_retry_before_the_repair_gets_the_new_rank(self, servers: Servers, tmp_path: Path) -> None:
        board = await crashed(servers, tmp_path)
        async with frontends(servers, tmp_path / "frontends", 1) as (other,):
            assert await top(other, board) == [(1, "bob", 10), (2, "ann", 5)]
            again = await update(other, board, "ann", 10, Idempotency_Key="crash")
            assert (again.ok()["score"], again.body["rank"]) == (15, 1)
            assert again.headers["Idempotent-Replayed"] == "true"
            assert await top(other, board) == [(1, "ann", 15), (2, "bob", 10)]
            assert await differences(other) == []


async def crashed(servers: Servers, folder: Path) -> str:
    """Kill an `api` between commit and ranking. Return the path of its board.

    The board ranks bob with 10 before ann with 5. Another 10 of ann are in the ledger only.
    """
    async with aiohttp.ClientSession() as http:
        with process(folder / "api", port=None, role="api", **servers.environment()) as api:
            await api.ready()
            operator = Client(http, api.url, minted(api))
            (await operator.post("/v1/apps", {"app": "game"})).ok(201)
            (await operator.post("/v1/apps/game/boards", {"board": "main"})).ok(201)
            board = "/v1/apps/game/boards/main"
            for player, points in (("bob", 10), ("ann", 5)):
                body = {"player": player, "increment": points}
                ask = partial(operator.post, f"{board}/scores", body, Idempotency_Key=player)
                await eventually(partial(is_ranked, ask), "the table exists")
            ranked = servers.redis.ask("ZRANGE", TABLE + "order", 0, -1)
            server = Client(http, api.url, minted(api, "server", "game"))
            servers.redis.ask("CLIENT", "PAUSE", PAUSE_MS, "WRITE")
            try:
                body = {"player": "ann", "increment": 10}
                asking = asyncio.create_task(server.post(f"{board}/scores", body, Idempotency_Key="crash"))
                await eventually(lambda: has_entries(servers, 3), "it is committed")
                api.kill()
                await asyncio.gather(asking, return_exceptions=True)
                await eventually(lambda: no_client_blocked(servers), "Redis has no blocked client")
            finally:
                servers.redis.ask("CLIENT", "UNPAUSE")
    assert servers.redis.ask("ZRANGE", TABLE + "order", 0, -1) == ranked
    return board


async def is_ranked(ask: Callable[[], Awaitable[Answer]]) -> bool:
    return bool((await ask()).ok()["rank_state"] == "exact")


def minted(api: Process, *who: Any) -> str:
    role, app = who or ("admin", "*")
    given = settings(api.data, signing_key=SIGNING_KEY)
    return tokens.issue(given, role=role, app=app, subject="somebody", ttl_s=HOUR_S)


async def has_entries(servers: Servers, count: int) -> bool:
    return await entries(servers) == count


async def old_note(servers: Servers) -> bool:
    ((old,),) = await rows(servers, "SELECT bool_and(made_at < clock_timestamp() - interval '2 s') FROM notes")
    return bool(old)


def no_client_blocked(servers: Servers) -> bool:
    return " flags=b " not in servers.redis.ask("CLIENT", "LIST")


class TestLateCommit:
    """Another order of commits or ranking than that of acceptance or numbering."""

    async def test_the_score_accepted_last_is_the_latest_in_any_order_of_commits(
        self, servers: Servers, tmp_path: Path
    ) -> None:
        async with frontends(servers, tmp_path) as (late, other):
            board = await late.board(operator="latest")
            await propagated(board, other)
            async with held(late.service.ledger, "transact") as begun:
                first = asyncio.create_task(score(late, board, "ann", 100))
                await begun.reached()  # It has its instant, but no transaction yet.
                assert await score(other, board, "ann", 7) == 7
                begun.release()
                assert await first == 7
            assert await top(other, board) == [(1, "ann", 7)]
            assert await entries(servers) == 2
            assert await differences(other) == []

    async def test_a_standing_that_is_ranked_late_overwrites_no_newer_one(
        self, servers: Servers, tmp_path: Path
    ) -> None:
        async with frontends(servers, tmp_path) as (late, other):
            board = await late.board()
            await propagated(board, other)
            (await update(late, board, "bob", 12)).ok()
            async with held(late.service.ranking, "apply") as committed:
                first = asyncio.create_task(update(late, board, "ann", 10))
                await committed.reached()
                assert (await update(other, board, "ann", 5)).ok()["rank"] == 1
                committed.release()
                assert (await first).ok()["score"] == 10
            assert await top(other, board) == [(1, "ann", 15), (2, "bob", 12)]
            assert await differences(other) == []

    async def test_a_note_that_is_numbered_first_and_committed_last_is_found(
        self, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A repair runs in between, and handles the later number."""
        async with frontends(servers, tmp_path) as (late, other):
            board = await late.board()
            await propagated(board, other)
            (await update(late, board, "bob", 1)).ok()
            repair = repair_of(other)
            monkeypatch.setattr(late.service.ranking, "apply", fail)
            async with held(late.service.ledger, "_write", after=True) as written:
                first = asyncio.create_task(update(late, board, "ann", 10))
                await written.reached()  # It has its number, but is not committed.
                (await update(other, board, "cid", 5)).ok()
                await repair.once()
                assert await repair.once() == 0
                (await update(other, board, "cid", 1)).ok()
                written.release()
                assert (await first).ok()["rank_state"] == "unavailable"
            assert await top(other, board) == [(1, "cid", 6), (2, "bob", 1)]
            assert await repair.once()
            assert await top(other, board) == [(1, "ann", 10), (2, "cid", 6), (3, "bob", 1)]
            assert await differences(other) == []


def repair_of(one: Running) -> Repair:
    """Return a repair job for notes of any age."""
    inside = one.service
    ledger = PostgresLedger(cast("PostgresLedger", inside.ledger).database, fresh_s=0.0)
    return Repair(inside.directory, ledger, inside.ranking, inside.publisher)


async def fail(*_: Any, **__: Any) -> None:
    """Fail instead of ranking, as if the process had died before."""
    raise ConnectionError


class TestFailoverWithLostWrites:
    """A replica that lacks the last writes is promoted."""

    async def test_outdated_entries_are_not_shown(self, servers: Servers, tmp_path: Path) -> None:
        with (
            redis.started(redis.Server(tmp_path, *AT_ONCE)) as master,
            redis.started(redis.Server(tmp_path)) as replica,
        ):
            replica.ask("REPLICAOF", "127.0.0.1", master.port)
            async with Relay(master.port) as relay:
                given = servers.settings(ranking_url=f"redis://127.0.0.1:{relay.port}")
                async with running(tmp_path / "data", parts=FRONTENDS, **given) as service, page(service) as live:
                    board = await service.board()
                    (await update(service, board, "ann", 1)).ok()
                    (await update(service, board, "bob", 10)).ok()
                    _, before = await live.watch()
                    assert scores_of(before) == [("bob", 10), ("ann", 1)]
                    await eventually(lambda: caught_up(master, replica), "the replica has all writes")
                    replica.ask("REPLICAOF", "NO", "ONE")
                    assert (await update(service, board, "ann", 20)).ok()["rank"] == 1
                    (last,) = await live.until([("ann", 21), ("bob", 10)])
                    assert last["epoch"] == before["epoch"]
                    await self._failed_over(service, board, relay, master, replica)
                    (await update(service, board, "bob", 1)).ok()
                    shown = await live.next("top")
                    assert scores_of(shown) == [("ann", 21), ("bob", 11)]
                    assert shown["epoch"] != last["epoch"]
                    assert await differences(service) == []

    async def _failed_over(
        self, service: Running, board: str, relay: Relay, master: redis.Server, replica: redis.Server
    ) -> None:
        """Fail over and wait until the table is ranked again. Reads stay correct."""
        inside = await service.service.directory.board("game", "main")
        key = service.service.reads.table(inside, None, None)
        before = await service.service.ranking.position(key, inside)
        rebuilt = asyncio.Event()
        readers = [asyncio.create_task(self._read(service, board, rebuilt)) for _ in range(4)]
        relay.lead_to(replica.port)
        master.kill()

        async def ranked_again() -> bool:
            try:
                return (await service.service.ranking.position(key, inside)).epoch != before.epoch
            except NotRanked:
                return False

        try:
            await eventually(lambda: any(task.done() for task in readers) or ranked_again(), "the table is rebuilt")
        finally:
            rebuilt.set()
            await asyncio.gather(*readers)

    @staticmethod
    async def _read(service: Running, board: str, rebuilt: asyncio.Event) -> None:
        last = False
        while not last:
            last = rebuilt.is_set()
            assert await top(service, board) == [(1, "ann", 21), (2, "bob", 10)]
            standing = (await service.anybody.get(f"{board}/players/ann")).ok()
            assert (standing["score"], standing["rank"]) in {(21, 1), (21, None)}


def caught_up(master: redis.Server, replica: redis.Server) -> bool:
    ours, theirs = master.ask("INFO", "replication"), replica.ask("INFO", "replication")
    return bool(theirs["master_link_status"] == "up" and theirs["slave_repl_offset"] == ours["master_repl_offset"])


class TestFeedMessageLost:
    """Redis publishes a change, but the gateway does not receive it."""

    async def test_its_pages_still_show_the_newest_board(
        self, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with running(tmp_path / "api", parts=frozenset({"api"}), **servers.settings()) as api:
            board = await api.board()
            feed = lossy_feed(monkeypatch)
            async with (
                running(tmp_path / "live", parts=frozenset({"live"}), **servers.settings()) as gateway,
                page(gateway) as live,
            ):
                await live.watch()
                await eventually(lambda: feed.received, "the gateway has subscribed")
                (await update(api, board, "ann", 5)).ok()
                await live.until([("ann", 5)])
                feed.dropping = True
                (await update(api, board, "bob", 7)).ok()
                await eventually(lambda: feed.dropped, "the message was sent")
                await live.until([("bob", 7), ("ann", 5)])
                (await update(api, board, "ann", 5)).ok()
                feed.dropping = False
                (await update(api, board, "cid", 6)).ok()
                await live.until([("ann", 10), ("bob", 7), ("cid", 6)])


@dataclass
class Feed:
    """The messages that the gateway received, and those dropped while `dropping`."""

    dropping: bool = False
    received: list[TableKey | None] = field(default_factory=list)
    dropped: list[TableKey | None] = field(default_factory=list)


def lossy_feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Make the feed lossy in this process. Only a gateway subscribes to it."""
    feed, notify = Feed(), RedisFeed.notify

    def notify_unless_dropping(self: RedisFeed, table: TableKey | None) -> None:
        (feed.dropped if feed.dropping else feed.received).append(table)
        if not feed.dropping:
            notify(self, table)

    monkeypatch.setattr(RedisFeed, "notify", notify_unless_dropping)
    return feed
