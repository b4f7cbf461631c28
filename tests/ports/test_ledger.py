import asyncio
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest

from scoreboard.application.ports.ledger import IMPORTED, BatchState, Decision
from scoreboard.application.updates.decide import decide
from scoreboard.domain import codes
from scoreboard.domain.board import Action, App, Board, Player
from scoreboard.domain.bounds import MAX_COOLDOWN_S
from scoreboard.domain.errors import Unavailable
from scoreboard.domain.facts import Fact, FactKey
from scoreboard.domain.submission import Outcome, Standing, Submission, TableKey
from tests.making import HOUR, NOON, SECOND, event, submission, table
from tests.ports.backends import Tenancy


async def apply(tenancy: Tenancy, *batch: Submission) -> list[Outcome]:
    return (await tenancy.ledger.transact(batch, decide)).outcomes


async def totals(tenancy: Tenancy, key: TableKey) -> dict[str, int]:
    return {player: one.score async for chunk in tenancy.ledger.standings(key) for player, one in chunk}


async def entries(tenancy: Tenancy, board: Board) -> list[tuple[Submission, Outcome]]:
    return [entry async for chunk in tenancy.ledger.entries(board) for entry in chunk]


class TestTransactions:
    async def test_a_committed_update_survives_a_restart(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, regions=("eu",), period="daily")
        one = submission(board, value=5, region="eu", key="k", body=b"5", metadata=b'{"level":3}')
        decision = await tenancy.ledger.transact([one], decide)
        (outcome,) = decision.outcomes
        held = decision.standings[table(board, "2026-11-21", "eu")]["ann"]
        for _ in range(2):
            for key in (table(board, "2026-11-21"), table(board, "2026-11-21", "eu")):
                assert await tenancy.ledger.standing(key, app, "ann") == held
                assert [chunk async for chunk in tenancy.ledger.standings(key)] == [[("ann", held)]]
            assert await tenancy.ledger.outcome(app, one.event) == outcome
            assert await tenancy.ledger.outcomes(app, [one.event, event(NOON)]) == {one.event: outcome}
            assert (await tenancy.ledger.receipts(app, "server:one", ["k"])).get("k") == (b"5", outcome)
            ((entry, recorded),) = await entries(tenancy, board)
            assert recorded == outcome
            assert (
                entry.event,
                entry.player,
                entry.value,
                entry.region,
                entry.season,
                entry.metadata,
                entry.credential,
            ) == (
                one.event,
                "ann",
                5,
                "eu",
                "2026-11-21",
                b'{"level":3}',
                "server:one",
            )
            await tenancy.reopened()

    async def test_a_new_player_is_created_with_its_id_as_its_name(
        self, tenancy: Tenancy, app: App, main: Board
    ) -> None:
        await apply(tenancy, submission(main, "zoë"))
        assert await tenancy.directory.find_players(app, ["zoë"]) == {"zoë": Player("zoë", "zoë")}

    async def test_a_player_that_has_a_name_keeps_it(self, tenancy: Tenancy, app: App, main: Board) -> None:
        ann = Player("ann", "Ann")
        await tenancy.directory.create_player(app, ann)
        await apply(tenancy, submission(main))
        assert await tenancy.directory.find_players(app, ["ann"]) == {"ann": ann}

    async def test_the_state_of_a_batch_is_complete(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, regions=("eu",))
        twice = await tenancy.directory.create_action(Action(0, app, "win", 5, per_day=2, cooldown_s=1))
        first = submission(board, region="eu", use=twice, key="k", body=b"5")
        (outcome,) = await apply(tenancy, first)
        seen: list[BatchState] = []

        def record_state(batch: Sequence[Submission], state: BatchState) -> Decision:
            seen.append(state)
            return Decision([outcome] * len(batch))

        batch = [submission(board, "bob"), submission(board, region="eu", use=twice, key="k", body=b"5")]
        await tenancy.ledger.transact(batch, record_state)
        state = seen[-1]
        held = Standing(1, NOON, outcome.accepted_at, first.event, NOON)
        assert {key: found for key, found in state.standings.items() if found} == {
            table(board): {"ann": held},
            table(board, region="eu"): {"ann": held},
        }
        assert {key: receipt.digest for key, receipt in state.receipts.items()} == {(app.pk, "server:one", "k"): b"5"}
        assert {key.rule: fact for key, fact in state.facts.items()} == {
            "action_per_day": Fact(1, 0, NOON),
            "action_cooldown": Fact(1, 0, NOON),
        }

    async def test_an_error_of_the_decision_rolls_back(self, tenancy: Tenancy, app: App, main: Board) -> None:
        def failing(batch: Sequence[Submission], state: BatchState) -> Decision:
            decide(batch, state)
            raise ValueError("in the middle")

        one = submission(main, key="k", body=b"5")
        with pytest.raises(ValueError, match="in the middle"):
            await tenancy.ledger.transact([one], failing)
        assert await totals(tenancy, table(main)) == {}
        assert (await tenancy.ledger.receipts(app, "server:one", ["k"])).get("k") is None
        (outcome,) = await apply(tenancy, one)
        assert (outcome.status, outcome.replayed, outcome.score) == ("applied", False, 1)

    async def test_a_batch_that_cannot_be_stored_is_rolled_back(self, tenancy: Tenancy, main: Board) -> None:
        one, other = submission(main, "ann"), submission(main, "bob")
        with pytest.raises(Exception) as raised:  # noqa: PT011 - any but Unavailable
            await apply(tenancy, one, submission(main, "\ud800"), other)
        assert not isinstance(raised.value, Unavailable)
        assert await totals(tenancy, table(main)) == {}
        await apply(tenancy, one, other)
        assert await totals(tenancy, table(main)) == {"ann": 1, "bob": 1}

    async def test_a_refusal_is_an_outcome_and_changes_nothing(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, max_total=6)
        one = submission(board, value=9, key="k", body=b"9")
        (refused,) = await apply(tenancy, one)
        assert refused.code == "total_out_of_bounds"
        for _ in range(2):
            assert await tenancy.ledger.outcome(app, one.event) == refused
            assert await tenancy.ledger.outcomes(app, [one.event]) == {one.event: refused}
            assert (await tenancy.ledger.receipts(app, "server:one", ["k"])).get("k") == (b"9", refused)
            assert await totals(tenancy, table(board)) == {}
            assert await entries(tenancy, board) == []
            await tenancy.reopened()


