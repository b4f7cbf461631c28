from scoreboard.adapters.memory import rate_limiter as limits_module
from scoreboard.adapters.memory.rate_limiter import MemoryRateLimiter


class Seconds:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_callers_that_have_everything_back_are_forgotten() -> None:
    clock = Seconds()
    limits = MemoryRateLimiter(clock)
    for n in range(10 * limits_module.SWEEP_EVERY):
        clock.now += 0.1
        await limits.acquire(str(n), 10, 10.0)
    assert len(limits.earned_back) <= 2 * limits_module.SWEEP_EVERY


async def test_those_that_do_not_are_kept() -> None:
    limits = MemoryRateLimiter(Seconds())
    await limits.acquire("first", 1, 60.0)
    for n in range(2 * limits_module.SWEEP_EVERY):
        await limits.acquire(str(n), 1, 60.0)
    assert (await limits.acquire("first", 1, 60.0)).retry_after_s == 60.0


async def test_refusals_take_no_memory() -> None:
    limits = MemoryRateLimiter(Seconds())
    for n in range(100):
        await limits.acquire(str(n), 1, 60.0, cost=2)
    assert not limits.earned_back
