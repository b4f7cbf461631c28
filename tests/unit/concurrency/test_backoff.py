from scoreboard.concurrency.backoff import Backoff

BACKOFF = Backoff(first_s=0.5, longest_s=4.0)


def test_the_range_of_waits_doubles_up_to_the_longest() -> None:
    longest = [BACKOFF.pause_s(failures, chance=1.0) for failures in (1, 2, 3, 4, 5, 10_000)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert [BACKOFF.pause_s(failures, chance=0.0) for failures in (1, 5)] == [0.0, 0.0], "full jitter"


def test_chance_is_drawn_for_each_wait() -> None:
    drawn = {BACKOFF.pause_s(3) for _ in range(100)}
    assert len(drawn) > 90
    assert 0 <= min(drawn) < max(drawn) <= 2.0


def test_a_wait_is_never_shorter_than_the_server_asks_for() -> None:
    assert BACKOFF.pause_s(1, asked_s=7.0, chance=0.0) == 7.0
    assert BACKOFF.pause_s(1, asked_s=7.0, chance=1.0) == 7.5, "with jitter"
