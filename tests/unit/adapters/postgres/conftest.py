from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest

from harness.servers.postgres import Server, fresh_database, postgres
from scoreboard.adapters.postgres import database
from scoreboard.adapters.postgres.database import Database, Record


class Process(Protocol):
    """Opens the database of the test, as another process would."""

    async def __call__(self) -> Database: ...


async def rows(answer: Awaitable[list[Record]]) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await answer]


@pytest.fixture
async def url() -> str:
    return await fresh_database()


@pytest.fixture
async def process(url: str) -> AsyncIterator[Process]:
    async with AsyncExitStack() as stack:

        async def opened() -> Database:
            return await stack.enter_async_context(database.open_database(url))

        yield opened


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be killed."""
    with postgres() as started:
        yield started
