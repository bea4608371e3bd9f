"""What the kernel counted on network interfaces: a witness that no library can talk to."""

from __future__ import annotations

from pathlib import Path

_TABLE = Path("/proc/net/dev")
LOOPBACK = "lo"
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
