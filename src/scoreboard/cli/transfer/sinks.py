"""Sinks of rows: the board or the collection that they are sent to.

Sending a row again changes nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias

from scoreboard.cli.client import Client
from scoreboard.cli.errors import CommandError, RequestRefused
from scoreboard.cli.resources import Resource
from scoreboard.cli.transfer.rows import Row
from scoreboard.entrypoints.contracts.v1 import schema


class RowResult(NamedTuple):
    """Result of one row: a status of its sink, or `refused` with a code and a detail.

    `proof` is the id under which the server has the row.
    """

    status: str
    proof: str | None = None
    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class BoardSink:
    """Sink that sends batches of rows to an `endpoint` of a board."""

    client: Client
    app: str
    board: str
    endpoint: tuple[str, ...]
    to_body: Callable[[Sequence[Row]], dict[str, Any]]

    batch_size = 1_000
    statuses = ("applied", "replayed")

    async def send(self, rows: Sequence[Row]) -> list[RowResult]:
        """Send rows and return their results in order."""
        path = ("apps", self.app, "boards", self.board, *self.endpoint)
        response = await self.client.call("POST", *path, body=self.to_body(rows), response=schema.BatchResult)
        if len(response.results) != len(rows):
            text = f"sent {len(rows)} rows but received {len(response.results)} results; is this a Scoreboard server?"
            raise CommandError(text)
        return [
            RowResult("refused", None, result.code, result.detail)
            if isinstance(result, schema.BatchRefused)
            else RowResult("replayed" if result.replayed else "applied", result.event)
            for result in response.results
        ]

    async def has(self, proof: str) -> bool:
        """Return whether the server still has the row with this id."""
        try:
            event = await self.client.call("GET", "apps", self.app, "events", proof)
        except RequestRefused:
            return False
        return bool(event["board"] == self.board)


@dataclass(frozen=True)
class ResourceSink:
    """Sink that creates the resources that are absent and updates those that differ."""

    client: Client
    resource: Resource
    app: str

    batch_size = 64
    statuses = ("created", "updated", "unchanged")

    async def send(self, rows: Sequence[Row]) -> list[RowResult]:
        """Send rows and return their results in order."""
        locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

        async def send_in_order(row: Row) -> RowResult:
            async with locks[getattr(row.item, self.resource.name)]:  # rows of one resource wait for each other
                return await self._send_row(row)

        tasks = [asyncio.create_task(send_in_order(row)) for row in rows]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # after a failure, so that the others do not retry on a closed connection
                task.cancel()

    async def has(self, proof: str) -> bool:
        """Return whether the server still has the row with this id."""
        try:
            await self.client.call("GET", *self.resource.path(self.app), proof)
        except RequestRefused:
            return False
        return True

    async def _send_row(self, row: Row) -> RowResult:
        try:
            return await self._create_or_update(row)
        except RequestRefused as error:
            if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or error.code == "app_not_found":
                raise
            return RowResult("refused", None, error.code, error.detail)

    async def _create_or_update(self, row: Row) -> RowResult:
        path = self.resource.path(self.app)
        given = {name: getattr(row.item, name) for name in row.given}
        name = getattr(row.item, self.resource.name)
        try:
            existing = await self.client.call("GET", *path, name, response=self.resource.body)
        except RequestRefused as error:
            if error.code != f"{self.resource.name}_not_found":
                raise
            await self.client.call("POST", *path, body=given)
            return RowResult("created", name)
        changes = {field: value for field, value in given.items() if not _equal(getattr(existing, field), value)}
        if fixed := changes.keys() - set(self.resource.change.__struct_fields__):
            field = min(fixed)
            detail = f"{field} is {getattr(existing, field)} on the server, not {changes[field]}, and cannot be changed"
            return RowResult("refused", None, "fixed", detail)
        if not changes:
            return RowResult("unchanged", name)
        await self.client.call("PATCH", *path, name, body=changes)
        return RowResult("updated", name)


RowSink: TypeAlias = BoardSink | ResourceSink


def _equal(one: Any, other: Any) -> bool:
    """Compare values, of which large integers may be text."""
    return bool(one == other) or ({type(one), type(other)} == {int, str} and str(one) == str(other))
