"""What is asked while a call is under way shares the next."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from scoreboard.domain.board import Board
from scoreboard.domain.submission import TableKey

T = TypeVar("T")

Ask: TypeAlias = Callable[[TableKey, Board, Collection[str]], Awaitable[Mapping[str, T]]]

PLAYERS_A_CALL = 200


class _Question(NamedTuple, Generic[T]):
    board: Board
    player: str
    told: "asyncio.Future[T | None]"


class Together(Generic[T]):
    """Questions about players of a table, put to `ask` one call after another: each is answered by a call that began
    after it was asked. A call costs as much as several answers, so many who ask at once are answered sooner."""

    def __init__(self, ask: Ask[T]) -> None:
        self._ask = ask
        self._waiting: dict[TableKey, list[_Question[T]]] = {}
        self._calling: dict[TableKey, asyncio.Task[None]] = {}

    async def one(self, key: TableKey, board: Board, player: str) -> T | None:
        """What `ask` tells of this player. Raises what it raises. A caller that goes away harms no other."""
        loop = asyncio.get_running_loop()
        question = _Question[T](board, player, loop.create_future())
        self._waiting.setdefault(key, []).append(question)
        if key not in self._calling:
            self._calling[key] = loop.create_task(self._call_while_asked(key))
        return await question.told

    async def close(self) -> None:
        tasks = list(self._calling.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _call_while_asked(self, key: TableKey) -> None:
        try:
            while waiting := self._waiting.get(key):
                questions, self._waiting[key] = waiting[:PLAYERS_A_CALL], waiting[PLAYERS_A_CALL:]
                await self._call(key, questions)
        finally:
            for question in self._waiting.pop(key, ()):
                question.told.cancel()
            del self._calling[key]

    async def _call(self, key: TableKey, questions: list[_Question[T]]) -> None:
        try:
            found = await self._ask(key, questions[-1].board, {question.player for question in questions})
        except asyncio.CancelledError:
            for question in questions:
                question.told.cancel()
            raise
        except Exception as error:
            for question in questions:
                if not question.told.done():
                    question.told.set_exception(error)
        else:
            for question in questions:
                if not question.told.done():
                    question.told.set_result(found.get(question.player))