class TestReceipts:
    async def test_a_key_counts_once_even_over_restarts(self, tenancy: Tenancy, main: Board) -> None:
        (first,) = await apply(tenancy, submission(main, value=5, key="k", body=b"5"))
        for _ in range(2):
            (again,) = await apply(tenancy, submission(main, value=5, key="k", body=b"5"))
            assert (again.event, again.score, again.replayed) == (first.event, 5, True)
            await tenancy.reopened()
        assert await totals(tenancy, table(main)) == {"ann": 5}

    async def test_a_key_belongs_to_one_app_and_credential(self, tenancy: Tenancy, app: App, main: Board) -> None:
        another = await tenancy.app("another")
        elsewhere = await tenancy.board(another)
        await apply(tenancy, submission(main, key="k", body=b"5"))
        assert (await tenancy.ledger.receipts(another, "server:one", ["k"])).get("k") is None
        assert (await tenancy.ledger.receipts(app, "server:two", ["k"])).get("k") is None
        (outcome,) = await apply(tenancy, submission(elsewhere, key="k", body=b"5"))
        assert not outcome.replayed

    async def test_the_receipts_of_several_keys_are_read_together(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, max_total=6)
        applied, refused, _ = await apply(
            tenancy,
            submission(board, value=5, key="k", body=b"5"),
            submission(board, value=9, key="l", body=b"9"),
            submission(board, "bob"),
        )
        receipts = {"k": (b"5", applied), "l": (b"9", refused)}
        for _ in range(2):
            assert await tenancy.ledger.receipts(app, "server:one", ["l", "k", "m"]) == receipts
            assert await tenancy.ledger.receipts(app, "server:two", ["k"]) == {}
            assert await tenancy.ledger.receipts(app, "server:one", []) == {}
            await tenancy.reopened()
        await tenancy.directory.delete_player(app, Player("ann", "ann"))
        assert (await tenancy.ledger.receipts(app, "server:one", ["k"]))["k"] == (b"5", None)

    @pytest.mark.parametrize("restarted", [False, True])
    async def test_a_key_stays_used_when_its_player_is_deleted(
        self, tenancy: Tenancy, app: App, main: Board, restarted: bool
    ) -> None:
        await apply(tenancy, submission(main, value=5, key="k", body=b"5"))
        await tenancy.directory.delete_player(app, Player("ann", "ann"))
        if restarted:
            await tenancy.reopened()
        await apply(tenancy, submission(main, value=5, key="k", body=b"5"))
        assert await totals(tenancy, table(main)) == {}

    @pytest.mark.parametrize("restarted", [False, True])
    async def test_a_key_stays_used_when_its_board_is_deleted(
        self, tenancy: Tenancy, app: App, main: Board, restarted: bool
    ) -> None:
        await apply(tenancy, submission(main, value=5, key="k", body=b"old"))
        await tenancy.directory.delete_board(main)
        again = await tenancy.board(app)
        if restarted:
            await tenancy.reopened()
        (outcome,) = await apply(tenancy, submission(again, value=5, key="k", body=b"new"))
        assert outcome.code == "key_reused"
        assert await totals(tenancy, table(again)) == {}


