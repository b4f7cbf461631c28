"""The data folder, which one process at a time may lock."""

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
LOCK_TRIES, LOCK_PAUSE_S = 10, 0.05  # `is_locked` holds the lock for a moment


class FolderLocked(Exception):
    """Error: another process has locked the data folder."""


class FolderUnusable(Exception):
    """Error: the data folder cannot be created, read or written."""


def create(folder: Path) -> None:
    """Create the folder if it is absent. Raises FolderUnusable."""
    with translate_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Lock the data folder, created if absent. Raises FolderLocked and FolderUnusable."""
    create(folder)
    with translate_errors(folder):
        descriptor = _acquire_lock(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire_lock(folder: Path) -> int:
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            return database.folder_lock(folder)
        time.sleep(LOCK_PAUSE_S)
    raise FolderLocked(f"another process is using the data folder {folder}; stop it, or choose another with --data")


def is_locked(folder: Path) -> bool:
    """Return whether a process has locked the data folder."""
    try:
        os.close(database.folder_lock(folder))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def translate_errors(folder: Path) -> Iterator[None]:
    """Raise FolderUnusable for errors of the operating system or SQLite."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise FolderUnusable(
            f"cannot use the data folder {folder}: {reason.lower()}; choose another with --data"
        ) from error


def write_address(folder: Path, url: str) -> None:
    """Write the address of this server, for commands."""
    temporary = folder / f"{ADDRESS}.new"
    temporary.write_text(json.dumps({"url": url}))
    temporary.replace(folder / ADDRESS)


def remove_address(folder: Path) -> None:
    (folder / ADDRESS).unlink(missing_ok=True)


def running_url(folder: Path) -> str | None:
    """Return the address of the server that uses the folder, or None."""
    if not is_locked(folder):  # a killed server leaves its address behind
        return None
    with contextlib.suppress(OSError, ValueError, KeyError):
        return str(json.loads((folder / ADDRESS).read_text())["url"])
    return None
