"""Concurrent questions share the next call, and never one that has begun."""

import asyncio
import random
from collections.abc import Sequence
from itertools import count

import pytest

from scoreboard.concurrency.coalescer import Coalescer
from scoreboard.domain import codes


class Calls:
    """The calls that have begun; each returns, or fails, only when the test says so."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, list[str]]] = []
        self.pending: list[asyncio.Future[None]] = []
        self.cancelled = 0

    async def __call__(self, key: str, questions: Sequence[str]) -> Sequence[str]:
        number = len(self.begun)
        self.begun.append((key, list(questions)))
        self.pending.append(asyncio.get_running_loop().create_future())
        try:
            await self.pending[number]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return [f"{question} by call {number}" for question in questions]

    async def end(self, number: int, error: Exception | None = None) -> None:
        if error is None:
            self.pending[number].set_result(None)
        else:
            self.pending[number].set_exception(error)
        await settled()


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def coalescer(calls: Calls) -> Coalescer[str, str, str]:
    return Coalescer(calls)


async def asked(coalescer: Coalescer[str, str, str], *questions: str, key: str = "main") -> "list[asyncio.Task[str]]":
    tasks = [asyncio.create_task(coalescer.ask(key, question)) for question in questions]
    await settled()
    return tasks


async def test_questions_asked_at_once_share_one_call(coalescer: Coalescer[str, str, str], calls: Calls) -> None:
    tasks = await asked(coalescer, "ann", "bob", "ann")
    await calls.end(0)
    assert [task.result() for task in tasks] == ["ann by call 0", "bob by call 0", "ann by call 0"]
    assert calls.begun == [("main", ["ann", "bob", "ann"])]


async def test_a_question_waits_for_a_call_that_begins_after_it(
    coalescer: Coalescer[str, str, str], calls: Calls
) -> None:
    (early,) = await asked(coalescer, "ann")
    late = await asked(coalescer, "ann") + await asked(coalescer, "bob")
    assert calls.begun == [("main", ["ann"])]
    await calls.end(0)
    assert early.result() == "ann by call 0"
    assert not any(task.done() for task in late)
    await calls.end(1)
    assert [task.result() for task in late] == ["ann by call 1", "bob by call 1"]


async def test_an_answer_never_comes_from_a_call_begun_before_the_question() -> None:
    """Each call reads a clock when it begins, and ends after a random while."""
    dice = random.Random(1)
    clock = count()
    answered = []

    async def call(_: int, questions: Sequence[int]) -> Sequence[int]:
        begun = next(clock)
        for _ in range(dice.randrange(8)):
            await asyncio.sleep(0)
        return [begun] * len(questions)

    coalescer = Coalescer(call, 5)

    async def caller() -> None:
        for _ in range(50):
            for _ in range(dice.randrange(12)):
                await asyncio.sleep(0)
            at = next(clock)
            answered.append((at, await coalescer.ask(dice.randrange(3), at)))

    await asyncio.gather(*(caller() for _ in range(20)))
    assert len(answered) == 1_000
    assert all(begun > at for at, begun in answered)
    assert len({begun for _, begun in answered}) < len(answered), "no call was shared"


async def test_keys_do_not_wait_for_each_other(coalescer: Coalescer[str, str, str], calls: Calls) -> None:
    tasks = [task for n in range(100) for task in await asked(coalescer, "ann", key=f"table {n}")]
    assert calls.begun == [(f"table {n}", ["ann"]) for n in range(100)]
    await calls.end(99)
    assert [n for n, task in enumerate(tasks) if task.done()] == [99]
    for n in range(99):
        await calls.end(n)
    assert [task.result() for task in tasks] == [f"ann by call {n}" for n in range(100)]


async def test_a_key_without_questions_takes_no_memory(coalescer: Coalescer[str, str, str], calls: Calls) -> None:
    await asked(coalescer, "ann", key="one")
    await asked(coalescer, "ann", key="two")
    await calls.end(0)
    await calls.end(1, OSError("broken"))
    assert coalescer.idle


async def test_a_call_takes_at_most_so_many_questions(calls: Calls) -> None:
    tasks = await asked(Coalescer(calls, 3), *"abcdefg")
    for number in range(3):
        await calls.end(number)
    assert [questions for _, questions in calls.begun] == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert [task.result()[0] for task in tasks] == list("abcdefg")


async def test_an_error_reaches_all_who_shared_the_call_and_nobody_else(
    coalescer: Coalescer[str, str, str], calls: Calls
) -> None:
    sharing = await asked(coalescer, "ann", "bob")
    (later,) = await asked(coalescer, "cat")
    error = codes.RANKING_UNAVAILABLE.error("the ranking does not answer")
    await calls.end(0, error)
    assert [task.exception() for task in sharing] == [error, error]
    await calls.end(1)
    assert later.result() == "cat by call 1"


async def test_answers_that_are_too_few_are_an_error_for_all(calls: Calls) -> None:
    async def call(_: str, questions: Sequence[str]) -> Sequence[str]:
        return questions[1:]

    for task in await asked(Coalescer(call), "ann", "bob"):
        with pytest.raises(ValueError, match="shorter"):
            await task


@pytest.mark.parametrize("gone", range(3))
async def test_a_cancelled_caller_does_not_affect_the_others(
    coalescer: Coalescer[str, str, str], calls: Calls, gone: int
) -> None:
    """Neither the first, whose question began the call, nor one that shares it, nor one that waits for the next."""
    tasks = [*await asked(coalescer, "ann", "ann"), *await asked(coalescer, "ann", "ann")]
    tasks[gone].cancel()
    await settled()
    assert not calls.cancelled
    await calls.end(0)
    await calls.end(1)
    assert [task.cancelled() for task in tasks] == [n == gone for n in range(4)]
    assert [task.result() for n, task in enumerate(tasks) if n != gone] == [
        f"ann by call {n // 2}" for n in range(4) if n != gone
    ]


async def test_a_call_whose_callers_are_all_cancelled_fails_without_a_word(
    coalescer: Coalescer[str, str, str], calls: Calls
) -> None:
    (gone,) = await asked(coalescer, "ann")
    gone.cancel()
    await settled()
    await calls.end(0, OSError("broken"))
    (next_one,) = await asked(coalescer, "ann")
    await calls.end(1)
    assert next_one.result() == "ann by call 1"


async def test_close_cancels_the_call_and_every_caller(coalescer: Coalescer[str, str, str], calls: Calls) -> None:
    tasks = [
        *await asked(coalescer, "ann"),
        *await asked(coalescer, "bob"),
        *await asked(coalescer, "ann", key="other"),
    ]
    await coalescer.close()
    await settled()
    assert [task.cancelled() for task in tasks] == [True] * 3
    assert calls.cancelled == 2


async def test_close_cancels_a_caller_whose_call_has_not_begun(
    coalescer: Coalescer[str, str, str], calls: Calls
) -> None:
    caller = asyncio.create_task(coalescer.ask("main", "ann"))
    await asyncio.sleep(0)  # the question is asked; the task of its call has not had its first step
    await coalescer.close()
    await settled()
    assert caller.cancelled()
    assert calls.begun == []
