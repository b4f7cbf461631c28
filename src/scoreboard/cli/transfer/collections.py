"""Kinds of rows in files, and the pages of the API that have them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from scoreboard.cli.client import RetryingClient
from scoreboard.cli.resources import Resource
from scoreboard.entrypoints.contracts.v1 import schema

PAGE = 1_000


@dataclass(frozen=True)
class RowType:
    """Format of the rows of a file.

    `key` is the column that identifies a row. Empty cells of `nullable` columns clear a field. `parse_cell` reads the
    cells of files from other programs, and raises ValueError. Such files need every column, and may have more.
    """

    key: str
    plural: str
    struct: type[msgspec.Struct]
    nullable: frozenset[str] = frozenset()
    parse_cell: Callable[[str, str], Any] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.struct.__struct_fields__


LEDGER = RowType("event", "ledger entries", schema.LedgerEntry)


def rows_of(resource: Resource) -> RowType:
    """Return the row type of a resource."""
    return RowType(resource.name, resource.plural, resource.body, resource.nullable)


async def resource_pages(client: RetryingClient, resource: Resource, app: str) -> AsyncIterator[list[Any]]:
    """Read all resources of an app in the order of their ids, page by page."""
    after = ""
    while True:
        query = {"after": after, "limit": PAGE} if resource.paged else None
        response = await client.call("GET", *resource.path(app), query=query, response=resource.page)
        page = getattr(response, resource.plural)
        yield page
        if not resource.paged or len(page) < PAGE:
            return
        after = getattr(page[-1], resource.name)


async def ledger_pages(
    client: RetryingClient, app: str, board: str, after: str | None = None
) -> AsyncIterator[list[schema.LedgerEntry]]:
    """Read the ledger of a board in order, page by page, after the event `after`.

    Entries that are accepted after the first request are left out, so that the read ends.
    """
    started_at = ""
    while True:
        query = {"limit": PAGE, "after": after}
        page = await client.call("GET", "apps", app, "boards", board, "ledger", query=query, response=schema.LedgerPage)
        started_at = started_at or page.at
        yield [entry for entry in page.entries if entry.accepted_at <= started_at]
        if page.next_after is None or page.entries[-1].accepted_at > started_at:
            return
        after = page.next_after
