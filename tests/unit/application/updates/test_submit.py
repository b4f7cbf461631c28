"""The way of an update from request to rank, on the real store, ranking and limits."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import pytest

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
    """An app `game` with the boards and actions that a test asks for."""

    def __init__(self, store: Database, clock: ManualClock) -> None:
        self.ledger, self.directory = SqliteLedger(store), SqliteDirectory(store)
        ranking = MemoryRanking(self.ledger.standings, "epoch")
        reads = Reads(self.directory, self.ledger, ranking, PlayerCache(self.directory), Cursors(bytes(32)), clock)
        publisher = cast("Publisher", self)
        self.commit = GroupCommit(self.ledger, ranking, publisher, clock, BatchLimits(PENDING), asyncio.Event())
        rate_limit = UpdateRateLimit(MemoryRateLimiter(lambda: 0.0), PLAYER_PER_MINUTE, SERVER_PER_SECOND)
        self.make_submit = partial(Submit, self.directory, self.ledger, rate_limit, self.commit, reads)
        self.submit = self.make_submit()

    def changed(self, *_: object) -> None:
        """Nobody watches."""

    async def board(self, board: str = "main", **rules: Any) -> Board:
        app = await self.directory.app("game")
        return await self.directory.create_board(Board(0, app, board, board.title(), **rules))

    async def action(self, action: str = "win", points: int = 5, **rules: Any) -> Action:
        app = await self.directory.app("game")
        return await self.directory.create_action(Action(0, app, action, points, **rules))

    async def sent(self, who: Principal | None = SERVER, board: str = "main", **wish: Any) -> UpdateResult:
        raw = repr(sorted(wish.items())).encode()
        if who is SERVER:
            wish.setdefault("player", "ann")
        return await self.submit.one(who, "game", board, UpdateRequest(raw, **wish))

    async def refused(self, kind: type[ScoreboardError], who: Principal | None = SERVER, **wish: Any) -> str:
        """The code of the refusal, and nothing was written."""
        before = [entry async for chunk in self.ledger.entries(await self._main()) for entry in chunk]
        with pytest.raises(kind) as raised:
            await self.sent(who, **wish)
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
    async def test_an_update_is_counted_ranked_and_told(self, world: World) -> None:
        main = await world.board()
        await world.sent(player="bob", increment=7)
        answer = await world.sent(increment=5, metadata=b'{"level":3}')
        assert answer.board == main
        assert answer.rank == RankChange(2, None)
        assert (answer.outcome.status, answer.outcome.score) == ("applied", 5)
        assert answer.rate is not None
        assert answer.rate.remaining == SERVER_PER_SECOND - 2
        answer = await world.sent(increment=5)
        assert (answer.outcome.score, answer.rank) == (10, RankChange(1, 2))

    async def test_it_is_stamped_with_an_instant_later_than_the_last_and_an_event_that_tells_it(
        self, world: World
    ) -> None:
        await world.board()
        outcomes = [(await world.sent(increment=1)).outcome for _ in range(3)]  # the clock stands still
        assert [one.accepted_at for one in outcomes] == [NOON, NOON + 1, NOON + 2]
        assert [event_id.accepted_at(one.event) for one in outcomes] == [NOON, NOON + 1, NOON + 2]

    async def test_a_player_need_not_say_who_it_is(self, world: World) -> None:
        await world.board(player_values=True)
        assert (await world.sent(ANN, increment=1)).outcome.player == "ann"

    async def test_the_season_is_that_of_the_instant_in_the_boards_time_zone(
        self, world: World, clock: ManualClock
    ) -> None:
        await world.board(period="daily", time_zone="Asia/Tokyo")
        assert (await world.sent(increment=1)).outcome.season == "2026-11-21"
        clock.now += 3 * HOUR
        assert (await world.sent(increment=1)).outcome.season == "2026-11-22"

    async def test_a_refusal_of_the_transaction_is_an_outcome(self, world: World) -> None:
        await world.board(max_total=6)
        answer = await world.sent(increment=7)
        assert (answer.outcome.status, answer.outcome.code) == ("refused", "total_out_of_bounds")


class TestRefusals:
    async def test_who_may_not_is_refused_before_the_board_is_looked_up(self, world: World) -> None:
        with pytest.raises(Unauthenticated):
            await world.sent(None, board="nowhere", increment=1)
        with pytest.raises(Forbidden):
            await world.sent(principal_of("server", "another", "one"), board="nowhere", increment=1)
        with pytest.raises(NotFound):
            await world.sent(SERVER, board="nowhere", increment=1)

    async def test_a_player_sends_for_nobody_else(self, world: World) -> None:
        await world.board(player_values=True)
        assert await world.refused(Forbidden, ANN, player="bob", increment=1) == "wrong_player"

    async def test_a_players_value_is_refused_where_the_board_does_not_trust_it(self, world: World) -> None:
        await world.board()
        assert await world.refused(Forbidden, ANN, increment=1) == "value_not_allowed"

    @pytest.mark.parametrize(
        "wish", [{}, {"increment": 1, "score": 1}, {"increment": 1, "action": "win"}, {"score": 1, "action": "win"}]
    )
    async def test_one_value_is_wanted(self, world: World, wish: dict[str, Any]) -> None:
        await world.board()
        await world.action()
        assert await world.refused(Invalid, **wish) == "one_value"

    @pytest.mark.parametrize(
        ("wish", "kind", "code"),
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
    async def test_what_is_wrong_is_refused_and_changes_nothing(
        self, world: World, wish: dict[str, Any], kind: type[ScoreboardError], code: str
    ) -> None:
        await world.board(max_value=8)
        await world.action("big", 9)
        assert await world.refused(kind, **wish) == code

    async def test_the_rate_limit_is_the_credentials(self, world: World) -> None:
        await world.board(player_values=True)
        for _ in range(PLAYER_PER_MINUTE):
            await world.sent(ANN, increment=1)
        assert await world.refused(TooManyRequests, ANN, increment=1) == "rate_limited"
        await world.sent(increment=1)


class TestActions:
    async def test_the_server_says_what_an_action_is_worth(self, world: World) -> None:
        await world.board()
        await world.action(points=5)
        assert (await world.sent(ANN, action="win")).outcome.score == 5

    async def test_a_limited_action_counts_so_often(self, world: World, clock: ManualClock) -> None:
        await world.board()
        await world.action(cooldown_s=10)
        assert (await world.sent(ANN, action="win")).outcome.status == "applied"
        refused = (await world.sent(ANN, action="win")).outcome
        assert refused.code == "action_cooldown"
        assert refused.retry_after_s == pytest.approx(10, abs=0.01)
        clock.now += 10 * SECOND
        assert (await world.sent(ANN, action="win")).outcome.score == 10


class TestRegions:
    @pytest.mark.parametrize(
        ("profile", "given", "counted"),
        [("eu", None, "eu"), ("eu", "us", "us"), ("africa", None, ""), (None, None, "")],
    )
    async def test_the_region_given_counts_or_else_that_of_the_profile_where_the_board_has_it(
        self, world: World, profile: str | None, given: str | None, counted: str
    ) -> None:
        main = await world.board(regions=("eu", "us"))
        await world.directory.create_player(main.app, Player("ann", "Ann", region=profile))
        await world.sent(increment=1, region=given)
        ((submission, _),) = [entry async for chunk in world.ledger.entries(main) for entry in chunk]
        assert submission.region == counted


class TestKeys:
    async def test_a_retry_is_answered_with_the_first_outcome_and_the_rank_of_now(self, world: World) -> None:
        await world.board()
        first = await world.sent(increment=5, key="k")
        await world.sent(player="bob", increment=7)
        again = await world.sent(increment=5, key="k")
        assert again.outcome.replayed
        assert again.outcome.event == first.outcome.event
        assert (first.rank, again.rank) == (RankChange(1, None), RankChange(2, None))

    async def test_a_key_is_for_one_body_and_one_board(self, world: World) -> None:
        await world.board()
        await world.board("second")
        await world.sent(increment=5, key="k")
        assert (await world.sent(increment=6, key="k")).outcome.code == "key_reused"
        assert (await world.sent(board="second", increment=5, key="k")).outcome.code == "key_reused"

    async def test_nothing_that_refuses_an_update_refuses_its_retry(self, world: World) -> None:
        main = await world.board(player_values=True)
        first = (await world.sent(ANN, increment=1, key="k")).outcome
        while True:
            try:
                await world.sent(ANN, increment=1)
            except TooManyRequests:
                break
        again = await world.sent(ANN, increment=1, key="k")
        assert (again.outcome.event, again.rate) == (first.event, None)
        assert again.rank == RankChange(1, None)
        await world.directory.update_board(Board(main.pk, main.app, "main", "Main"))  # trusts players no more
        assert (await world.sent(ANN, increment=1, key="k")).outcome.event == first.event
        world.commit.close()
        assert (await world.sent(ANN, increment=1, key="k")).outcome.event == first.event
        with pytest.raises(TooManyRequests):
            await world.sent(ANN, increment=1, key="new")

    async def test_another_body_under_a_known_key_is_told_so_where_the_update_is_refused_too(
        self, world: World
    ) -> None:
        await world.board()
        await world.sent(increment=1, key="k")
        with pytest.raises(Conflict):
            await world.sent(score=1, key="k")

    async def test_while_the_server_goes_away_a_new_update_is_told_to_come_back(self, world: World) -> None:
        await world.board()
        world.commit.close()
        with pytest.raises(Unavailable):
            await world.sent(increment=1, key="k")


class TestMany:
    async def many(self, world: World, *wishes: UpdateRequest, who: Principal | None = SERVER) -> list[Any]:
        result = await world.submit.many(world.submit.batch_sender(who, "game"), "main", wishes)
        return [
            (item.outcome.status, item.outcome.code, item.outcome.score)
            if isinstance(item, RankedOutcome)
            else item.code
            for item in result.items
        ]

    async def test_each_has_its_own_outcome_or_error_in_order(self, world: World) -> None:
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

    async def test_a_key_counts_once_in_it_and_after_it(self, world: World) -> None:
        await world.board()
        wishes = [UpdateRequest(b"1", player="ann", increment=5, key="k")] * 2
        assert await self.many(world, *wishes) == [("applied", "", 5)] * 2
        assert await self.many(world, *wishes) == [("applied", "", 5)] * 2

    async def test_it_costs_as_much_as_it_has(self, world: World) -> None:
        await world.board()
        wishes = [UpdateRequest(b"1", player="ann", increment=1)] * (SERVER_PER_SECOND - 1)
        await self.many(world, *wishes)
        with pytest.raises(TooManyRequests):
            await self.many(world, *wishes[:2])
        await self.many(world, wishes[0])

    @pytest.mark.parametrize("size", [0, MAX_BATCH + 1])
    async def test_its_size_is_bounded(self, world: World, size: int) -> None:
        await world.board()
        with pytest.raises(Invalid) as raised:
            await self.many(world, *[UpdateRequest(b"1", player="ann", increment=1)] * size)
        assert raised.value.code == "invalid_batch"

    async def test_of_nothing_but_errors_nothing_is_written(self, world: World) -> None:
        main = await world.board()
        assert await self.many(world, UpdateRequest(b"1", player="ann", score=5)) == ["operator_mismatch"]
        assert [chunk async for chunk in world.ledger.entries(main)] == []

    async def test_a_player_sends_none(self, world: World) -> None:
        await world.board(player_values=True)
        with pytest.raises(Forbidden) as raised:
            await self.many(world, UpdateRequest(b"1", increment=1), who=ANN)
        assert raised.value.code == "server_only"

    async def test_its_key_and_their_places_are_the_keys_of_its_items(self, world: World) -> None:
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

    async def test_regions_are_looked_up_once_for_all(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        main = await world.board(regions=("eu", "us"))
        await world.directory.create_player(main.app, Player("ann", "Ann", region="eu"))
        asked: list[set[str]] = []
        find = world.directory.find_players

        async def counting(app: App, players: Collection[str]) -> Mapping[str, Player]:
            asked.append(set(players))
            return await find(app, players)

        monkeypatch.setattr(world.directory, "find_players", counting)
        await self.many(
            world,
            UpdateRequest(b"1", player="ann", increment=1),
            UpdateRequest(b"2", player="bob", increment=1),
            UpdateRequest(b"3", player="cat", increment=1, region="us"),
            UpdateRequest(b"4", player="", increment=1),
        )
        assert asked == [{"ann", "bob"}]
        regions = {one.player: one.region async for chunk in world.ledger.entries(main) for one, _ in chunk}
        assert regions == {"ann": "eu", "bob": "", "cat": "us"}

    async def test_an_unreachable_store_fails_it_and_refuses_no_item(
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
    """A rule: each player counts once on a board, whatever the value."""

    def facts(self, submission: Submission) -> Sequence[FactKey]:
        return [FactKey("once_ever", submission.board.app.pk, submission.player, 0, str(submission.board.pk))]

    def decide(self, submission: Submission, facts: Mapping[FactKey, Fact]) -> Mapping[FactKey, Fact]:
        (key,) = self.facts(submission)
        if key in facts:
            raise codes.TOTAL_OUT_OF_BOUNDS.error("once is enough")
        return {key: Fact(1, submission.value, submission.accepted_at)}


class TestSeams:
    """A check and a rule are added without a change to what is there."""

    def strict(self, world: World, fault: ScoreboardError) -> Submit:
        def no_bob(board: Board) -> NoBob | None:
            return NoBob(fault) if board.slug == "strict" else None

        return world.make_submit(checks=(no_bob,))

    async def test_a_check_refuses_before_anything_happened_on_its_boards_only(self, world: World) -> None:
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

    async def test_a_rule_decides_inside_the_transaction_and_keeps_its_facts(self, world: World) -> None:
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
        await world.sent(increment=5)
        await world.directory.update_board(replace(main, max_value=2))
        assert await world.refused(Refused, increment=3) == "value_out_of_bounds"


class Line:
    """A queue that takes everything; nobody takes from it."""

    def __init__(self) -> None:
        self.taken: list[Submission] = []

    async def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        self.taken += submissions
        return [Outcome(s.event, s.board.pk, s.player, s.season, s.accepted_at, "pending") for s in submissions]


class TestManyQueued:
    """A batch for a queued board, where there is a queue."""

    @pytest.fixture
    async def line(self, world: World) -> Line:
        await world.board(consistency="queued")
        line = Line()
        world.submit = world.make_submit(QueueRoute(cast("QueuePublisher", line), b"key", fallback=False))
        return line

    async def many(self, world: World, *wishes: UpdateRequest) -> list[Any]:
        items = (await world.submit.many(world.submit.batch_sender(SERVER, "game"), "main", wishes)).items
        return [item.outcome if isinstance(item, RankedOutcome) else item.code for item in items]

    async def test_what_was_applied_is_told_under_its_first_event_and_not_queued_again(
        self, world: World, line: Line
    ) -> None:
        wish = UpdateRequest(b"1", player="ann", increment=5, key="k")
        (first,) = await self.many(world, wish)
        assert (first.status, first.replayed) == ("pending", False)
        await world.commit.submit(line.taken, ranks=False)
        reused, no_key = (
            UpdateRequest(b"2", player="ann", increment=6, key="k"),
            UpdateRequest(b"3", player="ann", increment=1, key=""),
        )
        new = UpdateRequest(b"4", player="bob", increment=7, key="l")
        again, conflict, invalid, other = await self.many(world, wish, reused, no_key, new)
        assert (again.event, again.status, again.replayed) == (first.event, "applied", True)
        assert (conflict, invalid) == ("key_reused", "invalid_idempotency_key")
        assert (other.player, other.replayed) == ("bob", False)
        assert [one.player for one in line.taken] == ["ann", "bob"]

    async def test_what_is_known_costs_nothing(self, world: World, line: Line) -> None:
        wishes = [UpdateRequest(b"1", player="ann", increment=1, key=f"k{n}") for n in range(SERVER_PER_SECOND)]
        first = await self.many(world, *wishes)
        await world.commit.submit(line.taken, ranks=False)
        assert [one.event for one in await self.many(world, *wishes)] == [one.event for one in first]
        with pytest.raises(TooManyRequests):
            await self.many(world, UpdateRequest(b"1", player="ann", increment=1, key="new"))

    async def test_while_the_store_is_away_all_is_queued(
        self, world: World, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: object) -> None:
            raise codes.STORAGE_FAILED.error("not now")

        monkeypatch.setattr(world.ledger, "receipts", away)
        wish = UpdateRequest(b"1", player="ann", increment=5, key="k")
        for _ in range(2):
            assert [one.status for one in await self.many(world, wish)] == ["pending"]
        assert len(line.taken) == 2

    async def test_an_update_without_region_is_queued_while_the_store_is_unreachable(
        self, world: World, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        main = await world.directory.board("game", "main")
        await world.directory.update_board(replace(main, regions=("eu",)))
        await world.directory.create_player(main.app, Player("ann", "Ann", region="eu"))

        async def unreachable(*_: object) -> Mapping[str, Player]:
            raise codes.STORAGE_FAILED.error("not now")

        monkeypatch.setattr(world.directory, "find_players", unreachable)
        assert (await world.sent(increment=5)).outcome.status == "pending"
        monkeypatch.undo()
        await resolve_regions(world.directory, line.taken)  # as the consumer does
        assert [one.region for one in line.taken] == ["eu"]
