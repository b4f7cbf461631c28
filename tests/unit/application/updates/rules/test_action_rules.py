from scoreboard.application.ports.ledger import BatchState, Decision
from scoreboard.application.updates.decide import decide
from scoreboard.application.updates.rules import rules_of
from scoreboard.domain.bounds import MAX_COOLDOWN_S
from scoreboard.domain.facts import Fact
from scoreboard.domain.submission import Submission
from tests.making import HOUR, NOON, SECOND, action, board, submission

MAIN = board()
MIDNIGHT = NOON + 12 * HOUR


def decided(*batch: Submission, state: BatchState | None = None) -> Decision:
    return decide(batch, state or BatchState())


def codes(decision: Decision) -> list[str]:
    return [outcome.code or outcome.status for outcome in decision.outcomes]


def test_an_action_without_a_limit_has_no_rules() -> None:
    assert rules_of(MAIN, None) == rules_of(MAIN, action()) == ()
    assert decided(submission(MAIN, use=action())).facts == {}


def test_an_action_counts_so_many_times_a_day_for_a_player() -> None:
    twice = action(per_day=2)
    decision = decided(
        *(submission(MAIN, player, at=NOON + n, use=twice) for n, player in enumerate(["ann", "ann", "bob", "ann"]))
    )
    assert codes(decision) == ["applied", "applied", "applied", "action_limit"]
    assert {key.player: fact for key, fact in decision.facts.items() if key.rule == "action_per_day"} == {
        "ann": Fact(2, 0, NOON + 1),
        "bob": Fact(1, 0, NOON + 2),
    }


def test_earlier_uses_of_the_day_count() -> None:
    one = submission(MAIN, use=action(per_day=1))
    key, *_ = one.fact_keys
    assert codes(decided(one, state=BatchState(facts={key: Fact(1, 0, NOON)}))) == ["action_limit"]


def test_a_day_starts_at_midnight_of_the_apps_zone() -> None:
    once = action(per_day=1)
    decision = decided(*(submission(MAIN, at=at, use=once) for at in (MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 1)))
    assert codes(decision) == ["applied", "applied", "action_limit"]


def test_a_day_expires_when_it_is_over_in_every_time_zone() -> None:
    key, *_ = submission(MAIN, at=MIDNIGHT - 1, use=action(per_day=1)).fact_keys
    assert key.bucket * HOUR >= MIDNIGHT + 12 * HOUR
    assert key.bucket * HOUR <= MIDNIGHT + 24 * HOUR


def test_an_action_cools_down_within_one_batch() -> None:
    slow = action(cooldown_s=60)
    instants = (NOON, NOON + 60 * SECOND - 1, NOON + 60 * SECOND)
    decision = decided(*(submission(MAIN, at=at, use=slow) for at in instants))
    assert codes(decision) == ["applied", "action_cooldown", "applied"]


def test_an_action_cools_down_across_midnight() -> None:
    slow = action(per_day=1, cooldown_s=60)
    decision = decided(*(submission(MAIN, at=at, use=slow) for at in (MIDNIGHT - 1, MIDNIGHT)))
    assert codes(decision) == ["applied", "action_cooldown"]


def test_a_use_is_found_across_every_boundary_of_its_slots() -> None:
    """Whatever the instants: within the cooldown the second use is refused, after it allowed, clock ahead or not."""
    year = MAX_COOLDOWN_S * SECOND
    longest = action(cooldown_s=MAX_COOLDOWN_S)
    for start in range(NOON, NOON + 2 * year, year // 7):
        for pause, code in ((year - 1, "action_cooldown"), (year, "applied"), (-SECOND, "action_cooldown")):
            decision = decided(submission(MAIN, at=start, use=longest), submission(MAIN, at=start + pause, use=longest))
            assert codes(decision) == ["applied", code]


def test_an_action_without_a_cooldown_has_none_where_clocks_differ() -> None:
    once = action(per_day=1)
    decision = decided(*(submission(MAIN, at=at, use=once) for at in (MIDNIGHT + 3, MIDNIGHT - 2)))
    assert codes(decision) == ["applied", "applied"]


def test_a_refused_use_does_not_count() -> None:
    once, narrow = action(per_day=1), board(max_total=6)
    decision = decided(submission(narrow, value=9, use=once), submission(narrow, value=5, use=once))
    assert codes(decision) == ["total_out_of_bounds", "applied"]
    assert [fact.count for fact in decision.facts.values()] == [1, 1]


def test_a_limit_that_is_set_later_counts_earlier_uses() -> None:
    first = submission(MAIN, use=action(cooldown_s=1))
    state = BatchState()
    assert codes(decided(first, state=state)) == ["applied"]
    assert codes(decided(submission(MAIN, at=NOON + SECOND, use=action(per_day=1)), state=state)) == ["action_limit"]

    state = BatchState()
    assert codes(decided(submission(MAIN, use=action(per_day=5)), state=state)) == ["applied"]
    later = submission(MAIN, at=NOON + SECOND, use=action(per_day=5, cooldown_s=60))
    assert codes(decided(later, state=state)) == ["action_cooldown"]
