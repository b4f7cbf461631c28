import pytest

from scoreboard.adapters.redis.breaker import PAUSE_S, Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def test_calls_are_admitted_until_a_failure(breaker: Breaker) -> None:
    assert breaker.admits()
    assert breaker.failed()
    assert not breaker.admits()


def test_one_trial_call_is_admitted_after_the_pause(breaker: Breaker, clock: Clock) -> None:
    breaker.failed()
    clock.now += PAUSE_S
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    assert not breaker.failed()
    assert not breaker.admits()
    clock.now += PAUSE_S
    assert breaker.admits()
    breaker.succeeded()
    assert all(breaker.admits() for _ in range(3))
    assert breaker.failed()


def test_a_trial_call_without_an_outcome_does_not_block_the_next_one(breaker: Breaker, clock: Clock) -> None:
    breaker.failed()
    for _ in range(3):
        clock.now += PAUSE_S
        assert [breaker.admits(), breaker.admits()] == [True, False]
