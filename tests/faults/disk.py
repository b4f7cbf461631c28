"""A disk that fails below SQLite in a real process: `disk.c` and its orders."""

import errno
import mmap
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from harness.missing import missing

ORDERS = struct.Struct("=9i")
FILES = ("log", "database")
CALLS = ("sync", "write")
POWER = 0  # instead of an error number: a power cut


class Disk:
    """A disk for processes with its `environment`. A failed sync drops its data."""

    def __init__(self, library: Path, orders: Path) -> None:
        orders.write_bytes(bytes(ORDERS.size))
        self.environment = {"LD_PRELOAD": str(library), "SCOREBOARD_TEST_DISK": str(orders)}
        with orders.open("r+b") as file:
            self._orders = mmap.mmap(file.fileno(), ORDERS.size)

    def fail(
        self,
        call: Literal["sync", "write"],
        of: Literal["log", "database"],
        error: int = errno.EIO,
        *,
        skip: int = 0,
        times: int = 1,
    ) -> None:
        """Let the next `times` calls fail, after `skip` more that succeed."""
        ORDERS.pack_into(self._orders, 0, 0, FILES.index(of), CALLS.index(call), skip, times, error, 0, *self.syncs)
        self._orders[:4] = struct.pack("=i", 1)

    @property
    def failed(self) -> int:
        """The number of calls that have failed since."""
        return int(ORDERS.unpack_from(self._orders)[6])

    @property
    def syncs(self) -> tuple[int, int]:
        """The numbers of successful syncs of the log and of the database."""
        *_, log, database = ORDERS.unpack_from(self._orders)
        return log, database

    def close(self) -> None:
        self._orders.close()


@contextmanager
def failing_disk(folder: Path) -> Iterator[Disk]:
    compiler = shutil.which("cc") or missing("needs a C compiler")
    library = folder / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"], check=True)
    disk = Disk(library, folder / "disk")
    try:
        yield disk
    finally:
        disk.close()
