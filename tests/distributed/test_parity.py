"""The embedded and the distributed service give the same answers.

They are compared byte for byte, except for times and ids.
"""

from pathlib import Path

import pytest

from harness.service import Running, running
from tests.distributed.script import play
from tests.distributed.servers import SIGNING_KEY

pytestmark = pytest.mark.slow


async def test_the_same_script_gets_the_same_answers(service: Running, tmp_path: Path) -> None:
    async with running(tmp_path / "embedded", signing_key=SIGNING_KEY) as embedded:
        expected = await play(embedded)
    answers = await play(service)
    assert len(expected) > 150
    different = [(got, wanted) for got, wanted in zip(answers, expected, strict=True) if got != wanted]
    assert not different, "\n\n".join(f"{got}\nbut embedded:\n{wanted}" for got, wanted in different)
