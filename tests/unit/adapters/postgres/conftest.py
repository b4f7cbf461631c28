from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest

from harness.servers.postgres import Server, fresh_database, open_database, postgres
from scoreboard.adapters.postgres.database import Database, Record


class Process(Protocol):
    """A function that opens the database of the test, as another process would."""

    async def __call__(self) -> Database: ...


async def rows(records: Awaitable[list[Record]]) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await records]


@pytest.fixture
async def url() -> str:
    return await fresh_database()


@pytest.fixture
async def process(url: str) -> AsyncIterator[Process]:
    async with AsyncExitStack() as stack:

        async def open_another() -> Database:
            return await stack.enter_async_context(open_database(url))

        yield open_another


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that tests may kill."""
    with postgres() as started:
        yield started
