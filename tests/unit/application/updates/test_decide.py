from dataclasses import replace
from datetime import date

import pytest

from scoreboard.application.ports.ledger import IMPORTED, Decision, Known, Receipt, UseKey
from scoreboard.application.updates.decide import decide, use_of
from scoreboard.domain.submission import Outcome, Submission
from tests.making import APP, HOUR, NOON, SECOND, action, board, standing, submission, table

MAIN = board()
MIDNIGHT = NOON + 12 * HOUR


def decided(*batch: Submission) -> Decision:
    return decide(batch, Known())


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
        expected = Outcome(one.event, MAIN.number, "ann", "2026-11-21", NOON, "applied", 5, None, changed=True)
        assert outcome == expected

    def test_what_changes_nothing_is_recorded_and_ranked_but_not_written(self) -> None:
        held = standing(9)
        known = Known(standings={table(MAIN): {"ann": held}})
        one = submission(board(operator="best"), value=5)
        decision = decide([one], known)
        (outcome,) = decision.outcomes
        assert (outcome.changed, outcome.previous_score, outcome.score) == (False, 9, 9)
        assert decision.fresh == [(one, outcome)]
        assert decision.standings == {}
        assert decision.touched == {table(MAIN): {"ann": held}}

    def test_a_refusal_harms_no_neighbour(self) -> None:
        narrow = board(max_total=6)
        decision = decided(*(submission(narrow, value=value) for value in (5, 5, 1)))
        assert codes(decision) == ["applied", "total_out_of_bounds", "applied"]
        assert decision.standings[table(narrow)]["ann"].score == 6
        assert len(decision.fresh) == 3

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
        known = Known(standings={table(narrow, region=full): {"ann": standing(6)}})
        decision = decide([submission(narrow, value=1, region="eu")], known)
        assert codes(decision) == ["total_out_of_bounds"]
        assert decision.standings == decision.touched == {}


class TestReceipts:
    def test_a_key_counts_once_in_a_batch(self) -> None:
        first, again = (submission(MAIN, value=5, key="k", body=b"5") for _ in range(2))
        decision = decided(first, again)
        assert [outcome.event for outcome in decision.outcomes] == [first.event, first.event]
        assert [outcome.replayed for outcome in decision.outcomes] == [False, True]
        assert decision.standings[table(MAIN)]["ann"].score == 5
        assert [one for one, _ in decision.fresh] == [first]

    def test_a_key_that_was_answered_before_is_answered_so_again(self) -> None:
        (earlier,) = decided(submission(MAIN, value=5)).outcomes
        known = Known(receipts={(APP.number, "server:one", "k"): Receipt(b"5", earlier)})
        decision = decide([submission(MAIN, value=5, key="k", body=b"5")], known)
        assert (decision.outcomes[0].event, decision.outcomes[0].replayed) == (earlier.event, True)
        assert decision.fresh == []
        assert decision.touched == {}

    def test_what_is_answered_again_is_ranked_again(self) -> None:
        (earlier,) = decided(submission(MAIN, value=5)).outcomes
        held = standing(5)
        known = Known(
            receipts={(APP.number, "server:one", "k"): Receipt(b"5", earlier)},
            standings={table(MAIN): {"ann": held}},
        )
        decision = decide([submission(MAIN, value=5, key="k", body=b"5")], known)
        assert decision.touched == {table(MAIN): {"ann": held}}
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
            known = Known(receipts={(APP.number, IMPORTED, "k"): Receipt(b"5", earlier)}, outcomes={one.event: earlier})
            decision = decide([again], known)
            assert codes(decision) == [code]
            assert decision.outcomes[0].replayed == (code == "applied")
            assert decision.fresh == []

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
        decision = decide([one], Known(outcomes={one.event: outcome}))
        assert decision.outcomes == [outcome]
        assert decision.fresh == []
        assert decision.standings == {}

    def test_but_what_it_changed_is_ranked_as_nobody_was_told(self) -> None:
        one, held = submission(MAIN, value=5), standing(5)
        (outcome,) = decided(one).outcomes
        known = Known(outcomes={one.event: outcome}, standings={table(MAIN): {"ann": held}})
        assert decide([one], known).touched == {table(MAIN): {"ann": held}}


class TestDeletedBoards:
    def test_an_update_to_a_board_that_is_gone_is_refused_and_nothing_is_written(self) -> None:
        other = board(number=2)
        decision = decide([submission(MAIN, key="k", body=b"5"), submission(other)], Known(gone={MAIN.number}))
        assert codes(decision) == ["board_not_found", "applied"]
        assert [one.board for one, _ in decision.fresh] == [other]
        assert set(decision.touched) == {table(other)}


class TestActions:
    def test_an_action_without_a_limit_is_not_counted(self) -> None:
        assert use_of(submission(MAIN, use=action())) is None
        assert use_of(submission(MAIN)) is None
        assert decided(submission(MAIN, use=action())).uses == []

    def test_an_action_counts_so_many_times_a_day_for_a_player(self) -> None:
        twice = action(per_day=2)
        decision = decided(
            *(submission(MAIN, player, at=NOON + n, use=twice) for n, player in enumerate(["ann", "ann", "bob", "ann"]))
        )
        assert codes(decision) == ["applied", "applied", "applied", "action_limit"]
        day = date(2026, 11, 21).toordinal()
        assert decision.uses == [
            (UseKey(1, "ann", day), 1, NOON),
            (UseKey(1, "ann", day), 2, NOON + 1),
            (UseKey(1, "bob", day), 1, NOON + 2),
        ]

    def test_what_was_used_before_counts(self) -> None:
        once = action(per_day=1)
        one = submission(MAIN, use=once)
        key = use_of(one)
        assert key is not None
        assert codes(decide([one], Known(uses={key: 1}))) == ["action_limit"]

    def test_a_new_day_of_the_apps_zone_begins_anew(self) -> None:
        once = action(per_day=1)
        decision = decided(*(submission(MAIN, at=at, use=once) for at in (MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 1)))
        assert codes(decision) == ["applied", "applied", "action_limit"]

    def test_an_action_cools_down_within_one_batch(self) -> None:
        slow = action(cooldown_s=60)
        instants = (NOON, NOON + 60 * SECOND - 1, NOON + 60 * SECOND)
        decision = decided(*(submission(MAIN, at=at, use=slow) for at in instants))
        assert codes(decision) == ["applied", "action_cooldown", "applied"]

    def test_an_action_cools_down_across_midnight(self) -> None:
        slow = action(per_day=1, cooldown_s=60)
        decision = decided(*(submission(MAIN, at=at, use=slow) for at in (MIDNIGHT - 1, MIDNIGHT)))
        assert codes(decision) == ["applied", "action_cooldown"]

    def test_an_action_without_a_cooldown_has_none_where_clocks_differ(self) -> None:
        once = action(per_day=1)
        decision = decided(*(submission(MAIN, at=at, use=once) for at in (MIDNIGHT + 3, MIDNIGHT - 2)))
        assert codes(decision) == ["applied", "applied"]

    def test_a_use_that_was_refused_does_not_count(self) -> None:
        once, narrow = action(per_day=1), board(max_total=6)
        decision = decided(submission(narrow, value=9, use=once), submission(narrow, value=5, use=once))
        assert codes(decision) == ["total_out_of_bounds", "applied"]
        assert len(decision.uses) == 1
