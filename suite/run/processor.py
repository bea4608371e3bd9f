"""What a process used of the processors, and what others kept it from using: clocks of the kernel, read beside a window.

Linux only. Nothing is read in a timed region: a reading takes some microseconds.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

_STAT = Path("/proc/stat")
_SCHEDSTAT = Path("/proc/self/schedstat")
_STEAL = 8  # column of the line "cpu": proc_stat(5)
_NS = 1_000_000_000


@dataclass(frozen=True)
class Reading:
    """The clocks of this process: ns, all its threads unless said otherwise."""

    wall_ns: int
    cpu_ns: int  # user and system
    system_ns: int  # the kernel's estimate of how much of it was its own
    waited_ns: int | None  # the main thread was ready and had no processor; None where the kernel does not count it
    switches: int  # a processor was taken away, or given up to another that wanted it

    def since(self, before: Reading) -> dict[str, int | None]:
        """Return what was added since `before`, as plain JSON values."""
        waited = None if self.waited_ns is None or before.waited_ns is None else self.waited_ns - before.waited_ns
        return {
            "wall_ns": self.wall_ns - before.wall_ns,
            "cpu_ns": self.cpu_ns - before.cpu_ns,
            "system_ns": self.system_ns - before.system_ns,
            "waited_ns": waited,
            "switches": self.switches - before.switches,
        }


def read() -> Reading:
    """Read the clocks of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    waited = _waited_ns()
    return Reading(
        wall_ns=time.perf_counter_ns(),
        cpu_ns=time.process_time_ns(),
        system_ns=round(used.ru_stime * _NS),
        waited_ns=waited,
        switches=used.ru_nivcsw,
    )


def stolen_ns(table: Path = _STAT) -> int:
    """Return what a hypervisor has taken from all processors since the start; 0 where that is not told. Counted in ticks of 10 ms."""
    try:
        columns = table.read_text("ascii", errors="replace").split("\n", 1)[0].split()
    except OSError:
        return 0
    if len(columns) <= _STEAL or columns[0] != "cpu" or not columns[_STEAL].isdigit():
        return 0
    return int(columns[_STEAL]) * _NS // os.sysconf("SC_CLK_TCK")


def _waited_ns(file: Path = _SCHEDSTAT) -> int | None:
    """Return how long the main thread has waited for a processor; the kernel's Documentation/scheduler/sched-stats.rst."""
    try:
        columns = file.read_text("ascii", errors="replace").split()
    except OSError:
        return None
    return int(columns[1]) if len(columns) > 1 and columns[1].isdigit() else None
