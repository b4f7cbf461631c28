"""The path of an update from request to rank, on a real store and ranking."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import pytest

from harness.waiting import BOUND_S
from scoreboard.adapters.memory.ranking import MemoryRanking
from scoreboard.adapters.memory.rate_limiter import MemoryRateLimiter
from scoreboard.adapters.sqlite.database import Database
from scoreboard.adapters.sqlite.directory import SqliteDirectory
from scoreboard.adapters.sqlite.ledger import SqliteLedger
from scoreboard.application.identity.principals import principal_of
from scoreboard.application.live.publisher import Publisher
from scoreboard.application.ports.authentication import Principal
from scoreboard.application.ports.ranking import RankChange
from scoreboard.application.standings.cursors import Cursors
from scoreboard.application.standings.player_cache import PlayerCache
from scoreboard.application.standings.reads import Reads
from scoreboard.application.updates.batching import BatchLimits
from scoreboard.application.updates.checks import Draft
from scoreboard.application.updates.checks.rate_limit import UpdateRateLimit
from scoreboard.application.updates.commit import GroupCommit, RankedOutcome
from scoreboard.application.updates.queue_publisher import QueuePublisher
from scoreboard.application.updates.regions import resolve_regions
from scoreboard.application.updates.requests import UpdateRequest
from scoreboard.application.updates.submit import MAX_BATCH, MAX_METADATA_BYTES, QueueRoute, Submit, UpdateResult
from scoreboard.domain import codes, event_id
from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    ScoreboardError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.submission import Outcome, Submission
from tests.making import HOUR, NOON, SECOND, ManualClock

SERVER = principal_of("server", "game", "one")
ANN = principal_of("player", "game", "ann")
PLAYER_PER_MINUTE, SERVER_PER_SECOND = 3, 20
PENDING = 1_500


class World:
    """The app `game`, in which a test creates its boards and actions."""

    def __init__(self, store: Database, clock: ManualClock) -> None:
        self.ledger, self.directory = SqliteLedger(store), SqliteDirectory(store)
        ranking = MemoryRanking(self.ledger.standings, "epoch", load_s=BOUND_S)
        reads = Reads(self.directory, self.ledger, ranking, PlayerCache(self.directory), Cursors(bytes(32)), clock)
        publisher = cast("Publisher", self)
        self.commit = GroupCommit(self.ledger, ranking, publisher, clock, BatchLimits(PENDING), asyncio.Event())
        rate_limit = UpdateRateLimit(MemoryRateLimiter(lambda: 0.0), PLAYER_PER_MINUTE, SERVER_PER_SECOND)
        self.make_submit = partial(Submit, self.directory, self.ledger, rate_limit, self.commit, reads)
        self.submit = self.make_submit()

    def changed(self, *_: object) -> None:
        return None

    async def board(self, board: str = "main", **rules: Any) -> Board:
        app = await self.directory.app("game")
        return await self.directory.create_board(Board(0, app, board, board.title(), **rules))

    async def action(self, action: str = "win", points: int = 5, **rules: Any) -> Action:
        app = await self.directory.app("game")
        return await self.directory.create_action(Action(0, app, action, points, **rules))

    async def send(self, principal: Principal | None = SERVER, board: str = "main", **fields: Any) -> UpdateResult:
        raw = repr(sorted(fields.items())).encode()
        if principal is SERVER:
            fields.setdefault("player", "ann")
        return await self.submit.one(principal, "game", board, UpdateRequest(raw, **fields))

    async def refused(self, kind: type[ScoreboardError], principal: Principal | None = SERVER, **fields: Any) -> str:
        """Return the code of the refusal; check that nothing was written."""
        before = [entry async for chunk in self.ledger.entries(await self._main()) for entry in chunk]
        with pytest.raises(kind) as raised:
            await self.send(principal, **fields)
        assert [entry async for chunk in self.ledger.entries(await self._main()) for entry in chunk] == before
        return raised.value.code

    async def _main(self) -> Board:
        return await self.directory.board("game", "main")


@pytest.fixture
async def world(store: Database, clock: ManualClock) -> AsyncIterator[World]:
    world = World(store, clock)
    await world.directory.create_app(App(0, "game", "Game"))
    running = asyncio.create_task(world.commit.run())
    yield world
    world.commit.close()
    await running


class TestOne:
    async def test_an_update_is_counted_and_ranked(self, world: World) -> None:
        main = await world.board()
        await world.send(player="bob", increment=7)
        result = await world.send(increment=5, metadata=b'{"level":3}')
        assert result.board == main
        assert result.rank == RankChange(2, None)
        assert (result.outcome.status, result.outcome.score) == ("applied", 5)
        assert result.rate is not None
        assert result.rate.remaining == SERVER_PER_SECOND - 2
        result = await world.send(increment=5)
        assert (result.outcome.score, result.rank) == (10, RankChange(1, 2))

    async def test_each_update_has_a_later_instant_and_an_event_with_it(self, world: World) -> None:
        await world.board()
        outcomes = [(await world.send(increment=1)).outcome for _ in range(3)]  # the clock stands still
        assert [one.accepted_at for one in outcomes] == [NOON, NOON + 1, NOON + 2]
        assert [event_id.accepted_at(one.event) for one in outcomes] == [NOON, NOON + 1, NOON + 2]

    async def test_the_player_of_a_token_is_the_default(self, world: World) -> None:
        await world.board(player_values=True)
        assert (await world.send(ANN, increment=1)).outcome.player == "ann"

    async def test_the_season_follows_the_time_zone_of_the_board(self, world: World, clock: ManualClock) -> None:
        await world.board(period="daily", time_zone="Asia/Tokyo")
        assert (await world.send(increment=1)).outcome.season == "2026-11-21"
        clock.now += 3 * HOUR
        assert (await world.send(increment=1)).outcome.season == "2026-11-22"

    async def test_a_refusal_of_the_transaction_is_an_outcome(self, world: World) -> None:
        await world.board(max_total=6)
        result = await world.send(increment=7)
        assert (result.outcome.status, result.outcome.code) == ("refused", "total_out_of_bounds")


class TestRefusals:
    async def test_authorization_precedes_the_look_up_of_the_board(self, world: World) -> None:
        with pytest.raises(Unauthenticated):
            await world.send(None, board="nowhere", increment=1)
        with pytest.raises(Forbidden):
            await world.send(principal_of("server", "another", "one"), board="nowhere", increment=1)
        with pytest.raises(NotFound):
            await world.send(SERVER, board="nowhere", increment=1)

    async def test_a_player_may_not_update_another_player(self, world: World) -> None:
        await world.board(player_values=True)
        assert await world.refused(Forbidden, ANN, player="bob", increment=1) == "wrong_player"

    async def test_a_players_value_is_refused_unless_the_board_accepts_it(self, world: World) -> None:
        await world.board()
        assert await world.refused(Forbidden, ANN, increment=1) == "value_not_allowed"

    @pytest.mark.parametrize(
        "fields", [{}, {"increment": 1, "score": 1}, {"increment": 1, "action": "win"}, {"score": 1, "action": "win"}]
    )
    async def test_exactly_one_value_is_required(self, world: World, fields: dict[str, Any]) -> None:
        await world.board()
        await world.action()
        assert await world.refused(Invalid, **fields) == "one_value"

    @pytest.mark.parametrize(
        ("fields", "kind", "code"),
        [
            ({"score": 1}, Invalid, "operator_mismatch"),
            ({"increment": 9}, Refused, "value_out_of_bounds"),
            ({"action": "big"}, Refused, "value_out_of_bounds"),
            ({"action": "nothing"}, Invalid, "unknown_action"),
            ({"increment": 1, "region": "eu"}, Invalid, "unknown_region"),
            ({"increment": 1, "player": ""}, Invalid, "invalid_player"),
            ({"increment": 1, "key": "a key"}, Invalid, "invalid_idempotency_key"),
            ({"increment": 1, "metadata": b" " * (MAX_METADATA_BYTES + 1)}, Invalid, "metadata_too_big"),
        ],
    )
    async def test_an_invalid_update_is_refused_and_changes_nothing(
        self, world: World, fields: dict[str, Any], kind: type[ScoreboardError], code: str
    ) -> None:
        await world.board(max_value=8)
        await world.action("big", 9)
        assert await world.refused(kind, **fields) == code

    async def test_each_credential_has_its_rate_limit(self, world: World) -> None:
        await world.board(player_values=True)
        for _ in range(PLAYER_PER_MINUTE):
            await world.send(ANN, increment=1)
        assert await world.refused(TooManyRequests, ANN, increment=1) == "rate_limited"
        await world.send(increment=1)


class TestActions:
    async def test_an_action_has_the_points_of_the_server(self, world: World) -> None:
        await world.board()
        await world.action(points=5)
        assert (await world.send(ANN, action="win")).outcome.score == 5

    async def test_an_action_has_a_cooldown(self, world: World, clock: ManualClock) -> None:
        await world.board()
        await world.action(cooldown_s=10)
        assert (await world.send(ANN, action="win")).outcome.status == "applied"
        refused = (await world.send(ANN, action="win")).outcome
        assert refused.code == "action_cooldown"
        assert refused.retry_after_s == pytest.approx(10, abs=0.01)
        clock.now += 10 * SECOND
        assert (await world.send(ANN, action="win")).outcome.score == 10


class TestRegions:
    @pytest.mark.parametrize(
        ("profile", "given", "counted"),
        [("eu", None, "eu"), ("eu", "us", "us"), ("africa", None, ""), (None, None, "")],
    )
    async def test_the_region_of_a_request_precedes_that_of_the_profile(
        self, world: World, profile: str | None, given: str | None, counted: str
    ) -> None:
        main = await world.board(regions=("eu", "us"))
        await world.directory.create_player(main.app, Player("ann", "Ann", region=profile))
        await world.send(increment=1, region=given)
        ((submission, _),) = [entry async for chunk in world.ledger.entries(main) for entry in chunk]
        assert submission.region == counted


class TestKeys:
    async def test_a_retry_returns_the_first_outcome_and_the_current_rank(self, world: World) -> None:
        await world.board()
        first = await world.send(increment=5, key="k")
        await world.send(player="bob", increment=7)
        again = await world.send(increment=5, key="k")
        assert again.outcome.replayed
        assert again.outcome.event == first.outcome.event
        assert (first.rank, again.rank) == (RankChange(1, None), RankChange(2, None))

    async def test_a_key_belongs_to_one_body_and_one_board(self, world: World) -> None:
        await world.board()
        await world.board("second")
        await world.send(increment=5, key="k")
        assert (await world.send(increment=6, key="k")).outcome.code == "key_reused"
        assert (await world.send(board="second", increment=5, key="k")).outcome.code == "key_reused"

    async def test_a_retry_is_replayed_even_if_a_check_would_now_refuse_it(self, world: World) -> None:
        main = await world.board(player_values=True)
        first = (await world.send(ANN, increment=1, key="k")).outcome
        while True:
            try:
                await world.send(ANN, increment=1)
            except TooManyRequests:
                break
        again = await world.send(ANN, increment=1, key="k")
        assert (again.outcome.event, again.rate) == (first.event, None)
        assert again.rank == RankChange(1, None)
        await world.directory.update_board(Board(main.pk, main.app, "main", "Main"))  # accepts no values from players
        assert (await world.send(ANN, increment=1, key="k")).outcome.event == first.event
        world.commit.close()
        assert (await world.send(ANN, increment=1, key="k")).outcome.event == first.event
        with pytest.raises(TooManyRequests):
            await world.send(ANN, increment=1, key="new")

    async def test_a_reused_key_precedes_other_reasons_to_refuse_an_update(self, world: World) -> None:
        await world.board()
        await world.send(increment=1, key="k")
        with pytest.raises(Conflict):
            await world.send(score=1, key="k")

    async def test_a_new_update_is_refused_while_the_server_is_stopping(self, world: World) -> None:
        await world.board()
        world.commit.close()
        with pytest.raises(Unavailable):
            await world.send(increment=1, key="k")


class TestMany:
    async def many(self, world: World, *requests: UpdateRequest, principal: Principal | None = SERVER) -> list[Any]:
        result = await world.submit.many(world.submit.batch_sender(principal, "game"), "main", requests)
        return [
            (item.outcome.status, item.outcome.code, item.outcome.score)
            if isinstance(item, RankedOutcome)
            else item.code
            for item in result.items
        ]

    async def test_each_update_has_an_outcome_or_error_in_order(self, world: World) -> None:
        await world.board(max_total=6)
        answers = await self.many(
            world,
            UpdateRequest(b"1", player="ann", increment=5),
            UpdateRequest(b"2", player="ann", score=5),
            UpdateRequest(b"3", player="ann", increment=5),
            UpdateRequest(b"4", player="", increment=1),
            UpdateRequest(b"5", player="ann", increment=1),
        )
        assert answers == [
            ("applied", "", 5),
            "operator_mismatch",
            ("refused", "total_out_of_bounds", 0),
            "invalid_player",
            ("applied", "", 6),
        ]

    async def test_a_key_counts_once_within_and_across_batches(self, world: World) -> None:
        await world.board()
        requests = [UpdateRequest(b"1", player="ann", increment=5, key="k")] * 2
        assert await self.many(world, *requests) == [("applied", "", 5)] * 2
        assert await self.many(world, *requests) == [("applied", "", 5)] * 2

    async def test_a_batch_takes_one_from_the_rate_limit_per_update(self, world: World) -> None:
        await world.board()
        requests = [UpdateRequest(b"1", player="ann", increment=1)] * (SERVER_PER_SECOND - 1)
        await self.many(world, *requests)
        with pytest.raises(TooManyRequests):
            await self.many(world, *requests[:2])
        await self.many(world, requests[0])

    @pytest.mark.parametrize("size", [0, MAX_BATCH + 1])
    async def test_the_size_of_a_batch_is_bounded(self, world: World, size: int) -> None:
        await world.board()
        with pytest.raises(Invalid) as raised:
            await self.many(world, *[UpdateRequest(b"1", player="ann", increment=1)] * size)
        assert raised.value.code == "invalid_batch"

    async def test_a_batch_of_errors_writes_nothing(self, world: World) -> None:
        main = await world.board()
        assert await self.many(world, UpdateRequest(b"1", player="ann", score=5)) == ["operator_mismatch"]
        assert [chunk async for chunk in world.ledger.entries(main)] == []

    async def test_a_player_may_not_send_a_batch(self, world: World) -> None:
        await world.board(player_values=True)
        with pytest.raises(Forbidden) as raised:
            await self.many(world, UpdateRequest(b"1", increment=1), principal=ANN)
        assert raised.value.code == "server_only"

    async def test_the_key_of_a_batch_and_the_index_make_the_key_of_an_update(self, world: World) -> None:
        await world.board()
        for replayed in (False, True):
            requests = [UpdateRequest(b"1", player="ann", increment=1), UpdateRequest(b"2", player="ann", increment=2)]
            result = await world.submit.many(world.submit.batch_sender(SERVER, "game"), "main", requests, key="k" * 255)
            assert [isinstance(item, RankedOutcome) and item.outcome.replayed for item in result.items] == [
                replayed
            ] * 2
        with pytest.raises(Invalid) as raised:
            await world.submit.many(
                world.submit.batch_sender(SERVER, "game"), "main", [UpdateRequest(b"", increment=1)], key="not a key"
            )
        assert raised.value.code == "invalid_idempotency_key"

    async def test_regions_are_looked_up_once_per_batch(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        main = await world.board(regions=("eu", "us"))
        await world.directory.create_player(main.app, Player("ann", "Ann", region="eu"))
        looked_up: list[set[str]] = []
        find = world.directory.find_players

        async def counting(app: App, players: Collection[str]) -> Mapping[str, Player]:
            looked_up.append(set(players))
            return await find(app, players)

        monkeypatch.setattr(world.directory, "find_players", counting)
        await self.many(
            world,
            UpdateRequest(b"1", player="ann", increment=1),
            UpdateRequest(b"2", player="bob", increment=1),
            UpdateRequest(b"3", player="cat", increment=1, region="us"),
            UpdateRequest(b"4", player="", increment=1),
        )
        assert looked_up == [{"ann", "bob"}]
        regions = {one.player: one.region async for chunk in world.ledger.entries(main) for one, _ in chunk}
        assert regions == {"ann": "eu", "bob": "", "cat": "us"}

    async def test_an_unreachable_store_fails_the_batch_and_refuses_no_update(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        main = await world.board(regions=("eu",))

        async def unreachable(*_: object) -> Mapping[str, Player]:
            raise codes.STORAGE_FAILED.error("not now")

        monkeypatch.setattr(world.directory, "find_players", unreachable)
        with pytest.raises(Unavailable):
            await self.many(world, UpdateRequest(b"1", player="ann", increment=1))
        assert [chunk async for chunk in world.ledger.entries(main)] == []


@dataclass
class NoBob:
    """A check of the boards called `strict`."""

    fault: ScoreboardError

    async def check(self, draft: Draft) -> None:
        if draft.submission.player == "bob":
            raise self.fault


@dataclass
class OnceEver:
    """A rule: each player counts once on a board."""

    def facts(self, submission: Submission) -> Sequence[FactKey]:
        return [FactKey("once_ever", submission.board.app.pk, submission.player, 0, str(submission.board.pk))]

    def decide(self, submission: Submission, facts: Mapping[FactKey, Fact]) -> Mapping[FactKey, Fact]:
        (key,) = self.facts(submission)
        if key in facts:
            raise codes.TOTAL_OUT_OF_BOUNDS.error("once is enough")
        return {key: Fact(1, submission.value, submission.accepted_at)}


class TestExtensions:
    """A check and a rule are added without changes to existing code."""

    def strict(self, world: World, fault: ScoreboardError) -> Submit:
        def no_bob(board: Board) -> NoBob | None:
            return NoBob(fault) if board.slug == "strict" else None

        return world.make_submit(checks=(no_bob,))

    async def test_a_check_refuses_updates_of_its_boards_before_the_commit(self, world: World) -> None:
        submit = self.strict(world, codes.VALUE_NOT_ALLOWED.error("no bob"))
        strict, _ = await world.board("strict"), await world.board()
        requests = [UpdateRequest(b"", player=player, increment=1) for player in ("ann", "bob")]
        items = (await submit.many(submit.batch_sender(SERVER, "game"), "strict", requests)).items
        assert [item.code if isinstance(item, ScoreboardError) else item.outcome.status for item in items] == [
            "applied",
            "value_not_allowed",
        ]
        assert [one.player async for chunk in world.ledger.entries(strict) for one, _ in chunk] == ["ann"]
        with pytest.raises(Forbidden):
            await submit.one(SERVER, "game", "strict", UpdateRequest(b"", player="bob", increment=1))
        await submit.one(SERVER, "game", "main", UpdateRequest(b"", player="bob", increment=1))

    async def test_a_check_that_cannot_decide_fails_the_request(self, world: World) -> None:
        submit = self.strict(world, codes.STORAGE_FAILED.error("not now"))
        await world.board("strict")
        requests = [UpdateRequest(b"", player=player, increment=1) for player in ("ann", "bob")]
        with pytest.raises(Unavailable):
            await submit.many(submit.batch_sender(SERVER, "game"), "strict", requests)

    async def test_a_rule_decides_inside_the_transaction_and_stores_its_facts(self, world: World) -> None:
        def once_ever(board: Board, action: Action | None) -> OnceEver | None:
            return OnceEver() if board.slug == "strict" and action is None else None

        submit = world.make_submit(rules=(once_ever,))
        await world.board("strict")
        requests = [UpdateRequest(b"", player=player, increment=1) for player in ("ann", "bob", "ann")]
        for expected in (["", "", "total_out_of_bounds"], ["total_out_of_bounds"] * 3):
            items = (await submit.many(submit.batch_sender(SERVER, "game"), "strict", requests)).items
            assert [item.outcome.code for item in items if isinstance(item, RankedOutcome)] == expected

    async def test_checks_and_rules_follow_a_change_of_the_board(self, world: World) -> None:
        main = await world.board(max_total=5)
        await world.send(increment=5)
        await world.directory.update_board(replace(main, max_value=2))
        assert await world.refused(Refused, increment=3) == "value_out_of_bounds"


class FakeQueuePublisher:
    """A publisher to a queue without consumers."""

    def __init__(self) -> None:
        self.published: list[Submission] = []

    async def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        self.published += submissions
        return [Outcome(s.event, s.board.pk, s.player, s.season, s.accepted_at, "pending") for s in submissions]


class TestManyQueued:
    """Batches for a queued board."""

    @pytest.fixture
    async def publisher(self, world: World) -> FakeQueuePublisher:
        await world.board(consistency="queued")
        publisher = FakeQueuePublisher()
        world.submit = world.make_submit(QueueRoute(cast("QueuePublisher", publisher), b"key", fallback=False))
        return publisher

    async def many(self, world: World, *requests: UpdateRequest) -> list[Any]:
        items = (await world.submit.many(world.submit.batch_sender(SERVER, "game"), "main", requests)).items
        return [item.outcome if isinstance(item, RankedOutcome) else item.code for item in items]

    async def test_an_applied_update_is_replayed_and_not_queued_again(
        self, world: World, publisher: FakeQueuePublisher
    ) -> None:
        request = UpdateRequest(b"1", player="ann", increment=5, key="k")
        (first,) = await self.many(world, request)
        assert (first.status, first.replayed) == ("pending", False)
        await world.commit.submit(publisher.published, ranks=False)
        reused, no_key = (
            UpdateRequest(b"2", player="ann", increment=6, key="k"),
            UpdateRequest(b"3", player="ann", increment=1, key=""),
        )
        new = UpdateRequest(b"4", player="bob", increment=7, key="l")
        again, conflict, invalid, other = await self.many(world, request, reused, no_key, new)
        assert (again.event, again.status, again.replayed) == (first.event, "applied", True)
        assert (conflict, invalid) == ("key_reused", "invalid_idempotency_key")
        assert (other.player, other.replayed) == ("bob", False)
        assert [one.player for one in publisher.published] == ["ann", "bob"]

    async def test_replays_take_nothing_from_the_rate_limit(self, world: World, publisher: FakeQueuePublisher) -> None:
        requests = [UpdateRequest(b"1", player="ann", increment=1, key=f"k{n}") for n in range(SERVER_PER_SECOND)]
        first = await self.many(world, *requests)
        await world.commit.submit(publisher.published, ranks=False)
        assert [one.event for one in await self.many(world, *requests)] == [one.event for one in first]
        with pytest.raises(TooManyRequests):
            await self.many(world, UpdateRequest(b"1", player="ann", increment=1, key="new"))

    async def test_updates_are_queued_while_the_store_is_unreachable(
        self, world: World, publisher: FakeQueuePublisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def unreachable(*_: object) -> None:
            raise codes.STORAGE_FAILED.error("not now")

        monkeypatch.setattr(world.ledger, "receipts", unreachable)
        request = UpdateRequest(b"1", player="ann", increment=5, key="k")
        for _ in range(2):
            assert [one.status for one in await self.many(world, request)] == ["pending"]
        assert len(publisher.published) == 2

    async def test_an_update_without_a_region_is_queued_while_the_store_is_unreachable(
        self, world: World, publisher: FakeQueuePublisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        main = await world.directory.board("game", "main")
        await world.directory.update_board(replace(main, regions=("eu",)))
        await world.directory.create_player(main.app, Player("ann", "Ann", region="eu"))

        async def unreachable(*_: object) -> Mapping[str, Player]:
            raise codes.STORAGE_FAILED.error("not now")

        monkeypatch.setattr(world.directory, "find_players", unreachable)
        assert (await world.send(increment=5)).outcome.status == "pending"
        monkeypatch.undo()
        await resolve_regions(world.directory, publisher.published)  # as the consumer does
        assert [one.region for one in publisher.published] == ["eu"]
