from dataclasses import replace

import pytest

from scoreboard.application.ports.ledger import IMPORTED, BatchState, Decision, Receipt
from scoreboard.application.updates.decide import decide, decide_dropped
from scoreboard.domain.submission import Outcome, Submission
from tests.making import APP, HOUR, NOON, board, standing, submission, table

MAIN = board()
MIDNIGHT = NOON + 12 * HOUR


def decide_new(*batch: Submission) -> Decision:
    return decide(batch, BatchState())


def codes(decision: Decision) -> list[str]:
    return [outcome.code or outcome.status for outcome in decision.outcomes]


class TestFolding:
    def test_a_submission_sees_the_earlier_ones_of_its_batch(self) -> None:
        decision = decide_new(submission(MAIN, value=5), submission(MAIN, "bob", 1), submission(MAIN, value=2))
        results = [(o.player, o.previous_score, o.score) for o in decision.outcomes]
        assert results == [("ann", None, 5), ("bob", None, 1), ("ann", 5, 7)]
        assert {player: one.score for player, one in decision.standings[table(MAIN)].items()} == {"ann": 7, "bob": 1}

    def test_an_outcome_identifies_its_submission(self) -> None:
        one = submission(board(period="daily"), value=5)
        (outcome,) = decide_new(one).outcomes
        expected = Outcome(one.event, MAIN.pk, "ann", "2026-11-21", NOON, "applied", 5, None, changed=True)
        assert outcome == expected

    def test_an_update_without_effect_is_recorded_and_ranked_but_not_written(self) -> None:
        held = standing(9)
        state = BatchState(standings={table(MAIN): {"ann": held}})
        one = submission(board(operator="best"), value=5)
        decision = decide([one], state)
        (outcome,) = decision.outcomes
        assert (outcome.changed, outcome.previous_score, outcome.score) == (False, 9, 9)
        assert decision.new_outcomes == [(one, outcome)]
        assert decision.standings == {}
        assert decision.to_rank == {table(MAIN): {"ann": held}}

    def test_a_refusal_does_not_affect_the_rest_of_the_batch(self) -> None:
        narrow = board(max_total=6)
        decision = decide_new(*(submission(narrow, value=value) for value in (5, 5, 1)))
        assert codes(decision) == ["applied", "total_out_of_bounds", "applied"]
        assert decision.standings[table(narrow)]["ann"].score == 6
        assert len(decision.new_outcomes) == 3

    def test_each_season_has_a_separate_table(self) -> None:
        daily = board(period="daily")
        decision = decide_new(submission(daily, value=5), submission(daily, value=3, at=MIDNIGHT))
        assert [outcome.score for outcome in decision.outcomes] == [5, 3]
        assert set(decision.standings) == {table(daily, "2026-11-21"), table(daily, "2026-11-22")}


class TestRegions:
    REGIONAL = board(regions=("eu", "us"))

    def test_an_update_in_a_region_counts_in_two_tables(self) -> None:
        decision = decide_new(
            submission(self.REGIONAL, value=5, region="eu"), submission(self.REGIONAL, value=2, region="us")
        )
        assert [outcome.score for outcome in decision.outcomes] == [5, 7]  # of the world table
        scores = {key.region: one["ann"].score for key, one in decision.standings.items()}
        assert scores == {"": 7, "eu": 5, "us": 2}

    @pytest.mark.parametrize("full", ["", "eu"])
    def test_an_update_that_one_table_refuses_changes_neither_table(self, full: str) -> None:
        narrow = board(regions=("eu",), max_total=6)
        state = BatchState(standings={table(narrow, region=full): {"ann": standing(6)}})
        decision = decide([submission(narrow, value=1, region="eu")], state)
        assert codes(decision) == ["total_out_of_bounds"]
        assert decision.standings == decision.to_rank == {}