class TestDoubtfulCommits:
    async def test_a_retry_with_the_same_event_ids_counts_once(self, tenancy: Tenancy, main: Board) -> None:
        await apply(tenancy, submission(main, value=1))
        batch = [submission(main, value=5), submission(main, "bob", 3)]
        with tenancy.store.answers_lost(), pytest.raises(Unavailable):
            await apply(tenancy, *batch)
        outcomes = await apply(tenancy, *batch)
        assert [(one.event, one.status, one.score) for one in outcomes] == [
            (batch[0].event, "applied", 6),
            (batch[1].event, "applied", 3),
        ]
        assert await totals(tenancy, table(main)) == {"ann": 6, "bob": 3}

    async def test_a_retry_of_the_first_update_of_a_table_counts_once(
        self, tenancy: Tenancy, app: App, main: Board
    ) -> None:
        first = submission(main, value=5, key="k", body=b"5")
        with tenancy.store.answers_lost():
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await apply(tenancy, first)
        (outcome,) = await apply(tenancy, first)
        assert (outcome.event, outcome.status, outcome.score) == (first.event, "applied", 5)
        (after,) = await apply(tenancy, submission(main, value=2, key="j", body=b"2"))
        assert (after.status, after.score) == ("applied", 7)
        receipt = (await tenancy.ledger.receipts(app, "server:one", ["k"])).get("k")
        assert receipt is not None
        assert receipt.outcome is not None
        assert receipt.outcome.event == first.event

    async def test_a_retry_of_a_refusal_is_refused(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, max_total=6)
        one = submission(board, value=9)
        with tenancy.store.answers_lost(), pytest.raises(Unavailable):
            await apply(tenancy, one)
        (outcome,) = await apply(tenancy, one)
        assert outcome.code == "total_out_of_bounds"

    async def test_a_retry_with_the_same_key_after_a_restart_counts_once(self, tenancy: Tenancy, main: Board) -> None:
        with tenancy.store.answers_lost(), pytest.raises(Unavailable):
            await apply(tenancy, submission(main, value=5, key="k", body=b"5"))
        await tenancy.reopened()
        (outcome,) = await apply(tenancy, submission(main, value=5, key="k", body=b"5"))
        assert outcome.replayed
        assert await totals(tenancy, table(main)) == {"ann": 5}


class TestUses:
    async def test_the_uses_of_an_action_survive_a_restart(self, tenancy: Tenancy, app: App, main: Board) -> None:
        once = await tenancy.directory.create_action(Action(0, app, "win", 5, per_day=1))
        await apply(tenancy, submission(main, use=once))
        for _ in range(2):
            (outcome,) = await apply(tenancy, submission(main, use=once))
            assert outcome.code == "action_limit"
            await tenancy.reopened()

    async def test_an_action_that_is_created_again_has_no_uses(self, tenancy: Tenancy, app: App, main: Board) -> None:
        for _ in range(2):
            once = await tenancy.directory.create_action(Action(0, app, "win", 5, per_day=1))
            (outcome,) = await apply(tenancy, submission(main, use=once))
            assert outcome.status == "applied"
            await tenancy.directory.delete_action(once)


