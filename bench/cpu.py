"""Cores, processor time and memory of processes, as the kernel counts them."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import msgspec

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORE = CORES[1] if len(CORES) > 1 else CORES[0]
priority = 0  # the nice value of what is measured and of the load
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Whatever is started inside runs on `core` alone, at `priority`, from its first instruction."""
    cores, nice = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    os.sched_setaffinity(0, {core})
    try:
        if priority:
            os.setpriority(os.PRIO_PROCESS, 0, priority)
        yield
    finally:
        os.sched_setaffinity(0, cores)
        if priority:
            os.setpriority(os.PRIO_PROCESS, 0, nice)


def family(pid: int) -> list[int]:
    """`pid` and every process that descends from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue  # it ended meanwhile
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def cpu_ns(pids: list[int]) -> int:
    """Processor time of these processes so far, all threads, in nanoseconds of the scheduler's clock."""
    return sum(_process_ns(pid) for pid in pids)


Used: TypeAlias = dict[str, dict[int, int]]
"""Processor time so far in ns, by family and process."""


def families_ns(first: Mapping[str, int]) -> Used:
    """Of these processes and their descendants, those that there are now."""
    used: Used = {}
    for name, leader in first.items():
        used[name] = {}
        for pid in family(leader):
            with suppress(OSError):  # it ended meanwhile
                used[name][pid] = _process_ns(pid)
    return used


def since(before: Used, now: Used) -> dict[str, int]:
    """Nanoseconds by family; without what processes took that have ended, such as PostgreSQL's short-lived cleaners."""
    return {
        name: sum(ns - before[name].get(pid, 0) for pid, ns in processes.items()) for name, processes in now.items()
    }


def spread(pids: list[int], cores: list[int]) -> None:
    """Let these processes, and what they start from now on, run on `cores`."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def _process_ns(pid: int) -> int:
    threads = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            threads += int((thread / "schedstat").read_bytes().split()[0])
        except OSError:
            continue  # the thread ended meanwhile
    # The same clock read for the whole process (see clock_getcpuclockid(3)) also holds the threads that have ended.
    return max(threads, time.clock_gettime_ns((~pid << 3) | 2))


def memory_kb(pids: list[int], field: str = "VmRSS") -> int:
    """Resident memory of these processes in KiB; `field` is VmRSS (now) or VmHWM (the most it ever was)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                total += int(line.split()[1])
    return total


class CoreTime(msgspec.Struct, frozen=True):
    """What one core did so far, in seconds."""

    busy: float
    idle: float
    stolen: float

    @classmethod
    def now(cls, core: int) -> "CoreTime":
        """Read it for `core`; the kernel counts in ticks of about 10 ms."""
        for line in Path("/proc/stat").read_text().splitlines():
            name, *fields = line.split()
            if name == f"cpu{core}":
                user, nice, system, idle, iowait, irq, softirq, steal = (int(f) / _TICKS for f in fields[:8])
                return cls(user + nice + system + irq + softirq, idle + iowait, steal)
        return cls(0, 0, 0)

    def busy_since(self, before: "CoreTime") -> float:
        """Share of the time since `before` in which the core was not idle, 0 to 1."""
        idle = self.idle - before.idle
        whole = self.busy - before.busy + self.stolen - before.stolen + idle
        return 1 - idle / whole if whole else 0.0
