"""What can be exported and imported, and where the API has it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from scoreboard.cli.retrying import Patient
from scoreboard.entrypoints.contracts.v1 import schema

PAGE = 1_000


@dataclass(frozen=True)
class Collection:
    """Things that a row each describes. `row` is the type of a row, `change` what may be changed of one that is there;
    `nullable` are the fields of it that may be empty."""

    word: str
    plural: str
    row: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    change: type[msgspec.Struct] = msgspec.Struct
    nullable: frozenset[str] = frozenset()
    paged: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return self.row.__struct_fields__


BOARDS = Collection("board", "boards", schema.Board, schema.Boards, schema.BoardChange)
ACTIONS = Collection(
    "action", "actions", schema.Action, schema.Actions, schema.ActionChange, nullable=frozenset({"per_day"})
)
PLAYERS = Collection(
    "player",
    "players",
    schema.Player,
    schema.Players,
    schema.PlayerChange,
    nullable=frozenset({"avatar_url", "email", "region"}),
    paged=True,
)
LEDGER = Collection("event", "ledger entries", schema.LedgerEntry, schema.LedgerPage)


async def things(client: Patient, collection: Collection, app: str) -> AsyncIterator[list[Any]]:
    """All of an app, in the order of their ids, page by page."""
    after = ""
    while True:
        query = {"after": after, "limit": PAGE} if collection.paged else None
        answer = await client.call("GET", "apps", app, collection.plural, query=query, answer=collection.answer)
        page = getattr(answer, collection.plural)
        yield page
        if not collection.paged or len(page) < PAGE:
            return
        after = getattr(page[-1], collection.word)


async def entries(client: Patient, app: str, board: str, after: str | None = None) -> AsyncIterator[list[Any]]:
    """The ledger of a board as it is now, in order, page by page, from the first entry past the event `after`."""
    query: dict[str, str | int] = {"limit": PAGE, **({"after": after} if after else {})}
    began_at = ""
    while True:
        page = await client.call("GET", "apps", app, "boards", board, "ledger", query=query, answer=schema.LedgerPage)
        began_at = began_at or page.at
        yield [entry for entry in page.entries if entry.accepted_at <= began_at]
        if page.next_after is None or page.entries[-1].accepted_at > began_at:
            return
        query["after"] = page.next_after