class TestProjections:
    async def test_the_changes_of_a_batch_are_pending_until_acknowledged(self, tenancy: Tenancy, main: Board) -> None:
        decision = await tenancy.ledger.transact([submission(main, value=5), submission(main, "bob", 3)], decide)
        for _ in range(2):
            projections, standings = await tenancy.ledger.pending_projections()
            assert projections == [decision.projection_id]
            assert {(key, player, one.score) for key, player, one in standings} == {
                (table(main), "ann", 5),
                (table(main), "bob", 3),
            }
            await tenancy.reopened()
        await tenancy.ledger.ack_projections([decision.projection_id])
        done = await tenancy.ledger.transact([submission(main, "cat")], decide)
        projections, standings = await tenancy.ledger.pending_projections()
        assert projections == [done.projection_id]
        assert [player for _, player, _ in standings] == ["cat"]

    async def test_pending_standings_are_current(self, tenancy: Tenancy, main: Board) -> None:
        for _ in range(2):
            await apply(tenancy, submission(main, value=5))
        projections, standings = await tenancy.ledger.pending_projections()
        assert len(projections) == 2
        assert {(player, one.score) for _, player, one in standings} == {("ann", 10)}

    async def test_a_batch_without_changes_has_no_projection(self, tenancy: Tenancy, main: Board) -> None:
        await tenancy.ledger.transact([submission(main, value=5)], decide)
        decision = await tenancy.ledger.transact([submission(main, value=0)], decide)
        assert decision.projection_id == 0
        assert decision.to_rank[table(main)]["ann"].score == 5

    async def test_an_acknowledgement_survives_a_batch_that_fails(self, tenancy: Tenancy, main: Board) -> None:
        decision = await tenancy.ledger.transact([submission(main)], decide)
        await tenancy.ledger.ack_projections([decision.projection_id])
        with pytest.raises(Exception):  # noqa: B017, PT011 - any error of the store
            await apply(tenancy, submission(main, "\ud800"))
        done = await tenancy.ledger.transact([submission(main)], decide)
        assert (await tenancy.ledger.pending_projections())[0] == [done.projection_id]

    async def test_projections_of_doubtful_commits_are_pending(self, tenancy: Tenancy, main: Board) -> None:
        one = submission(main, value=5)
        with tenancy.store.answers_lost(), pytest.raises(Unavailable):
            await apply(tenancy, one)
        await apply(tenancy, one)
        _, standings = await tenancy.ledger.pending_projections()
        assert [(key, player, held.score) for key, player, held in standings] == [(table(main), "ann", 5)]


class Once:
    """A rule for tests: a player counts once on a board, and the fact never expires."""

    def facts(self, submission: Submission) -> Sequence[FactKey]:
        return [FactKey("once", submission.board.app.pk, submission.player, 0, str(submission.board.pk))]

    def decide(self, submission: Submission, facts: Mapping[FactKey, Fact]) -> Mapping[FactKey, Fact]:
        (key,) = self.facts(submission)
        if key in facts:
            raise codes.TOTAL_OUT_OF_BOUNDS.error("once is enough")
        return {key: Fact(1, submission.value, submission.accepted_at)}


async def purge(tenancy: Tenancy, before: int = 0, facts_before: int = 0) -> int:
    """Run a complete pass, and return the number of removed rows."""
    removed = 0
    while True:
        step = await tenancy.ledger.purge(before, facts_before)
        removed += step.removed
        if step.complete:
            return removed


