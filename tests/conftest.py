from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scoreboard.adapters.sqlite import database
from scoreboard.adapters.sqlite.database import Database
from tests.making import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database, at the newest version of its schema."""
    async with database.opened(tmp_path / "scoreboard.db") as opened:
        yield opened
