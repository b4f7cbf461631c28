from scoreboard.application.ports.ledger import BatchState, Decision
from scoreboard.application.updates.decide import decide
from scoreboard.application.updates.rules import rules_of
from scoreboard.domain.bounds import MAX_COOLDOWN_S
from scoreboard.domain.facts import Fact
from scoreboard.domain.submission import Submission
from tests.making import HOUR, NOON, SECOND, action, board, submission

MAIN = board()
MIDNIGHT = NOON + 12 * HOUR


def decide_with(*batch: Submission, state: BatchState | None = None) -> Decision:
    return decide(batch, state or BatchState())


def codes(decision: Decision) -> list[str]:
    return [outcome.code or outcome.status for outcome in decision.outcomes]


def test_an_action_without_a_limit_has_no_rules() -> None:
    assert rules_of(MAIN, None) == rules_of(MAIN, action()) == ()
    assert decide_with(submission(MAIN, use=action())).facts == {}


def test_the_daily_limit_applies_to_each_player() -> None:
    twice = action(per_day=2)
    decision = decide_with(
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
    assert codes(decide_with(one, state=BatchState(facts={key: Fact(1, 0, NOON)}))) == ["action_limit"]


def test_a_day_starts_at_midnight_in_the_time_zone_of_the_app() -> None:
    once = action(per_day=1)
    decision = decide_with(*(submission(MAIN, at=at, use=once) for at in (MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 1)))
    assert codes(decision) == ["applied", "applied", "action_limit"]


def test_a_day_expires_when_it_has_ended_in_every_time_zone() -> None:
    key, *_ = submission(MAIN, at=MIDNIGHT - 1, use=action(per_day=1)).fact_keys
    assert key.bucket * HOUR >= MIDNIGHT + 12 * HOUR
    assert key.bucket * HOUR <= MIDNIGHT + 24 * HOUR


def test_the_cooldown_applies_within_one_batch() -> None:
    slow = action(cooldown_s=60)
    instants = (NOON, NOON + 60 * SECOND - 1, NOON + 60 * SECOND)
    decision = decide_with(*(submission(MAIN, at=at, use=slow) for at in instants))
    assert codes(decision) == ["applied", "action_cooldown", "applied"]


def test_the_cooldown_applies_across_midnight() -> None:
    slow = action(per_day=1, cooldown_s=60)
    decision = decide_with(*(submission(MAIN, at=at, use=slow) for at in (MIDNIGHT - 1, MIDNIGHT)))
    assert codes(decision) == ["applied", "action_cooldown"]


def test_the_cooldown_applies_across_the_boundaries_of_slots() -> None:
    """The second use is refused within the cooldown, even if a clock was ahead."""
    year = MAX_COOLDOWN_S * SECOND
    longest = action(cooldown_s=MAX_COOLDOWN_S)
    for start in range(NOON, NOON + 2 * year, year // 7):
        for pause, code in ((year - 1, "action_cooldown"), (year, "applied"), (-SECOND, "action_cooldown")):
            decision = decide_with(
                submission(MAIN, at=start, use=longest), submission(MAIN, at=start + pause, use=longest)
            )
            assert codes(decision) == ["applied", code]


def test_different_clocks_cause_no_cooldown() -> None:
    once = action(per_day=1)
    decision = decide_with(*(submission(MAIN, at=at, use=once) for at in (MIDNIGHT + 3, MIDNIGHT - 2)))
    assert codes(decision) == ["applied", "applied"]


def test_a_refused_use_does_not_count() -> None:
    once, narrow = action(per_day=1), board(max_total=6)
    decision = decide_with(submission(narrow, value=9, use=once), submission(narrow, value=5, use=once))
    assert codes(decision) == ["total_out_of_bounds", "applied"]
    assert [fact.count for fact in decision.facts.values()] == [1, 1]


def test_a_limit_that_is_set_later_counts_earlier_uses() -> None:
    first = submission(MAIN, use=action(cooldown_s=1))
    state = BatchState()
    assert codes(decide_with(first, state=state)) == ["applied"]
    assert codes(decide_with(submission(MAIN, at=NOON + SECOND, use=action(per_day=1)), state=state)) == [
        "action_limit"
    ]

    state = BatchState()
    assert codes(decide_with(submission(MAIN, use=action(per_day=5)), state=state)) == ["applied"]
    later = submission(MAIN, at=NOON + SECOND, use=action(per_day=5, cooldown_s=60))
    assert codes(decide_with(later, state=state)) == ["action_cooldown"]
