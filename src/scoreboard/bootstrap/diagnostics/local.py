"""Findings about the settings and the data folder of this machine."""

import os
import resource
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from scoreboard.adapters.sqlite.diagnostics import diagnose_store
from scoreboard.adapters.sqlite.plugin import FILE
from scoreboard.application.ports.diagnostics import Finding
from scoreboard.bootstrap import keys
from scoreboard.bootstrap.settings import Effective, Settings

GIB = 1 << 30
LEAST_FREE, LITTLE_FREE = GIB // 4, 2 * GIB  # bytes of disk: a problem, and a warning
SPARE_FILES = 200  # open files that are no live connections
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# Of file systems: where nothing stays, and where a synced file or a lock may not be what it says.
IN_MEMORY = {"tmpfs", "ramfs"}
OF_A_CONTAINER = {"overlay", "aufs"}
OF_A_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "sshfs", "vboxsf", "virtiofs"}


def diagnose_settings(found: list[Effective], settings: Settings) -> Iterator[Finding]:
    given = [one for one in found if one.source != "default"]
    names = ", ".join(f"{one.setting.name} by {one.source}" for one in given)
    yield Finding(
        "settings", "ok", f"{len(given)} of {len(found)} are not the default here{': ' if given else ''}{names}"
    )
    yield from _address(settings)
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


def _address(settings: Settings) -> Iterator[Finding]:
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


def diagnose_data_dir(folder: Path, *, served: bool) -> tuple[list[Finding], bool]:
    """Look at a folder that exists and the database in it.

    Returns the findings, and whether this version can open the database without changing it.
    """
    store, sound = diagnose_store(folder / FILE, served=served)
    return [*check_folder(folder), *store], sound


def check_folder(folder: Path) -> Iterator[Finding]:
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Finding("folder", "problem", f"others may write to {folder.absolute()}", f"chmod 700 {folder.absolute()}")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            "folder", "problem", f"{folder.absolute()} cannot be read and written", "run it as the folder's owner"
        )
    else:
        yield Finding("folder", "ok", str(folder.absolute()))
    yield from _key(folder / keys.FILE)
    yield check_space(shutil.disk_usage(folder).free)
    yield check_file_system(file_system(folder))


def _key(key: Path) -> Iterator[Finding]:
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


def check_space(free: int) -> Finding:
    text = f"{free / GIB:,.1f} GiB free"
    if free < LEAST_FREE:
        return Finding("disk", "problem", f"only {text}: updates will soon be refused", "free some space")
    if free < LITTLE_FREE:
        return Finding("disk", "warning", f"only {text}", "free some space before updates are refused")
    return Finding("disk", "ok", text)


def check_file_system(kind: str | None) -> Finding:
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
    """Return the type of the folder's file system; None where the operating system does not say."""
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
