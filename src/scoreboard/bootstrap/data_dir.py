"""The data folder: made when absent, and for one process alone where the database is in it."""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scoreboard.adapters.sqlite import database

ADDRESS = "serve.json"
LOCK_TRIES, LOCK_PAUSE_S = 10, 0.05  # a command that looks whether a server runs holds the lock for a moment


class FolderLocked(Exception):
    """Another process has the data folder."""


class FolderUnusable(Exception):
    """The data folder cannot be made, read or written."""


def make(folder: Path) -> None:
    """Raises FolderUnusable."""
    with usable(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The data folder, made if need be, for this process alone."""
    make(folder)
    with usable(folder):
        descriptor = _folder_lock(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _folder_lock(folder: Path) -> int:
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            return database.folder_lock(folder)
        time.sleep(LOCK_PAUSE_S)
    raise FolderLocked(f"another scoreboard is using {folder}; stop it, or choose another folder with --data")


def running(folder: Path) -> bool:
    """Whether a process has the data folder."""
    try:
        os.close(database.folder_lock(folder))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Raises FolderUnusable for what the system or SQLite says of it."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise FolderUnusable(
            f"cannot use the data folder {folder}: {reason.lower()}; choose another with --data"
        ) from error


def write_address(folder: Path, url: str) -> None:
    """Leave the address of this server, for commands."""
    written = folder / f"{ADDRESS}.new"
    written.write_text(json.dumps({"url": url}))
    written.replace(folder / ADDRESS)


def remove_address(folder: Path) -> None:
    (folder / ADDRESS).unlink(missing_ok=True)


def running_url(folder: Path) -> str | None:
    """Return the address of the `serve` that has the folder, None without one: a killed one may have left its own."""
    if not running(folder):
        return None
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(json.loads((folder / ADDRESS).read_text())["url"])
    return None
