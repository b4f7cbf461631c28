"""A disk that fails below SQLite, in a real process: `disk.c`, compiled, and what it is told."""

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
POWER = 0  # in the place of an error: the power is cut


class Disk:
    """`environment` gives a process this disk. A sync that fails drops what it was to keep."""

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
        """After `skip` more such calls the next `times` fail."""
        ORDERS.pack_into(self._orders, 0, 0, FILES.index(of), CALLS.index(call), skip, times, error, 0, *self.syncs)
        self._orders[:4] = struct.pack("=i", 1)

    @property
    def failed(self) -> int:
        """How many calls have failed since."""
        return int(ORDERS.unpack_from(self._orders)[6])

    @property
    def syncs(self) -> tuple[int, int]:
        """How often the log and the database were synced with success."""
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
