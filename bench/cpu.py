"""Cores, processor time and memory of processes, from the kernel's counters."""

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
priority = 0  # the nice value of the product and of the load
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Start processes on one core, at `priority`, while the context is open."""
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
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue  # the process has ended
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def cpu_ns(pids: list[int]) -> int:
    """Return the processor time of processes and all their threads so far, in ns."""
    return sum(_process_ns(pid) for pid in pids)


Used: TypeAlias = dict[str, dict[int, int]]
"""Processor time so far in ns, by family and process."""


def families_ns(first: Mapping[str, int]) -> Used:
    """Return the processor time of processes and their descendants, by name."""
    used: Used = {}
    for name, leader in first.items():
        used[name] = {}
        for pid in family(leader):
            with suppress(OSError):  # the process has ended
                used[name][pid] = _process_ns(pid)
    return used


def since(before: Used, now: Used) -> dict[str, int]:
    """Return the ns used since `before`, by family.

    Processes that have ended, such as vacuum workers, are left out.
    """
    return {
        name: sum(ns - before[name].get(pid, 0) for pid, ns in processes.items()) for name, processes in now.items()
    }


def spread(pids: list[int], cores: list[int]) -> None:
    """Move these processes to `cores`; processes that they start later inherit this."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def _process_ns(pid: int) -> int:
    threads = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            threads += int((thread / "schedstat").read_bytes().split()[0])
        except OSError:
            continue  # the thread has ended
    # The clock of the whole process (see clock_getcpuclockid(3)) also includes threads that have ended.
    return max(threads, time.clock_gettime_ns((~pid << 3) | 2))


def memory_kb(pids: list[int], field: str = "VmRSS") -> int:
    """Return the memory of processes in KiB: VmRSS is current, VmHWM the peak."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                total += int(line.split()[1])
    return total


class CoreTime(msgspec.Struct, frozen=True):
    """The time of one core by state so far, in seconds."""

    busy: float
    idle: float
    stolen: float

    @classmethod
    def now(cls, core: int) -> "CoreTime":
        """Return the counters of a core. The kernel counts in ticks of about 10 ms."""
        for line in Path("/proc/stat").read_text().splitlines():
            name, *fields = line.split()
            if name == f"cpu{core}":
                user, nice, system, idle, iowait, irq, softirq, steal = (int(f) / _TICKS for f in fields[:8])
                return cls(user + nice + system + irq + softirq, idle + iowait, steal)
        return cls(0, 0, 0)

    def busy_since(self, before: "CoreTime") -> float:
        """Return the share of the time since `before` in which the core was busy."""
        idle = self.idle - before.idle
        whole = self.busy - before.busy + self.stolen - before.stolen + idle
        return 1 - idle / whole if whole else 0.0
