"""Sinks of rows: the board or the collection that they are sent to."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any

from scoreboard.cli.client import RetryingClient
from scoreboard.cli.errors import RequestRefused, Unreachable
from scoreboard.cli.resources import Resource
from scoreboard.cli.transfer.importer import RowResult
from scoreboard.cli.transfer.rows import Row
from scoreboard.entrypoints.contracts.v1 import schema


class BoardSink:
    """Sink that sends batches of updates or ledger entries to a board."""

    batch_size = 1_000
    statuses: tuple[str, ...] = ("applied", "replayed")

    def __init__(
        self,
        client: RetryingClient,
        app: str,
        board: str,
        endpoint: tuple[str, ...],
        to_body: Callable[[Sequence[Row]], dict[str, Any]],
    ) -> None:
        self._client = client
        self._app = app
        self._board = board
        self._endpoint = endpoint
        self._to_body = to_body

    async def send(self, rows: Sequence[Row]) -> list[RowResult]:
        path = ("apps", self._app, "boards", self._board, *self._endpoint)
        response = await self._client.call("POST", *path, body=self._to_body(rows), response=schema.BatchResult)
        if len(response.results) != len(rows):
            text = f"{len(rows)} rows got {len(response.results)} results; is this a Scoreboard server?"
            raise Unreachable(text)
        return [
            RowResult("refused", None, result.code, result.detail)
            if isinstance(result, schema.BatchRefused)
            else RowResult("replayed" if result.replayed else "applied", result.event)
            for result in response.results
        ]

    async def has(self, proof: str) -> bool:
        try:
            event = await self._client.call("GET", "apps", self._app, "events", proof)
        except RequestRefused:
            return False
        return bool(event["board"] == self._board)


class ResourceSink:
    """Sink that creates the resources that are absent and updates those that differ."""

    batch_size = 64
    statuses: tuple[str, ...] = ("created", "updated", "unchanged")

    def __init__(self, client: RetryingClient, resource: Resource, app: str) -> None:
        self._client = client
        self._resource = resource
        self._path = resource.path(app)

    async def send(self, rows: Sequence[Row]) -> list[RowResult]:
        results: list[RowResult] = []
        for group in self._split(rows):
            results += await asyncio.gather(*(self._send_row(row) for row in group))
        return results

    async def has(self, proof: str) -> bool:
        try:
            await self._client.call("GET", *self._path, proof)
        except RequestRefused:
            return False
        return True

    def _split(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """Split rows into groups that can be sent concurrently, as no group has the same resource twice."""
        group: dict[str, Row] = {}
        for row in rows:
            key = getattr(row.item, self._resource.name)
            if key in group:
                yield list(group.values())
                group = {}
            group[key] = row
        yield list(group.values())

    async def _send_row(self, row: Row) -> RowResult:
        try:
            return await self._create_or_update(row)
        except RequestRefused as error:
            if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or error.code == "app_not_found":
                raise
            return RowResult("refused", None, error.code, error.detail)

    async def _create_or_update(self, row: Row) -> RowResult:
        given = {name: getattr(row.item, name) for name in row.given}
        name = getattr(row.item, self._resource.name)
        try:
            existing = await self._client.call("GET", *self._path, name, response=self._resource.body)
        except RequestRefused as error:
            if error.code != f"{self._resource.name}_not_found":
                raise
            await self._client.call("POST", *self._path, body=given)
            return RowResult("created", name)
        changes = {field: value for field, value in given.items() if not _equal(getattr(existing, field), value)}
        if fixed := changes.keys() - set(self._resource.change.__struct_fields__):
            field = min(fixed)
            detail = f"{field} is {getattr(existing, field)} there, not {changes[field]}, and cannot be changed"
            return RowResult("refused", None, "fixed", detail)
        if not changes:
            return RowResult("unchanged", name)
        await self._client.call("PATCH", *self._path, name, body=changes)
        return RowResult("updated", name)


def _equal(one: Any, other: Any) -> bool:
    """Compare values, of which large integers may be text."""
    return bool(one == other) or ({type(one), type(other)} == {int, str} and str(one) == str(other))