class TestPurge:
    async def test_old_receipts_are_removed_and_newer_ones_stay(self, tenancy: Tenancy, app: App, main: Board) -> None:
        await apply(tenancy, submission(main, key="old", body=b"1", at=NOON - 1))
        await apply(tenancy, submission(main, key="new", body=b"1", at=NOON))
        assert await purge(tenancy, before=NOON) == 1
        for _ in range(2):
            assert (await tenancy.ledger.receipts(app, "server:one", ["old"])).get("old") is None
            assert (await tenancy.ledger.receipts(app, "server:one", ["new"])).get("new") is not None
            await tenancy.reopened()

    async def test_a_purged_key_can_be_used_again(self, tenancy: Tenancy, main: Board) -> None:
        await apply(tenancy, submission(main, value=5, key="k", body=b"5", at=NOON - 1))
        await purge(tenancy, before=NOON)
        (outcome,) = await apply(tenancy, submission(main, value=7, key="k", body=b"7"))
        assert (outcome.status, outcome.replayed, outcome.score) == ("applied", False, 12)

    async def test_applied_submissions_stay_with_their_outcomes(self, tenancy: Tenancy, app: App, main: Board) -> None:
        one = submission(main, value=5, key="k", body=b"5", at=NOON - 1)
        (outcome,) = await apply(tenancy, one)
        await purge(tenancy, before=NOON)
        assert await tenancy.ledger.outcome(app, one.event) == outcome
        assert await totals(tenancy, table(main)) == {"ann": 5}
        assert [kept.event for kept, _ in await entries(tenancy, main)] == [one.event]

    async def test_old_refusals_are_removed_with_their_receipts(self, tenancy: Tenancy, app: App) -> None:
        narrow = await tenancy.board(app, max_total=6)
        old = submission(narrow, value=9, key="old", body=b"9", at=NOON - 1)
        new = submission(narrow, value=9, key="new", body=b"9")
        (_, refusal) = await apply(tenancy, old, new)
        assert await purge(tenancy, before=NOON) == 2
        assert await tenancy.ledger.outcome(app, old.event) is None
        assert (await tenancy.ledger.receipts(app, "server:one", ["old"])).get("old") is None
        assert (await tenancy.ledger.receipts(app, "server:one", ["new"])).get("new") == (b"9", refusal)

    async def test_no_refusal_is_removed_before_its_receipt(self, tenancy: Tenancy, app: App) -> None:
        narrow = await tenancy.board(app, max_total=6)
        await apply(tenancy, submission(narrow, value=9, key="k", body=b"9", at=NOON - 1))
        complete = False
        while not complete:
            _, complete = await tenancy.ledger.purge(NOON, 0)
            receipt = (await tenancy.ledger.receipts(app, "server:one", ["k"])).get("k")
            assert receipt is None or receipt.outcome is not None

    async def test_receipts_of_imported_entries_stay(self, tenancy: Tenancy, app: App) -> None:
        narrow = await tenancy.board(app, max_total=6)
        batch = [submission(narrow, value=n, key=f"{n}", body=b"", credential=IMPORTED, at=1_000) for n in (1, 9)]
        outcomes = await apply(tenancy, *batch)
        assert [outcome.status for outcome in outcomes] == ["applied", "refused"]
        assert await purge(tenancy, before=NOON) == 0
        for n, outcome in zip((1, 9), outcomes, strict=True):
            assert (await tenancy.ledger.receipts(app, IMPORTED, [f"{n}"])).get(f"{n}") == (b"", outcome)

    @pytest.mark.parametrize("restarted", [False, True])
    async def test_a_fact_stays_until_it_has_expired(
        self, tenancy: Tenancy, app: App, main: Board, restarted: bool
    ) -> None:
        rare = await tenancy.directory.create_action(Action(0, app, "rare", 5, cooldown_s=100))
        often = await tenancy.directory.create_action(Action(0, app, "often", 5, per_day=1))
        for use in (rare, often):
            await apply(tenancy, submission(main, use=use))
        assert await purge(tenancy, facts_before=NOON) == 0
        if restarted:
            await tenancy.reopened()
        tomorrow = NOON + 48 * HOUR  # the day is over everywhere
        assert await purge(tenancy, facts_before=tomorrow) == 2  # the uses of the day, not the last uses
        (cooling,) = await apply(tenancy, submission(main, use=rare, at=NOON + 99 * SECOND))
        assert cooling.code == "action_cooldown"
        (counts,) = await apply(tenancy, submission(main, use=often, at=NOON + 99 * SECOND))
        assert counts.status == "applied"  # a removed fact limits nothing
        assert await purge(tenancy, facts_before=NOON + 2 * MAX_COOLDOWN_S * SECOND) == 3
        (counts,) = await apply(tenancy, submission(main, use=rare, at=NOON + 99 * SECOND))
        assert counts.status == "applied"

    async def test_facts_that_never_expire_stay(self, tenancy: Tenancy, main: Board) -> None:
        one = submission(main)
        one.rules = (Once(),)
        assert [outcome.status for outcome in await apply(tenancy, one)] == ["applied"]
        await purge(tenancy, facts_before=NOON + 10 * MAX_COOLDOWN_S * SECOND)
        for _ in range(2):
            again = submission(main)
            again.rules = (Once(),)
            assert [outcome.code for outcome in await apply(tenancy, again)] == ["total_out_of_bounds"]
            await tenancy.reopened()

    async def test_facts_of_a_deleted_player_do_not_bind_a_new_one(
        self, tenancy: Tenancy, app: App, main: Board
    ) -> None:
        for _ in range(2):
            one = submission(main)
            one.rules = (Once(),)
            assert [outcome.status for outcome in await apply(tenancy, one)] == ["applied"]
            await tenancy.directory.delete_player(app, Player("ann", "ann"))

    async def test_a_new_pass_follows_a_complete_one(self, tenancy: Tenancy, main: Board) -> None:
        for n in range(3):
            await apply(tenancy, submission(main, key=f"k{n}", body=b"1", at=NOON + n))
        assert [await purge(tenancy, before=NOON + n) for n in (0, 1, 3, 3)] == [0, 1, 2, 0]

    @pytest.mark.slow
    async def test_thousands_of_receipts_are_purged(self, tenancy: Tenancy, main: Board) -> None:
        for start in range(0, 12_000, 3_000):
            batch = [
                submission(main, key=f"k{n * 7_919 % 12_000}", body=b"1", at=NOON + n)
                for n in range(start, start + 3_000)
            ]
            await apply(tenancy, *batch)
        assert await purge(tenancy, before=NOON + 11_000) == 11_000
        assert await purge(tenancy, before=NOON + 12_000) == 1_000