class TestReceipts:
    def test_a_key_counts_once_in_a_batch(self) -> None:
        first, second = (submission(MAIN, value=5, key="k", body=b"5") for _ in range(2))
        decision = decide_new(first, second)
        assert [outcome.event for outcome in decision.outcomes] == [first.event, first.event]
        assert [outcome.replayed for outcome in decision.outcomes] == [False, True]
        assert decision.standings[table(MAIN)]["ann"].score == 5
        assert [one for one, _ in decision.new_outcomes] == [first]

    def test_a_known_key_replays_its_outcome(self) -> None:
        (earlier,) = decide_new(submission(MAIN, value=5)).outcomes
        state = BatchState(receipts={(APP.pk, "server:one", "k"): Receipt(b"5", earlier)})
        decision = decide([submission(MAIN, value=5, key="k", body=b"5")], state)
        assert (decision.outcomes[0].event, decision.outcomes[0].replayed) == (earlier.event, True)
        assert decision.new_outcomes == []
        assert decision.to_rank == {}

    def test_a_replayed_update_is_ranked_again(self) -> None:
        (earlier,) = decide_new(submission(MAIN, value=5)).outcomes
        held = standing(5)
        state = BatchState(
            receipts={(APP.pk, "server:one", "k"): Receipt(b"5", earlier)},
            standings={table(MAIN): {"ann": held}},
        )
        decision = decide([submission(MAIN, value=5, key="k", body=b"5")], state)
        assert decision.to_rank == {table(MAIN): {"ann": held}}
        assert decision.standings == {}

    def test_a_key_with_another_body_is_refused_and_keeps_its_first_outcome(self) -> None:
        first = submission(MAIN, value=5, key="k", body=b"5")
        other = submission(MAIN, value=6, key="k", body=b"6")
        retry = submission(MAIN, value=5, key="k", body=b"5")
        decision = decide_new(first, other, retry)
        assert codes(decision) == ["applied", "key_reused", "applied"]
        assert decision.outcomes[2].event == first.event
        assert decision.standings[table(MAIN)]["ann"].score == 5

    def test_keys_of_different_credentials_are_independent(self) -> None:
        decision = decide_new(
            *(submission(MAIN, key="k", body=b"5", credential=name) for name in ("server:one", "server:two"))
        )
        assert [outcome.replayed for outcome in decision.outcomes] == [False, False]

    def test_an_imported_entry_is_matched_by_its_key_even_if_its_event_is_known(self) -> None:
        one, other = (submission(MAIN, value=5, key="k", body=body, credential=IMPORTED) for body in (b"5", b"6"))
        (earlier,) = decide_new(one).outcomes
        for repeated, code in ((one, "applied"), (replace(other, event=one.event), "key_reused")):
            state = BatchState(
                receipts={(APP.pk, IMPORTED, "k"): Receipt(b"5", earlier)}, outcomes={one.event: earlier}
            )
            decision = decide([repeated], state)
            assert codes(decision) == [code]
            assert decision.outcomes[0].replayed == (code == "applied")
            assert decision.new_outcomes == []

    def test_a_refusal_is_replayed_under_its_key(self) -> None:
        narrow = board(max_total=6)
        first, raised, retry = (
            submission(narrow, value=n, key=k, body=b"9") for n, k in ((9, "k"), (6, "j"), (9, "k"))
        )
        decision = decide_new(first, raised, retry)
        assert codes(decision) == ["total_out_of_bounds", "applied", "total_out_of_bounds"]
        assert decision.outcomes[2].replayed

    def test_a_submission_of_an_unconfirmed_commit_is_not_applied_again(self) -> None:
        one = submission(MAIN, value=5)
        (outcome,) = decide_new(one).outcomes
        decision = decide([one], BatchState(outcomes={one.event: outcome}))
        assert decision.outcomes == [outcome]
        assert decision.new_outcomes == []
        assert decision.standings == {}

    def test_a_submission_of_an_unconfirmed_commit_is_ranked(self) -> None:
        one, held = submission(MAIN, value=5), standing(5)
        (outcome,) = decide_new(one).outcomes
        state = BatchState(outcomes={one.event: outcome}, standings={table(MAIN): {"ann": held}})
        assert decide([one], state).to_rank == {table(MAIN): {"ann": held}}


class TestDeletedBoards:
    def test_an_update_to_a_deleted_board_is_refused_and_not_written(self) -> None:
        other = board(pk=2)
        decision = decide([submission(MAIN, key="k", body=b"5"), submission(other)], BatchState(gone={MAIN.pk}))
        assert codes(decision) == ["board_not_found", "applied"]
        assert [one.board for one, _ in decision.new_outcomes] == [other]
        assert set(decision.to_rank) == {table(other)}

    def test_a_dropped_update_to_a_deleted_board_is_not_written(self) -> None:
        decision = decide_dropped([submission(MAIN)], BatchState(gone={MAIN.pk}))
        assert codes(decision) == ["board_not_found"]
        assert decision.new_outcomes == []


class TestCopies:
    """Two deliveries of one message in the same batch."""

    @pytest.mark.parametrize("key", [None, "k"])
    def test_the_second_copy_of_an_event_gets_the_outcome_of_the_first(self, key: str | None) -> None:
        one = replace(submission(MAIN, value=5, key=key, body=b"5"), queued=True)
        decision = decide_new(one, replace(one))
        assert codes(decision) == ["applied", "applied"]
        assert decision.new_outcomes == [(one, decision.outcomes[0])]
        assert decision.standings[table(MAIN)]["ann"].score == 5

    def test_the_second_copy_of_a_refused_event_gets_its_refusal(self) -> None:
        first = replace(submission(MAIN, value=5, key="k", body=b"5"), queued=True)
        other = replace(submission(MAIN, value=5, key="k", body=b"5", at=NOON + 1), queued=True)
        decision = decide_new(first, other, replace(other))
        assert codes(decision) == ["applied", "key_replayed", "key_replayed"]
        assert len(decision.new_outcomes) == 2
