"""Promise 1 on a failing disk: writes, syncs and power cuts of log and database.

SQLite's behavior after a failed sync decides how the service continues:

- *A commit* syncs the log. If that fails, the transaction is rolled back. The next transaction overwrites the same
  place in the log, so a later sync covers it, even if the system dropped pages. To continue is safe. To restart from
  the log as the system shows it is not. So a start copies the log and syncs it before it answers anything.
- *A checkpoint* syncs the database file. If that fails, SQLite may already count dropped pages as copied, because it
  syncs only at the end of the log. A second attempt would sync nothing and start a new log. So the process ends, and
  the next one copies the whole log again.
"""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.ports import free_port
from harness.process import Process, process
from harness.waiting import eventually
from scoreboard.adapters.sqlite.checkpoints import EXIT_STATUS
from tests.faults.accounts import Clients, account, clients, verified
from tests.faults.disk import POWER, Disk, failing_disk
from tests.faults.test_kill import APP, BOARD, made, more

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs LD_PRELOAD and the semantics of Linux"),
]

CONNECTIONS = 64
MUCH = 400_000  # bytes of client logs: enough updates for several checkpoints


@dataclass
class Loaded:
    """A service on a failing disk, under load."""

    stack: ExitStack
    data: Path
    disk: Disk
    running: Process
    load: Clients

    async def restart(self) -> None:
        """Start the service again, on a sound disk."""
        self.running = await self.stack.enter_context(process(self.data, port=self.running.port)).ready()

    async def settled(self) -> dict[str, int]:
        """Compare the clients' answers with the data. Count the answers by kind."""
        await more(self.load, 100_000)
        self.load.stop()
        self.running.terminate()
        assert await self.running.ended() == 0
        lines = self.load.lines()
        books, report = account(self.data, lines), await verified(self.data, APP, BOARD)
        assert (books.lost, books.doubled, books.wrong) == (0, 0, 0)
        assert report.differences == []
        assert report.entries == books.acknowledged
        return {kind: sum(line.kind == kind for line in lines) for kind in "ABRX"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
async def loaded(tmp_path: Path, stack: ExitStack) -> Loaded:
    disk = stack.enter_context(failing_disk(tmp_path))
    data = tmp_path / "data"
    running = await stack.enter_context(process(data, port=free_port(), **disk.environment)).ready()
    board, token = await made(running.url, running.mint("admin", "*")), running.mint("server", APP)
    load = stack.enter_context(clients(tmp_path, running.url, token, board, connections=CONNECTIONS))
    await more(load, 50_000)
    assert disk.syncs[0] > 0, "SQLite does not write through the library that fails"
    return Loaded(stack, data, disk, running, load)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
@pytest.mark.parametrize("call", ["sync", "write"])
@pytest.mark.parametrize(("skip", "times"), [(0, 1), (5, 8)], ids=["once", "for-longer-than-retries"])
async def test_a_log_that_fails_costs_no_update_and_the_service_continues(
    loaded: Loaded, call: Any, error: int, skip: int, times: int
) -> None:
    loaded.disk.fail(call, "log", error, skip=skip, times=times)
    await eventually(lambda: loaded.disk.failed == times, "the log has failed")
    before = loaded.disk.syncs[1]
    await more(loaded.load, MUCH)
    assert loaded.disk.syncs[1] > before  # checkpoints continue, too
    loaded.disk.fail("sync", "log", POWER)
    assert await loaded.running.ended() == -signal.SIGKILL
    await loaded.restart()
    counts = await loaded.settled()
    assert counts["X"] == 0
    assert (counts["R"] > 0) == (times > 4)  # 503 only when retries did not help


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
async def test_a_database_file_that_cannot_be_written_is_copied_to_later(loaded: Loaded, error: int) -> None:
    loaded.disk.fail("write", "database", error, skip=3, times=2)
    await eventually(lambda: loaded.disk.failed == 2, "the database file has failed")
    before = loaded.disk.syncs[1]
    await more(loaded.load, MUCH)
    assert loaded.disk.syncs[1] > before
    loaded.disk.fail("sync", "log", POWER)
    assert await loaded.running.ended() == -signal.SIGKILL
    await loaded.restart()
    counts = await loaded.settled()
    assert (counts["R"], counts["X"]) == (0, 0)


@pytest.mark.parametrize("skip", [0, 1, 2, 3])
async def test_a_database_file_that_cannot_be_synced_ends_the_process_without_loss(loaded: Loaded, skip: int) -> None:
    loaded.disk.fail("sync", "database", skip=skip)
    assert await loaded.running.ended() == EXIT_STATUS
    assert "database_not_synced" in loaded.running.log
    await loaded.restart()
    assert (await loaded.settled())["X"] == 0


@pytest.mark.parametrize("skip", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("of", ["log", "database"])
@pytest.mark.parametrize("call", ["sync", "write"])
async def test_a_power_cut_costs_no_acknowledged_update(loaded: Loaded, call: Any, of: Any, skip: int) -> None:
    loaded.disk.fail(call, of, POWER, skip=skip)
    assert await loaded.running.ended() == -signal.SIGKILL
    await loaded.restart()
    assert (await loaded.settled())["X"] == 0


async def test_a_start_that_cannot_sync_the_log_it_found_does_not_serve(loaded: Loaded) -> None:
    """The log of a killed process may exist only in the system's memory."""
    loaded.disk.fail("sync", "log", times=1)
    await eventually(lambda: loaded.disk.failed == 1, "the log has failed")
    loaded.running.kill()
    loaded.disk.fail("sync", "database", times=1_000)
    with process(loaded.data, port=loaded.running.port, **loaded.disk.environment) as refused:
        assert await refused.ended() == 2
        assert f"cannot use the data folder {loaded.data}: disk i/o error" in refused.log
    await loaded.restart()
    assert (await loaded.settled())["X"] == 0
