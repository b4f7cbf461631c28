from scoreboard.adapters.memory.rate_limiter import SWEEP_EVERY, MemoryRateLimiter


class Seconds:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_callers_without_debt_are_removed() -> None:
    clock = Seconds()
    limits = MemoryRateLimiter(clock)
    for n in range(10 * SWEEP_EVERY):
        clock.now += 0.1
        await limits.acquire(str(n), 10, 10.0)
    assert len(limits.repaid_at) <= 2 * SWEEP_EVERY


async def test_callers_with_debt_are_kept() -> None:
    limits = MemoryRateLimiter(Seconds())
    await limits.acquire("first", 1, 60.0)
    for n in range(2 * SWEEP_EVERY):
        await limits.acquire(str(n), 1, 60.0)
    assert (await limits.acquire("first", 1, 60.0)).retry_after_s == 60.0


async def test_refusals_take_no_memory() -> None:
    limits = MemoryRateLimiter(Seconds())
    for n in range(100):
        await limits.acquire(str(n), 1, 60.0, cost=2)
    assert not limits.repaid_at
