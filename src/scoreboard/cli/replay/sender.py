"""Sender: one batch at a time to the server, again under the same keys until there is an answer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from scoreboard.cli.client import Client
from scoreboard.cli.errors import Unreachable
from scoreboard.cli.replay.rows import Row
from scoreboard.cli.retrying import answered


class _Result(msgspec.Struct):
    status: Literal["applied", "accepted", "refused"]
    event: str | None = None
    replayed: bool = False
    code: str = ""
    detail: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result]


@dataclass
class Tally:
    """What became of rows. `known` were counted before, under the same keys; `reasons` says why others were refused,
    by code: how many, and the last detail."""

    applied: int = 0
    known: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)
    last_event: str | None = None

    @property
    def rows(self) -> int:
        return self.applied + self.known + self.refused.total()

    def add(self, result: _Result) -> None:
        if result.status == "refused":
            self.refused[result.code] += 1
            self.details[result.code] = result.detail
            return
        self.known += result.replayed
        self.applied += not result.replayed
        self.last_event = result.event


class Sender:
    """`field` is what the board's operator takes, `keys` begins every row's idempotency key. Gives up when no batch
    was answered for `patience_s`."""

    def __init__(
        self, client: Client, path: Sequence[str], field: Literal["increment", "score"], keys: str, patience_s: float
    ) -> None:
        self._client = client
        self._path = (*path, "scores", "batch")
        self._field = field
        self._keys = keys
        self._patience_s = patience_s

    async def send(self, rows: Sequence[Row], tally: Tally) -> None:
        """Send these rows, in this order, and add what became of them. Raises RequestRefused when the server will have
        none of them, CommandError when there is no answer for too long: then the same rows may be sent again."""
        updates = [
            {"player": row.player, self._field: row.value, "idempotency_key": f"{self._keys}-{row.number}"}
            for row in rows
        ]
        for result in (await answered(lambda: self._once(updates), self._patience_s)).results:
            tally.add(result)

    async def _once(self, updates: Sequence[object]) -> _Answer:
        answer = await self._client.call("POST", *self._path, body={"updates": updates})
        return _checked(answer, len(updates))


def _checked(answer: object, count: int) -> _Answer:
    try:
        checked = msgspec.convert(answer, _Answer)
    except msgspec.ValidationError as error:
        raise Unreachable(f"the answer is not as expected ({error}); is this a Scoreboard server?") from error
    if len(checked.results) != count:
        raise Unreachable(f"{len(checked.results)} answers came to {count} rows; is this a Scoreboard server?")
    return checked
