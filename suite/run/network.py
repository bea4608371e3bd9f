"""What the kernel counted on network interfaces: a witness that no library can talk to."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_TABLE = Path("/proc/net/dev")
LOOPBACK = "lo"
_INTERFACES = Path("/sys/class/net")
_BITS = 8_000  # Mbit/s in a GB/s
_SENT = 8  # columns of received figures come first; proc_pid_net(5)


def sent_bytes(table: Path = _TABLE) -> dict[str, int]:
    """Return interface -> bytes sent since it came up, in this network namespace; empty where it cannot be read."""
    try:
        lines = table.read_text("ascii", errors="replace").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines[2:]:
        name, _, figures = line.partition(":")
        columns = figures.split()
        if len(columns) > _SENT and columns[_SENT].isdigit():
            found[name.strip()] = int(columns[_SENT])
    return found


def line_rates(interfaces: Path = _INTERFACES) -> dict[str, float]:
    """Return interface -> GB/s in one direction, of those that report a speed: a virtual one has none, or -1."""
    found = {}
    for speed in sorted(interfaces.glob("*/speed")):
        with suppress(OSError, ValueError):  # EINVAL where it has none, or is down
            megabits = int(speed.read_text("ascii", errors="replace"))
            if megabits > 0:
                found[speed.parent.name] = megabits / _BITS
    return found
