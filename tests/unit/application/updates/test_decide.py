from dataclasses import replace

import pytest

from scoreboard.application.ports.ledger import IMPORTED, BatchState, Decision, Receipt
from scoreboard.application.updates.decide import decide, decide_dropped
from scoreboard.domain.submission import Outcome, Submission
from tests.making import APP, HOUR, NOON, board, standing, submission, table

MAIN = board()
MIDNIGHT = NOON + 12 * HOUR


def decided(*batch: Submission) -> Decision:
    return decide(batch, BatchState())


def codes(decision: Decision) -> list[str]:
    return [outcome.code or outcome.status for outcome in decision.outcomes]


class TestFolding:
    def test_submissions_of_one_batch_see_each_other(self) -> None:
        decision = decided(submission(MAIN, value=5), submission(MAIN, "bob", 1), submission(MAIN, value=2))
        told = [(o.player, o.previous_score, o.score) for o in decision.outcomes]
        assert told == [("ann", None, 5), ("bob", None, 1), ("ann", 5, 7)]
        assert {player: one.score for player, one in decision.standings[table(MAIN)].items()} == {"ann": 7, "bob": 1}

    def test_an_outcome_says_of_what_it_is(self) -> None:
        one = submission(board(period="daily"), value=5)
        (outcome,) = decided(one).outcomes
        expected = Outcome(one.event, MAIN.pk, "ann", "2026-11-21", NOON, "applied", 5, None, changed=True)
        assert outcome == expected

    def test_what_changes_nothing_is_recorded_and_ranked_but_not_written(self) -> None:
        held = standing(9)
        state = BatchState(standings={table(MAIN): {"ann": held}})
        one = submission(board(operator="best"), value=5)
        decision = decide([one], state)
        (outcome,) = decision.outcomes
        assert (outcome.changed, outcome.previous_score, outcome.score) == (False, 9, 9)
        assert decision.new_outcomes == [(one, outcome)]
        assert decision.standings == {}
        assert decision.to_rank == {table(MAIN): {"ann": held}}

    def test_a_refusal_harms_no_neighbour(self) -> None:
        narrow = board(max_total=6)
        decision = decided(*(submission(narrow, value=value) for value in (5, 5, 1)))
        assert codes(decision) == ["applied", "total_out_of_bounds", "applied"]
        assert decision.standings[table(narrow)]["ann"].score == 6
        assert len(decision.new_outcomes) == 3

    def test_seasons_are_tables_of_their_own(self) -> None:
        daily = board(period="daily")
        decision = decided(submission(daily, value=5), submission(daily, value=3, at=MIDNIGHT))
        assert [outcome.score for outcome in decision.outcomes] == [5, 3]
        assert set(decision.standings) == {table(daily, "2026-11-21"), table(daily, "2026-11-22")}


class TestRegions:
    REGIONAL = board(regions=("eu", "us"))

    def test_an_update_in_a_region_counts_in_two_tables(self) -> None:
        decision = decided(
            submission(self.REGIONAL, value=5, region="eu"), submission(self.REGIONAL, value=2, region="us")
        )
        assert [outcome.score for outcome in decision.outcomes] == [5, 7]  # the world's
        scores = {key.region: one["ann"].score for key, one in decision.standings.items()}
        assert scores == {"": 7, "eu": 5, "us": 2}

    @pytest.mark.parametrize("full", ["", "eu"])
    def test_an_update_that_one_table_refuses_changes_neither(self, full: str) -> None:
        narrow = board(regions=("eu",), max_total=6)
        state = BatchState(standings={table(narrow, region=full): {"ann": standing(6)}})
        decision = decide([submission(narrow, value=1, region="eu")], state)
        assert codes(decision) == ["total_out_of_bounds"]
        assert decision.standings == decision.to_rank == {}


