"""Checkup: what of a data folder, and of the settings it is served with, is well and what is not, in plain words."""

import os
import resource
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

from scoreboard.adapters.sqlite.inspection import Inspection, inspect
from scoreboard.bootstrap import backends
from scoreboard.bootstrap.settings import Effective, Settings
from scoreboard.domain import instant

State: TypeAlias = Literal["ok", "warning", "problem"]

GIB = 1 << 30
LEAST_FREE, LITTLE_FREE = GIB // 4, 2 * GIB  # bytes of disk: a problem, and a warning
LARGE_WAL = GIB
CHECKED_BESIDE_A_SERVER = GIB // 4  # bytes of a database that is read whole while a server commits to it
AHEAD_US = 1_000_000  # by which the newest update may be ahead of the clock
RELEASED = 2026
SPARE_FILES = 200  # open files that are no live connections
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# Of file systems: where nothing stays, and where a synced file or a lock may not be what it says.
IN_MEMORY = {"tmpfs", "ramfs"}
OF_A_CONTAINER = {"overlay", "aufs"}
OF_A_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "sshfs", "vboxsf", "virtiofs"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` says what to do about it."""

    check: str
    state: State
    text: str
    remedy: str | None = None


def of_settings(found: list[Effective], settings: Settings) -> Iterator[Finding]:
    given = [one for one in found if one.source != "default"]
    names = ", ".join(f"{one.setting.name} by {one.source}" for one in given)
    yield Finding(
        "settings", "ok", f"{len(given)} of {len(found)} are not the default here{': ' if given else ''}{names}"
    )
    yield from _of_address(settings)
    if settings.log_level == "debug":
        yield Finding("settings", "warning", "log_level is debug: many lines", "set SCOREBOARD_LOG_LEVEL=info")
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < settings.live_connections + SPARE_FILES:
        yield Finding(
            "settings",
            "warning",
            f"live_connections is {settings.live_connections:,}, but a process may open {files:,} files here",
            "raise the limit of open files (ulimit -n, LimitNOFILE), or lower SCOREBOARD_LIVE_CONNECTIONS",
        )


def _of_address(settings: Settings) -> Iterator[Finding]:
    if settings.host not in LOOPBACK:
        yield Finding(
            "settings",
            "warning",
            f"it listens on {settings.host} without TLS: tokens can be read on the way",
            "put a proxy that ends TLS before it, and listen on 127.0.0.1",
        )
    plain = [origin for origin in settings.allowed_origins if origin.startswith("http://")]
    foreign = [origin for origin in plain if origin.split("/")[2].split(":")[0] not in LOOPBACK]
    if foreign:
        yield Finding("settings", "warning", f"pages of {foreign[0]} come without TLS", "use its https:// address")


def of_folder(folder: Path) -> Iterator[Finding]:
    """Of a folder that is there."""
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Finding("folder", "problem", f"others may write to {folder.absolute()}", f"chmod 700 {folder.absolute()}")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            "folder", "problem", f"{folder.absolute()} cannot be read and written", "run it as the folder's owner"
        )
    else:
        yield Finding("folder", "ok", str(folder.absolute()))
    yield from _of_key(folder / backends.KEY)
    yield _of_space(shutil.disk_usage(folder).free)
    yield _of_file_system(file_system(folder))


def _of_key(key: Path) -> Iterator[Finding]:
    if not key.exists():
        return
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(
            "key",
            "problem",
            f"others may read the signing key ({mode:04o}): who has it makes tokens",
            f"chmod 600 {key.absolute()}; if it may have been read, remove it: all tokens end, and new ones are made",
        )
    else:
        yield Finding("key", "ok", f"the signing key is its owner's alone ({mode:04o})")


def _of_space(free: int) -> Finding:
    text = f"{free / GIB:,.1f} GiB free"
    if free < LEAST_FREE:
        return Finding("disk", "problem", f"only {text}: updates will soon be refused", "free some space")
    if free < LITTLE_FREE:
        return Finding("disk", "warning", f"only {text}", "free some space before updates are refused")
    return Finding("disk", "ok", text)


def _of_file_system(kind: str | None) -> Finding:
    if kind in IN_MEMORY:
        return Finding("disk", "problem", f"the folder is in memory ({kind}): a restart loses it all", "choose a disk")
    if kind in OF_A_CONTAINER:
        return Finding(
            "disk",
            "warning",
            f"the folder is in a container's own layer ({kind}) and goes with it",
            "mount a volume there",
        )
    if kind in OF_A_NETWORK or (kind or "").startswith("fuse"):
        return Finding(
            "disk",
            "warning",
            f"the folder is on {kind}: a sync or a lock may not hold there, and a commit could be lost",
            "choose a local disk",
        )
    if sys.platform == "darwin":
        return Finding(
            "disk",
            "warning",
            "on macOS a sync may stay in the drive's cache",
            "do not rely on it for more than development",
        )
    return Finding("disk", "ok", f"the file system ({kind or 'unknown'}) keeps what is synced")


def file_system(folder: Path) -> str | None:
    """Its type, by the mount that the folder is below; None where the system does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    found: tuple[int, str | None] = (-1, None)
    for line in lines:
        before, _, after = line.partition(" - ")
        mounted = Path(before.split()[4].encode().decode("unicode_escape"))
        if folder.resolve().is_relative_to(mounted):
            found = max(found, (len(mounted.parts), after.split()[0]), key=lambda one: one[0])
    return found[1]


def of_store(folder: Path, *, served: bool) -> tuple[list[Finding], bool]:
    """What is found, and whether the store can be opened by this version as it is."""
    path = folder / backends.DATABASE
    if not path.exists():
        return [Finding("store", "ok", "there is none yet; `scoreboard serve` makes it")], False
    check = not served or path.stat().st_size <= CHECKED_BESIDE_A_SERVER
    try:
        store = inspect(path, check=check)
    except (sqlite3.Error, OSError) as error:
        return [Finding("store", "problem", f"it cannot be read: {error}", _RESTORE)], False
    findings = [_of_schema(store), _of_faults(store), _of_durability(store), *_of_log(store), _of_clock(store)]
    return findings, store.version == store.newest and not store.faults


_RESTORE = "stop the server, keep a copy of the folder, and restore a backup"


def _of_schema(store: Inspection) -> Finding:
    text = f"schema {store.version} of {store.newest}, {store.file_bytes / 2**20:,.1f} MiB"
    if store.version > store.newest:
        return Finding("store", "problem", f"{text}: a newer Scoreboard made it", "run that version")
    if store.version < store.newest:
        return Finding("store", "warning", text, "scoreboard migrate (`serve` does so, too)")
    return Finding("store", "ok", text)


def _of_faults(store: Inspection) -> Finding:
    if store.faults is None:
        return Finding(
            "store", "ok", "too large to be read whole while a server runs: run this again when it is stopped"
        )
    if store.faults:
        return Finding("store", "problem", f"it is damaged: {'; '.join(store.faults)}", _RESTORE)
    return Finding("store", "ok", "SQLite finds no fault in it")


def _of_durability(store: Inspection) -> Finding:
    if store.journal_mode != "wal" or store.synchronous < 2:
        text = f"journal {store.journal_mode}, synchronous {store.synchronous}: a commit may be lost with the power"
        return Finding("store", "problem", text, "let nothing else change the settings of the database")
    return Finding("store", "ok", "a commit is on the disk before it is answered (write-ahead log, synchronous FULL)")


def _of_log(store: Inspection) -> Iterator[Finding]:
    if store.wal_bytes > LARGE_WAL:
        yield Finding(
            "store",
            "warning",
            f"the write-ahead log has {store.wal_bytes / GIB:,.1f} GiB: something reads the database for a long time",
            "end other programs that have it open (lsof), or restart the server",
        )


def _of_clock(store: Inspection) -> Finding:
    now = time.time_ns() // 1_000
    ahead = store.latest_instant - now
    if datetime.fromtimestamp(now / 1e6, UTC).year < RELEASED:
        return Finding("clock", "problem", f"it is {instant.to_text(now)} by the clock", "set it, and keep it by NTP")
    if ahead > AHEAD_US:
        return Finding(
            "clock",
            "problem",
            f"the newest update is {ahead / 1e6:,.0f} s ahead of the clock: new ones get later instants than they have",
            "set the clock, and keep it by NTP",
        )
    return Finding("clock", "ok", "the clock is not behind the newest update")
