from collections.abc import Iterator

import pytest

from scoreboard.adapters.memory import ranking
from scoreboard.adapters.redis import builder


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """Whoever asks for a table that loads waits until it is there, however busy the machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "GRACE_S", 30.0)
        patch.setattr(builder, "GRACE_S", 30.0)
        yield