class TestReads:
    async def test_an_outcome_is_visible_in_its_app_only(self, tenancy: Tenancy, app: App, main: Board) -> None:
        another = await tenancy.app("another")
        narrow = await tenancy.board(app, "narrow", max_total=6)
        applied, refused = submission(main), submission(narrow, value=9)
        await apply(tenancy, applied, refused)
        for one in (applied, refused):
            assert await tenancy.ledger.outcome(another, one.event) is None
            assert await tenancy.ledger.outcomes(another, [one.event]) == {}
            assert await tenancy.ledger.outcome(app, one.event) is not None
        assert await tenancy.ledger.outcome(app, event()) is None

    async def test_standings_are_visible_in_their_table_only(self, tenancy: Tenancy, app: App, main: Board) -> None:
        await apply(tenancy, submission(main))
        for nobody in ("bob", "\0", "ann\0"):
            assert await tenancy.ledger.standing(table(main), app, nobody) is None
        assert await tenancy.ledger.standing(table(main, region="eu"), app, "ann") is None
        assert await tenancy.ledger.standing(table(main), await tenancy.app("another"), "ann") is None
        assert await totals(tenancy, table(main, region="eu")) == {}

    @pytest.mark.slow
    async def test_every_standing_is_in_exactly_one_chunk(self, tenancy: Tenancy, main: Board) -> None:
        players = [f"p{n}" for n in range(20_001)]
        for start in range(0, len(players), 5_000):
            await apply(tenancy, *(submission(main, player) for player in players[start : start + 5_000]))
        chunks = [[player for player, _ in chunk] async for chunk in tenancy.ledger.standings(table(main))]
        assert len(chunks) > 1
        assert sorted(player for chunk in chunks for player in chunk) == sorted(players)
        assert len(await entries(tenancy, main)) == len(players)

    async def test_entries_are_the_applied_updates_in_the_order_of_acceptance(
        self, tenancy: Tenancy, app: App, main: Board
    ) -> None:
        other = await tenancy.board(app, "other", max_total=6)
        late, early, first = (submission(main, value=n, at=NOON - n) for n in (1, 5, 9))
        await apply(tenancy, late, submission(other))
        await apply(tenancy, first, early, submission(other, value=9))
        found = await entries(tenancy, main)
        assert [one.event for one, _ in found] == [first.event, early.event, late.event]
        assert all(a.accepted_at <= b.accepted_at for (a, _), (b, _) in pairwise(found))
        assert len(await entries(tenancy, other)) == 1

    async def test_entries_continue_after_an_event_in_chunks(self, tenancy: Tenancy, main: Board) -> None:
        made = [submission(main, value=n, at=NOON + n) for n in range(1, 8)]
        await apply(tenancy, *made)
        for place, one in enumerate(made):
            for size in (1, 2, 7):
                chunks = [chunk async for chunk in tenancy.ledger.entries(main, one.event, size)]
                assert [found.event for chunk in chunks for found, _ in chunk] == [m.event for m in made[place + 1 :]]
                assert all(len(chunk) <= size for chunk in chunks)

    async def test_the_tables_of_a_board_are_those_with_standings(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, regions=("eu",), period="daily")
        assert await tenancy.ledger.tables(board) == []
        await apply(tenancy, submission(board, region="eu"))
        for _ in range(2):
            assert set(await tenancy.ledger.tables(board)) == {
                table(board, "2026-11-21"),
                table(board, "2026-11-21", "eu"),
            }
            await tenancy.reopened()

    async def test_the_latest_instant_is_the_greatest_accepted(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, max_total=6)
        assert await tenancy.ledger.latest_instant() == 0
        await apply(tenancy, submission(board, at=NOON + 7), submission(board, at=NOON))
        assert await tenancy.ledger.latest_instant() == NOON + 7
        await apply(tenancy, submission(board, value=9, at=NOON + 9))  # refused, but it has an instant, too
        await tenancy.reopened()
        assert await tenancy.ledger.latest_instant() == NOON + 9


