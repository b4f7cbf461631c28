"""Coalescer: concurrent questions share the next call."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
Q = TypeVar("Q")
A = TypeVar("A")

Call: TypeAlias = Callable[[K, Sequence[Q]], Awaitable[Sequence[A]]]


class Coalescer(Generic[K, Q, A]):
    """Questions by key, answered by one call at a time for each key.

    A question joins only a call that has not started, so that an answer is never older than its question. While a call
    runs, new questions wait for the next one. Sharing raises the throughput, because one call can answer many questions
    at little more than the cost of one.

    `call` receives a key and at most `most` questions, oldest first, and returns their answers in the same order.
    """

    def __init__(self, call: Call[K, Q, A], most: int | None = None) -> None:
        self._call = call
        self._most = most
        self._waiting: dict[K, list[tuple[Q, asyncio.Future[A]]]] = {}
        self._calling: dict[K, asyncio.Task[None]] = {}

    @property
    def idle(self) -> bool:
        """True if no question waits and no call runs."""
        return not self._waiting and not self._calling

    async def ask(self, key: K, question: Q) -> A:
        """Return the answer or raise the call's error. Cancelling affects no one else."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._waiting.setdefault(key, []).append((question, answer))
        if key not in self._calling:
            self._calling[key] = loop.create_task(self._call_while_asked(key))
        return await answer

    async def close(self) -> None:
        """Cancel the running calls, and every caller that waits."""
        calling = list(self._calling.values())
        for task in calling:
            task.cancel()
        await asyncio.gather(*calling, return_exceptions=True)
        # A task that is cancelled before its first step never reaches its `finally`.
        for key in list(self._waiting):
            self._leave(key)

    async def _call_while_asked(self, key: K) -> None:
        try:
            while waiting := self._waiting[key]:
                self._waiting[key] = [] if self._most is None else waiting[self._most :]
                await self._answer(key, waiting[: self._most])
        finally:
            self._leave(key)

    async def _answer(self, key: K, asked: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            found = await self._call(key, [question for question, _ in asked])
            answers = list(zip(asked, found, strict=True))
        except asyncio.CancelledError:
            for _, answer in asked:
                answer.cancel()
            raise
        except Exception as error:
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (_, answer), one in answers:
                if not answer.done():
                    answer.set_result(one)

    def _leave(self, key: K) -> None:
        """Remove a key, and cancel the callers whose call never started."""
        for _, answer in self._waiting.pop(key, ()):
            answer.cancel()
        self._calling.pop(key, None)
