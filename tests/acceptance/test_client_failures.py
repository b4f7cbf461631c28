"""What goes wrong between the Python client and the service: answers that are lost, refusals that pass, silence."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.service import Running, running
from scoreboard.client import AsyncScoreboard, BatchApplied, Update, errors
from tests.acceptance.flaky_proxy import FlakyProxy, Step, flaky


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path / "data") as service:
        await service.board()
        yield service


def client(service: Running, proxy: FlakyProxy, *, timeout_s: float = 10, retry_for_s: float = 30) -> AsyncScoreboard:
    token = service.token("server", "game")
    return AsyncScoreboard(proxy.url, app="game", token=token, timeout_s=timeout_s, retry_for_s=retry_for_s)


async def score_of(service: Running, player: str = "alice") -> int:
    """As the service itself says."""
    standing = (await service.anybody.get(f"/v1/apps/game/boards/main/players/{player}")).ok()
    return int(standing["score"])


async def test_a_lost_answer_does_not_count_twice(service: Running) -> None:
    async with flaky(service.port, "lose answer", "lose answer") as proxy, client(service, proxy) as scoreboard:
        outcome = await scoreboard.update("main", "alice", increment=5)
    assert (outcome.score, outcome.replayed) == (5, True)
    assert await score_of(service) == 5
    assert len(proxy.keys) == 3
    assert len(set(proxy.keys)) == 1, "all tries have one key"
    assert len(set(proxy.requests)) == 1, "and are the same to the letter"


async def test_two_updates_have_two_keys(service: Running) -> None:
    async with flaky(service.port) as proxy, client(service, proxy) as scoreboard:
        for _ in range(2):
            await scoreboard.update("main", "alice", increment=5)
    assert await score_of(service) == 10
    assert len(set(proxy.keys)) == 2


@pytest.mark.parametrize("step", ["lose request", "busy"])
async def test_what_never_arrived_is_sent_again(service: Running, step: Step) -> None:
    async with flaky(service.port, step, step) as proxy, client(service, proxy) as scoreboard:
        outcome = await scoreboard.update("main", "alice", increment=5)
    assert (outcome.score, outcome.replayed) == (5, False)
    assert len(proxy.requests) == 3


@pytest.mark.slow
async def test_a_server_that_is_going_away_is_waited_for(service: Running) -> None:
    async with flaky(service.port, "down") as proxy, client(service, proxy) as scoreboard:
        assert (await scoreboard.update("main", "alice", increment=5)).score == 5
    assert len(proxy.requests) == 2


async def test_who_is_told_to_come_back_much_later_is_not_kept_waiting(service: Running) -> None:
    async with flaky(service.port, "busy for an hour") as proxy, client(service, proxy) as scoreboard:
        with pytest.raises(errors.RateLimited) as raised:
            await scoreboard.update("main", "alice", increment=5)
    assert (raised.value.status, raised.value.retry_after_s) == (429, 3_600.0)
    assert len(proxy.requests) == 1, "and nothing was tried before its time"


async def test_an_error_of_the_server_is_not_tried_again(service: Running) -> None:
    async with flaky(service.port, "broken") as proxy, client(service, proxy) as scoreboard:
        with pytest.raises(errors.Unavailable) as raised:
            await scoreboard.update("main", "alice", increment=5)
    assert (raised.value.status, len(proxy.requests)) == (500, 1)


async def test_a_refusal_is_not_tried_again(service: Running) -> None:
    async with flaky(service.port) as proxy, client(service, proxy) as scoreboard:
        with pytest.raises(errors.Refused):
            await scoreboard.update("main", "alice", increment=2**60)
    assert len(proxy.requests) == 1


async def test_silence_is_given_up_and_tried_again(service: Running) -> None:
    async with flaky(service.port, "keep silent") as proxy, client(service, proxy, timeout_s=1) as scoreboard:
        assert (await scoreboard.update("main", "alice", increment=5)).score == 5
    assert len(set(proxy.keys)) == 1
    assert len(proxy.keys) > 1


async def test_there_is_an_end_to_it(service: Running) -> None:
    """And the same call with the same key finds out what became of the update."""
    steps: list[Step] = ["lose answer"] * 100
    async with flaky(service.port, *steps) as proxy:
        async with client(service, proxy, retry_for_s=0.3) as scoreboard:
            with pytest.raises(errors.TransportError, match="no response from"):
                await scoreboard.update("main", "alice", increment=5, key="mine")
        assert set(proxy.keys) == {"mine"}
        proxy.steps.clear()
        async with client(service, proxy) as scoreboard:
            assert (await scoreboard.update("main", "alice", increment=5, key="mine")).replayed
    assert await score_of(service) == 5


async def test_retries_can_be_switched_off(service: Running) -> None:
    async with flaky(service.port, "lose request") as proxy, client(service, proxy, retry_for_s=0) as scoreboard:
        with pytest.raises(errors.TransportError):
            await scoreboard.update("main", "alice", increment=5)
    assert len(proxy.requests) == 1


async def test_batches_of_which_answers_are_lost_count_once(service: Running) -> None:
    updates = [Update("alice", increment=1) for _ in range(1_200)]
    async with flaky(service.port, "pass", "lose answer") as proxy, client(service, proxy) as scoreboard:
        results = await scoreboard.update_many("main", updates)
        replayed = [result.replayed for result in results if isinstance(result, BatchApplied)]
        assert replayed == [False] * 1_000 + [True] * 200
    assert await score_of(service) == 1_200


async def test_reads_are_tried_again_too(service: Running) -> None:
    async with flaky(service.port, "lose answer", "busy") as proxy, client(service, proxy) as scoreboard:
        assert (await scoreboard.top("main")).total == 0
    assert len(proxy.requests) == 3