class TestDeletions:
    async def test_the_deletion_of_a_player_removes_and_returns_its_standings(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, regions=("eu",))
        another = await tenancy.board(await tenancy.app("another"))
        decision = await tenancy.ledger.transact(
            [submission(board, region="eu"), submission(board), submission(board, "bob"), submission(another)], decide
        )
        removed = await tenancy.directory.delete_player(app, Player("ann", "ann"))
        world, europe = table(board), table(board, region="eu")
        assert dict(removed) == {key: decision.standings[key]["ann"].version for key in (world, europe)}
        for _ in range(2):
            assert await totals(tenancy, world) == {"bob": 1}
            assert await totals(tenancy, europe) == {}
            assert await totals(tenancy, table(another)) == {"ann": 1}
            assert {(key, player) for key, player, _ in (await tenancy.ledger.pending_projections())[1]} == {
                (world, "bob"),
                (table(another), "ann"),
            }
            await tenancy.reopened()

    async def test_outcomes_do_not_name_a_deleted_player(self, tenancy: Tenancy, app: App) -> None:
        board = await tenancy.board(app, max_total=6)
        applied, refused = submission(board), submission(board, value=9)
        await apply(tenancy, applied, refused)
        await tenancy.directory.delete_player(app, Player("ann", "ann"))
        for one in (applied, refused):
            outcome = await tenancy.ledger.outcome(app, one.event)
            assert outcome is None or outcome.player != "ann"

    async def test_a_deleted_player_starts_again_with_a_newer_version(
        self, tenancy: Tenancy, app: App, main: Board
    ) -> None:
        before = await tenancy.ledger.transact([submission(main, value=5), submission(main, value=5)], decide)
        await tenancy.directory.delete_player(app, Player("ann", "ann"))
        after = await tenancy.ledger.transact([submission(main, value=1, at=NOON + 1_000)], decide)
        old, new = (decision.standings[table(main)]["ann"] for decision in (before, after))
        assert new.score == 1
        assert new.version > old.version

    @pytest.mark.parametrize("restarted", [False, True])
    async def test_a_board_that_is_created_again_is_empty(
        self, tenancy: Tenancy, app: App, main: Board, restarted: bool
    ) -> None:
        old = submission(main, value=5, key="k", body=b"5")
        await apply(tenancy, old)
        await tenancy.directory.delete_board(main)
        again = await tenancy.board(app)
        if restarted:
            await tenancy.reopened()
        assert await tenancy.ledger.tables(again) == []
        assert await totals(tenancy, table(again)) == await totals(tenancy, table(main)) == {}
        assert await entries(tenancy, again) == []
        assert await tenancy.ledger.outcome(app, old.event) is None
        assert (await tenancy.ledger.pending_projections())[1] == []
        (outcome,) = await apply(tenancy, submission(again, value=1))
        assert (outcome.score, outcome.previous_score) == (1, None)

    async def test_an_update_to_a_deleted_board_is_not_applied(self, tenancy: Tenancy, main: Board) -> None:
        await apply(tenancy, submission(main))
        await tenancy.directory.delete_board(main)
        results = await asyncio.gather(apply(tenancy, submission(main)), return_exceptions=True)
        assert not any(isinstance(one, Unavailable) for one in results)
        assert not any(outcome.status == "applied" for one in results if isinstance(one, list) for outcome in one)

    async def test_an_app_that_is_created_again_is_empty(self, tenancy: Tenancy, app: App, main: Board) -> None:
        old = submission(main, value=5, key="k", body=b"5")
        await apply(tenancy, old)
        await tenancy.directory.delete_app(app)
        again = await tenancy.app()
        board = await tenancy.board(again)
        assert await tenancy.ledger.outcome(again, old.event) is None
        assert (await tenancy.ledger.receipts(again, "server:one", ["k"])).get("k") is None
        (outcome,) = await apply(tenancy, submission(board, value=1, key="k", body=b"5"))
        assert (outcome.score, outcome.previous_score, outcome.replayed) == (1, None, False)
