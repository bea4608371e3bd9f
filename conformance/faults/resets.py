"""Reset the TCP connections of another process, without its help and without privileges.

`pidfd_getfd` gives us its sockets, and `connect` to an address of no family takes a connection
down with a RST (tcp(7), connect(2)). The process has to be one that we may trace: our own child.
"""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

_PIDFD_GETFD = 438  # the same number on every architecture
_SOCKADDR_BYTES = 16


def reset(pid: int) -> int:
    """Reset every TCP connection of a process; return how many it had."""
    libc = ctypes.CDLL(None, use_errno=True)
    nowhere = (ctypes.c_ubyte * _SOCKADDR_BYTES)()  # AF_UNSPEC is 0
    count = 0
    process = os.pidfd_open(pid)
    try:
        for number in _sockets(pid):
            descriptor = libc.syscall(_PIDFD_GETFD, process, number, 0)
            if descriptor < 0:
                continue
            with socket.socket(fileno=descriptor) as one:
                if _connected(one):
                    count += libc.connect(one.fileno(), nowhere, _SOCKADDR_BYTES) == 0
    finally:
        os.close(process)
    return count


def _sockets(pid: int) -> list[int]:
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if str(entry.readlink()).startswith("socket:"):
                found.append(int(entry.name))
        except OSError:  # closed meanwhile
            continue
    return found


def _connected(one: socket.socket) -> bool:
    if one.family not in {socket.AF_INET, socket.AF_INET6} or one.type != socket.SOCK_STREAM:
        return False
    try:
        one.getpeername()
    except OSError:  # it listens, or is in between
        return False
    return True
