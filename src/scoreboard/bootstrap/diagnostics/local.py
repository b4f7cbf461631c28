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
PROBLEM_BELOW, WARNING_BELOW = GIB // 4, 2 * GIB  # free bytes of disk
SPARE_FILES = 200  # open files besides live connections
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# File systems that lose data at a restart, or on which a sync or a lock may not hold.
MEMORY = {"tmpfs", "ramfs"}
CONTAINER = {"overlay", "aufs"}
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "sshfs", "vboxsf", "virtiofs"}


def diagnose_settings(values: list[Effective], settings: Settings) -> Iterator[Finding]:
    changed = [value for value in values if value.source != "default"]
    sources = ", ".join(f"{value.setting.name} ({value.source})" for value in changed) or "none"
    yield Finding("settings", "ok", f"{len(changed)} of {len(values)} differ from the default: {sources}")
    yield from _address(settings)
    if settings.log_level == "debug":
        yield Finding(
            "settings", "warning", "log_level is debug, which logs many lines", "set SCOREBOARD_LOG_LEVEL=info"
        )
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < settings.live_connections + SPARE_FILES:
        yield Finding(
            "settings",
            "warning",
            f"live_connections is {settings.live_connections:,}, but a process may open only {files:,} files",
            "raise the limit on open files (ulimit -n, LimitNOFILE), or lower SCOREBOARD_LIVE_CONNECTIONS",
        )


def _address(settings: Settings) -> Iterator[Finding]:
    if settings.host not in LOOPBACK:
        yield Finding(
            "settings",
            "warning",
            f"the service listens on {settings.host} without TLS: tokens can be read on the network",
            "put a proxy that terminates TLS in front of it, and listen on 127.0.0.1",
        )
    plain = [origin for origin in settings.allowed_origins if origin.startswith("http://")]
    foreign = [origin for origin in plain if origin.split("/")[2].split(":")[0] not in LOOPBACK]
    if foreign:
        text = f"the allowed origin {foreign[0]} does not use TLS"
        yield Finding("settings", "warning", text, "allow its https:// origin")


def diagnose_data_dir(folder: Path, *, served: bool) -> tuple[list[Finding], bool]:
    """Diagnose an existing data folder and its database.

    Returns the findings, and whether this version can open the database without changing it.
    """
    store, sound = diagnose_store(folder / FILE, served=served)
    return [*check_folder(folder), *store], sound


def check_folder(folder: Path) -> Iterator[Finding]:
    folder = folder.absolute()
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Finding("folder", "problem", f"other users can write to {folder}", f"chmod 700 {folder}")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("folder", "problem", f"you cannot read and write {folder}", "run as the owner of the folder")
    else:
        yield Finding("folder", "ok", str(folder))
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
            f"other users can read the signing key ({mode:04o}) and could issue tokens",
            f"chmod 600 {key}; if someone may have read it, remove it, which invalidates all tokens",
        )
    else:
        yield Finding("key", "ok", f"only its owner can read the signing key ({mode:04o})")


def check_space(free: int) -> Finding:
    text = f"{free / GIB:,.1f} GiB free"
    if free < PROBLEM_BELOW:
        return Finding("disk", "problem", f"only {text}: updates will soon be refused", "free some space")
    if free < WARNING_BELOW:
        return Finding("disk", "warning", f"only {text}", "free some space before updates are refused")
    return Finding("disk", "ok", text)


def check_file_system(kind: str | None) -> Finding:
    if kind in MEMORY:
        return Finding("disk", "problem", f"the folder is in memory ({kind}): a restart loses its data", "use a disk")
    if kind in CONTAINER:
        text = f"the folder is in a container's writable layer ({kind}) and is deleted with the container"
        return Finding("disk", "warning", text, "mount a volume at this folder")
    if kind in NETWORK or (kind or "").startswith("fuse"):
        text = f"the folder is on {kind}, where a sync or a lock may not hold, and a commit could be lost"
        return Finding("disk", "warning", text, "use a folder on a local disk")
    if sys.platform == "darwin":
        text = "on macOS, synced data may remain in the drive's cache"
        return Finding("disk", "warning", text, "use macOS for development only")
    return Finding("disk", "ok", f"this file system ({kind or 'unknown'}) is suitable")


def file_system(folder: Path) -> str | None:
    """Return the type of the folder's file system, or None if unknown."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    found: tuple[int, str | None] = (-1, None)
    for line in lines:
        before, _, after = line.partition(" - ")
        mounted = Path(before.split()[4].encode().decode("unicode_escape"))
        if folder.resolve().is_relative_to(mounted):
            found = max(found, (len(mounted.parts), after.split()[0]), key=lambda entry: entry[0])
    return found[1]