class TestReceipts:
    def test_a_key_counts_once_in_a_batch(self) -> None:
        first, again = (submission(MAIN, value=5, key="k", body=b"5") for _ in range(2))
        decision = decided(first, again)
        assert [outcome.event for outcome in decision.outcomes] == [first.event, first.event]
        assert [outcome.replayed for outcome in decision.outcomes] == [False, True]
        assert decision.standings[table(MAIN)]["ann"].score == 5
        assert [one for one, _ in decision.new_outcomes] == [first]

    def test_a_key_that_was_answered_before_is_answered_so_again(self) -> None:
        (earlier,) = decided(submission(MAIN, value=5)).outcomes
        state = BatchState(receipts={(APP.pk, "server:one", "k"): Receipt(b"5", earlier)})
        decision = decide([submission(MAIN, value=5, key="k", body=b"5")], state)
        assert (decision.outcomes[0].event, decision.outcomes[0].replayed) == (earlier.event, True)
        assert decision.new_outcomes == []
        assert decision.to_rank == {}

    def test_what_is_answered_again_is_ranked_again(self) -> None:
        (earlier,) = decided(submission(MAIN, value=5)).outcomes
        held = standing(5)
        state = BatchState(
            receipts={(APP.pk, "server:one", "k"): Receipt(b"5", earlier)},
            standings={table(MAIN): {"ann": held}},
        )
        decision = decide([submission(MAIN, value=5, key="k", body=b"5")], state)
        assert decision.to_rank == {table(MAIN): {"ann": held}}
        assert decision.standings == {}

    def test_a_key_used_again_for_another_body_is_refused_and_keeps_its_first_outcome(self) -> None:
        first = submission(MAIN, value=5, key="k", body=b"5")
        other = submission(MAIN, value=6, key="k", body=b"6")
        retry = submission(MAIN, value=5, key="k", body=b"5")
        decision = decided(first, other, retry)
        assert codes(decision) == ["applied", "key_reused", "applied"]
        assert decision.outcomes[2].event == first.event
        assert decision.standings[table(MAIN)]["ann"].score == 5

    def test_a_key_is_its_credentials_own(self) -> None:
        decision = decided(
            *(submission(MAIN, key="k", body=b"5", credential=name) for name in ("server:one", "server:two"))
        )
        assert [outcome.replayed for outcome in decision.outcomes] == [False, False]

    def test_an_entry_that_was_taken_over_before_is_known_by_its_key_also_where_its_event_is_known(self) -> None:
        one, other = (submission(MAIN, value=5, key="k", body=body, credential=IMPORTED) for body in (b"5", b"6"))
        (earlier,) = decided(one).outcomes
        for again, code in ((one, "applied"), (replace(other, event=one.event), "key_reused")):
            state = BatchState(
                receipts={(APP.pk, IMPORTED, "k"): Receipt(b"5", earlier)}, outcomes={one.event: earlier}
            )
            decision = decide([again], state)
            assert codes(decision) == [code]
            assert decision.outcomes[0].replayed == (code == "applied")
            assert decision.new_outcomes == []

    def test_a_refusal_is_an_outcome_that_its_key_repeats(self) -> None:
        narrow = board(max_total=6)
        first, raised, retry = (
            submission(narrow, value=n, key=k, body=b"9") for n, k in ((9, "k"), (6, "j"), (9, "k"))
        )
        decision = decided(first, raised, retry)
        assert codes(decision) == ["total_out_of_bounds", "applied", "total_out_of_bounds"]
        assert decision.outcomes[2].replayed

    def test_a_submission_that_a_doubtful_commit_had_written_is_not_applied_again(self) -> None:
        one = submission(MAIN, value=5)
        (outcome,) = decided(one).outcomes
        decision = decide([one], BatchState(outcomes={one.event: outcome}))
        assert decision.outcomes == [outcome]
        assert decision.new_outcomes == []
        assert decision.standings == {}

    def test_but_what_it_changed_is_ranked_as_nobody_was_told(self) -> None:
        one, held = submission(MAIN, value=5), standing(5)
        (outcome,) = decided(one).outcomes
        state = BatchState(outcomes={one.event: outcome}, standings={table(MAIN): {"ann": held}})
        assert decide([one], state).to_rank == {table(MAIN): {"ann": held}}


class TestDeletedBoards:
    def test_an_update_to_a_board_that_is_gone_is_refused_and_nothing_is_written(self) -> None:
        other = board(pk=2)
        decision = decide([submission(MAIN, key="k", body=b"5"), submission(other)], BatchState(gone={MAIN.pk}))
        assert codes(decision) == ["board_not_found", "applied"]
        assert [one.board for one, _ in decision.new_outcomes] == [other]
        assert set(decision.to_rank) == {table(other)}

    def test_a_dropped_update_to_a_board_that_is_gone_writes_nothing(self) -> None:
        decision = decide_dropped([submission(MAIN)], BatchState(gone={MAIN.pk}))
        assert codes(decision) == ["board_not_found"]
        assert decision.new_outcomes == []


class TestCopies:
    """A queue may deliver a message twice, and both copies may meet in one batch."""

    @pytest.mark.parametrize("key", [None, "k"])
    def test_the_second_copy_of_an_event_has_the_outcome_of_the_first(self, key: str | None) -> None:
        one = replace(submission(MAIN, value=5, key=key, body=b"5"), queued=True)
        decision = decided(one, replace(one))
        assert codes(decision) == ["applied", "applied"]
        assert decision.new_outcomes == [(one, decision.outcomes[0])]
        assert decision.standings[table(MAIN)]["ann"].score == 5

    def test_a_refusal_too(self) -> None:
        first = replace(submission(MAIN, value=5, key="k", body=b"5"), queued=True)
        other = replace(submission(MAIN, value=5, key="k", body=b"5", at=NOON + 1), queued=True)
        decision = decided(first, other, replace(other))
        assert codes(decision) == ["applied", "key_replayed", "key_replayed"]
        assert len(decision.new_outcomes) == 2
