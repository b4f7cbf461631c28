"""Taking: rows to the server, each so that doing it again changes nothing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from scoreboard.cli.errors import RequestRefused
from scoreboard.cli.retrying import Patient
from scoreboard.cli.transfer.collection import Collection
from scoreboard.cli.transfer.rows import Row
from scoreboard.entrypoints.contracts.v1 import schema


class Became(NamedTuple):
    """What became of a row: `what` in one word, and why when that is `refused`. `proof` is the id by which the server
    knows it."""

    what: str
    proof: str | None = None
    code: str = ""
    detail: str = ""


Take = Callable[[Sequence[Row]], Awaitable[list[Became]]]


@dataclass
class Tally:
    """How many became what; of each reason for a refusal how many, and the first line and detail."""

    became: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[str, tuple[int, str]] = field(default_factory=dict)
    proof: str | None = None

    def add(self, row: Row, became: Became) -> None:
        self.became[became.what] += 1
        self.proof = became.proof or self.proof
        if became.what == "refused":
            self.reasons[became.code] += 1
            self.first.setdefault(became.code, (row.line, became.detail))


def entries_to(client: Patient, app: str, board: str) -> Take:
    async def take(rows: Sequence[Row]) -> list[Became]:
        body = {"entries": [row.thing for row in rows]}
        answer = await client.call("POST", "apps", app, "boards", board, "ledger", body=body, answer=schema.BatchAnswer)
        return [_entry(result) for result in answer.results]

    return take


def _entry(result: schema.BatchApplied | schema.BatchRefused) -> Became:
    if isinstance(result, schema.BatchRefused):
        return Became("refused", None, result.code, result.detail)
    return Became("known" if result.replayed else "applied", result.event)


def things_to(client: Patient, collection: Collection, app: str) -> Take:
    """Made where they are absent, changed where they differ."""

    async def take(rows: Sequence[Row]) -> list[Became]:
        return await asyncio.gather(*(one(row) for row in rows))

    async def one(row: Row) -> Became:
        try:
            return await _put(client, collection, app, row)
        except RequestRefused as error:
            if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or error.code == "app_not_found":
                raise
            return Became("refused", None, error.code, error.detail)

    return take


async def _put(client: Patient, collection: Collection, app: str, row: Row) -> Became:
    given = {name: getattr(row.thing, name) for name in row.given}
    path, name = ("apps", app, collection.plural), getattr(row.thing, collection.word)
    try:
        found = await client.call("GET", *path, name, answer=collection.row)
    except RequestRefused as error:
        if error.code != f"{collection.word}_not_found":
            raise
        await client.call("POST", *path, body=given)
        return Became("created", name)
    differing = {column: value for column, value in given.items() if not _same(getattr(found, column), value)}
    fixed = differing.keys() - set(collection.change.__struct_fields__)
    if fixed:
        column = min(fixed)
        there, wanted = getattr(found, column), differing[column]
        return Became("refused", None, "fixed", f"{column} is {there} there, not {wanted}, and cannot be changed")
    if not differing:
        return Became("unchanged", name)
    await client.call("PATCH", *path, name, body=differing)
    return Became("updated", name)


def _same(there: Any, given: Any) -> bool:
    """Scores are told as numbers or as text."""
    return bool(there == given) or (type(there) is not type(given) and str(there) == str(given))
