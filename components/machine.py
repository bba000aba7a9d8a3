"""What this process may use: the container's share of cores and memory, or else all that the machine has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MEMORY = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
# Each holds a quota of microseconds and its period, in one file or in two.
CPU = (
    ("/sys/fs/cgroup/cpu.max",),
    ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)


def memory_limit() -> int:
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in MEMORY:
        with suppress(OSError, ValueError):  # ValueError: "max", which is no limit
            limits.append(int(Path(path).read_text()))
    return min(limits)


def cores() -> int:
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for paths in CPU:
        with suppress(OSError, ValueError):
            quota, period = map(int, " ".join(Path(path).read_text() for path in paths).split())
            if quota > 0:  # -1 is no limit
                found = min(found, max(1, quota // period))
    return found


def processes(each: int) -> int:
    """How many may work side by side, if each has to have room for so many bytes."""
    return max(1, min(cores(), memory_limit() // each))
