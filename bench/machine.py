"""The machine and the interpreter of a measurement."""

import os
import platform
import re
import shlex
import sqlite3
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from bench import cpu

DEBIAN = "Debian package"


class Machine(msgspec.Struct):
    """The machine and the versions.

    `fsync_*` is the time of a durable 4 KiB append in the data folder, in ms.
    """

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    python_build: str  # its origin, compiler and optimisations
    sqlite: str
    aiohttp: str
    uvloop: str
    scoreboard: str
    filesystem: str
    fsync_p50_ms: float
    fsync_p99_ms: float
    load_average: float  # of the minute before the run

    @property
    def short(self) -> str:
        """Processor and number of cores, for a file name."""
        name = re.sub(r"\(.*?\)|@.*|\d+-core|processor|cpu", " ", self.processor.lower())
        return re.sub(r"[^a-z0-9]+", "-", f"{name} {self.cores} cores").strip("-")


def describe(folder: Path) -> Machine:
    """Describe this machine. `folder` is where the data will be."""
    p50, p99 = _fsync_ms(folder)
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        python_build=python_build(),
        sqlite=sqlite3.sqlite_version,
        aiohttp=version("aiohttp"),
        uvloop=version("uvloop"),
        scoreboard=version("scoreboard"),
        filesystem=filesystem(folder),
        fsync_p50_ms=p50,
        fsync_p99_ms=p99,
        load_average=round(os.getloadavg()[0], 2),
    )


def python_build() -> str:
    """Return origin, compiler and optimisations of this interpreter.

    Builds differ by up to 1.3 times in speed.
    """
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    origin = build_origin(Path(sys.base_prefix), arguments, sysconfig.get_scheme_names())
    parts = [origin, platform.python_compiler(), optimisations(arguments, origin)]
    if sysconfig.get_config_var("Py_DEBUG"):
        parts.append("debug build")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        parts.append("free-threaded")
    return ", ".join(parts)


def build_origin(prefix: Path, arguments: str, schemes: Sequence[str]) -> str:
    """Return the origin of an interpreter, from its paths and configure arguments."""
    if "deb_system" in schemes:  # a patch of Debian, which its derivatives keep
        return DEBIAN
    if {"pyenv", ".pyenv"} & set(prefix.parts):
        return "pyenv"
    if (prefix / "conda-meta").is_dir():
        return "conda"
    if "--prefix=/install" in arguments:
        return "python-build-standalone"
    return "other build"


def optimisations(arguments: str, origin: str) -> str:
    """Return whether PGO and LTO were used, from the configure arguments."""
    if origin == DEBIAN:  # its packaging passes both to make, and removes them from what the build records
        return "PGO and LTO by its packaging"
    given = shlex.split(arguments)
    pgo = "--enable-optimizations" in given
    lto = any(one.startswith("--with-lto") and not one.endswith("=no") for one in given)
    return f"{'PGO' if pgo else 'no PGO'}, {'LTO' if lto else 'no LTO'}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def filesystem(folder: Path) -> str:
    """Return the type of the filesystem that holds `folder`."""
    best, kind = -1, "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _device, mount, this, *_ = line.split()
        if folder.resolve().is_relative_to(mount) and len(mount) >= best:
            best, kind = len(mount), this
    return kind


def _fsync_ms(folder: Path, count: int = 200) -> tuple[float, float]:
    """Return median and 99th percentile of a durable append, in ms."""
    times = []
    with cpu.pinned(cpu.SERVER_CORE), tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(count):
            file.write(os.urandom(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return round(times[count // 2], 3), round(times[count * 99 // 100], 3)
