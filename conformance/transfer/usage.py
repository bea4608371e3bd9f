"""What a process holds of the machine, from /proc: to be compared before and after."""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path


def usage() -> dict[str, int]:
    """Return open file descriptors, threads, and bytes of resident anonymous memory."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's: memory that is free is not held, and hides a leak
    if trim:
        trim(0)
    status = Path("/proc/self/status").read_text("ascii", errors="replace")
    told = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208  a count, not paths
        "threads": int(told["Threads"]),
        "bytes": int(told["RssAnon"].split()[0]) << 10,
    }
