"""Concurrent questions share the next call, never one that has started."""

import asyncio
import random
from collections.abc import Sequence
from itertools import count

import pytest

from scoreboard.concurrency.coalescer import Coalescer
from scoreboard.domain import codes


class Calls:
    """A recorder of calls. Each returns or fails only when the test ends it."""

    def __init__(self) -> None:
        self.started: list[tuple[str, list[str]]] = []
        self.pending: list[asyncio.Future[None]] = []
        self.cancelled = 0

    async def __call__(self, key: str, questions: Sequence[str]) -> Sequence[str]:
        number = len(self.started)
        self.started.append((key, list(questions)))
        self.pending.append(asyncio.get_running_loop().create_future())
        try:
            await self.pending[number]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return [f"{question} by call {number}" for question in questions]

    async def finish(self, number: int, error: Exception | None = None) -> None:
        if error is None:
            self.pending[number].set_result(None)
        else:
            self.pending[number].set_exception(error)
        await settle()


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def coalescer(calls: Calls) -> Coalescer[str, str, str]:
    return Coalescer(calls)


async def ask(coalescer: Coalescer[str, str, str], *questions: str, key: str = "main") -> "list[asyncio.Task[str]]":
    tasks = [asyncio.create_task(coalescer.ask(key, question)) for question in questions]
    await settle()
    return tasks


async def test_questions_asked_at_once_share_one_call(coalescer: Coalescer[str, str, str], calls: Calls) -> None:
    tasks = await ask(coalescer, "ann", "bob", "ann")
    await calls.finish(0)
    assert [task.result() for task in tasks] == ["ann by call 0", "bob by call 0", "ann by call 0"]
    assert calls.started == [("main", ["ann", "bob", "ann"])]


async def test_a_question_waits_for_a_call_that_starts_after_it(
    coalescer: Coalescer[str, str, str], calls: Calls
) -> None:
    (early,) = await ask(coalescer, "ann")
    late = await ask(coalescer, "ann") + await ask(coalescer, "bob")
    assert calls.started == [("main", ["ann"])]
    await calls.finish(0)
    assert early.result() == "ann by call 0"
    assert not any(task.done() for task in late)
    await calls.finish(1)
    assert [task.result() for task in late] == ["ann by call 1", "bob by call 1"]


async def test_an_answer_never_comes_from_a_call_started_before_the_question() -> None:
    """Each call reads a clock when it starts, and ends after a random time."""
    rng = random.Random(1)
    clock = count()
    answered = []

    async def call(_: int, questions: Sequence[int]) -> Sequence[int]:
        started = next(clock)
        for _ in range(rng.randrange(8)):
            await asyncio.sleep(0)
        return [started] * len(questions)

    coalescer = Coalescer(call, 5)

    async def caller() -> None:
        for _ in range(50):
            for _ in range(rng.randrange(12)):
                await asyncio.sleep(0)
            at = next(clock)
            answered.append((at, await coalescer.ask(rng.randrange(3), at)))

    await asyncio.gather(*(caller() for _ in range(20)))
    assert len(answered) == 1_000
    assert all(started > at for at, started in answered)
    assert len({started for _, started in answered}) < len(answered), "no call was shared"


async def test_keys_do_not_wait_for_each_other(coalescer: Coalescer[str, str, str], calls: Calls) -> None:
    tasks = [task for n in range(100) for task in await ask(coalescer, "ann", key=f"table {n}")]
    assert calls.started == [(f"table {n}", ["ann"]) for n in range(100)]
    await calls.finish(99)
    assert [n for n, task in enumerate(tasks) if task.done()] == [99]
    for n in range(99):
        await calls.finish(n)
    assert [task.result() for task in tasks] == [f"ann by call {n}" for n in range(100)]


async def test_a_key_without_questions_uses_no_memory(coalescer: Coalescer[str, str, str], calls: Calls) -> None:
    await ask(coalescer, "ann", key="one")
    await ask(coalescer, "ann", key="two")
    await calls.finish(0)
    await calls.finish(1, OSError("broken"))
    assert coalescer.idle


async def test_the_questions_of_a_call_are_bounded(calls: Calls) -> None:
    tasks = await ask(Coalescer(calls, 3), *"abcdefg")
    for number in range(3):
        await calls.finish(number)
    assert [questions for _, questions in calls.started] == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert [task.result()[0] for task in tasks] == list("abcdefg")


async def test_an_error_reaches_exactly_the_callers_that_shared_the_call(
    coalescer: Coalescer[str, str, str], calls: Calls
) -> None:
    sharing = await ask(coalescer, "ann", "bob")
    (later,) = await ask(coalescer, "cat")
    error = codes.RANKING_UNAVAILABLE.error("the ranking does not answer")
    await calls.finish(0, error)
    assert [task.exception() for task in sharing] == [error, error]
    await calls.finish(1)
    assert later.result() == "cat by call 1"


async def test_too_few_answers_are_an_error_for_all_callers(calls: Calls) -> None:
    async def call(_: str, questions: Sequence[str]) -> Sequence[str]:
        return questions[1:]

    for task in await ask(Coalescer(call), "ann", "bob"):
        with pytest.raises(ValueError, match="shorter"):
            await task


@pytest.mark.parametrize("cancelled", range(3))
async def test_a_cancelled_caller_does_not_affect_the_others(
    coalescer: Coalescer[str, str, str], calls: Calls, cancelled: int
) -> None:
    """The cancelled caller started the call, shares it, or waits for the next one."""
    tasks = [*await ask(coalescer, "ann", "ann"), *await ask(coalescer, "ann", "ann")]
    tasks[cancelled].cancel()
    await settle()
    assert not calls.cancelled
    await calls.finish(0)
    await calls.finish(1)
    assert [task.cancelled() for task in tasks] == [n == cancelled for n in range(4)]
    assert [task.result() for n, task in enumerate(tasks) if n != cancelled] == [
        f"ann by call {n // 2}" for n in range(4) if n != cancelled
    ]


async def test_the_error_of_a_call_without_callers_is_ignored(
    coalescer: Coalescer[str, str, str], calls: Calls
) -> None:
    (cancelled,) = await ask(coalescer, "ann")
    cancelled.cancel()
    await settle()
    await calls.finish(0, OSError("broken"))
    (next_one,) = await ask(coalescer, "ann")
    await calls.finish(1)
    assert next_one.result() == "ann by call 1"


async def test_close_cancels_the_call_and_every_caller(coalescer: Coalescer[str, str, str], calls: Calls) -> None:
    tasks = [
        *await ask(coalescer, "ann"),
        *await ask(coalescer, "bob"),
        *await ask(coalescer, "ann", key="other"),
    ]
    await coalescer.close()
    await settle()
    assert [task.cancelled() for task in tasks] == [True] * 3
    assert calls.cancelled == 2


async def test_close_cancels_a_caller_whose_call_has_not_started(
    coalescer: Coalescer[str, str, str], calls: Calls
) -> None:
    caller = asyncio.create_task(coalescer.ask("main", "ann"))
    await asyncio.sleep(0)  # the question waits, and the task of its call has not started
    await coalescer.close()
    await settle()
    assert caller.cancelled()
    assert calls.started == []
