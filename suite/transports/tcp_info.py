"""What the kernel counted on this process's own TCP connections, whoever in it opened them.

A library that opens sockets of its own says nothing of what they carried. Their
descriptors are in this process all the same, so the kernel can be asked about
each: `TCP_INFO` has the bytes that the peer acknowledged and those received.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_BYTES = struct.Struct("=120xQQ")  # include/uapi/linux/tcp.h: tcpi_bytes_acked, tcpi_bytes_received; Linux 4.1
_INFO_BYTES = 256  # room for all that newer kernels add behind


@dataclass(frozen=True)
class Carried:
    """What some connections carried since they were made, in bytes; headers and retransmissions are not counted."""

    connections: int
    acknowledged: int
    received: int


def listening_ports() -> set[int]:
    """Return the TCP ports that this process listens on."""
    return {
        one.getsockname()[1] for one in _tcp_sockets() if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) != 0
    }


def carried() -> int:
    """Return the bytes that all open TCP connections of this process carried, both ways."""
    return sum(map(sum, _counts(lambda _address, _port: True)))


def carried_to(host: str, ports: Collection[int]) -> Carried:
    """Return what this process's open connections to `ports` of `host`, an IP address, carried."""
    wanted = ipaddress.ip_address(host)
    counts = _counts(lambda address, port: port in ports and _plain(address) == wanted)
    return Carried(len(counts), sum(acked for acked, _ in counts), sum(received for _, received in counts))


def _counts(chosen: Callable[[str, int], bool]) -> list[tuple[int, int]]:
    """Return (acknowledged, received) of each connection whose peer is `chosen`."""
    counts: list[tuple[int, int]] = []
    for one in _tcp_sockets():
        with contextlib.suppress(OSError):  # not connected, or closed meanwhile
            if chosen(*one.getpeername()[:2]):
                counts.append(_BYTES.unpack_from(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)))
    return counts


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address itself where a socket of IPv6 talks to one of IPv4."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _tcp_sockets() -> Iterator[socket.socket]:
    """Yield a duplicate of every TCP socket of this process; the descriptors of libraries are left alone."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  names are wanted, not paths
        try:
            duplicate = os.dup(int(name))
        except OSError:  # closed meanwhile
            continue
        try:
            one = socket.socket(fileno=duplicate)
        except OSError:  # not a socket
            os.close(duplicate)
            continue
        with one:
            if one.family in (socket.AF_INET, socket.AF_INET6) and one.type == socket.SOCK_STREAM:
                yield one
