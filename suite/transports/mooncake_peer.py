"""What a Mooncake engine's peer says of itself: where it is dialled and what it has registered. It may be anyone."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import TransferFailed
from suite.kv.plan import ADDRESS, LENGTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_MOST_REGIONS, _MOST_PORTS = 4096, 64
_REACH_S = 1.0


@dataclass(frozen=True)
class Peer:
    """Where a peer is, and what it has registered: shape (n, 2), address and bytes."""

    host: str
    port: int
    data_ports: tuple[int, ...]
    regions: NDArray[np.uint64]

    @property
    def name(self) -> str:
        """Return the peer as engines name each other."""
        return f"{self.host}:{self.port}"

    @classmethod
    def told(cls, name: str, told: Mapping[str, Any]) -> Peer:
        """Return what a peer's metadata says, every field checked; raises `TransferFailed`."""
        try:
            host = str(ipaddress.IPv4Address(_a(str, told["host"])))
            port = _number(told["port"], 1, 1 << 16)
            ports = tuple(_number(one, 1, 1 << 16) for one in _short(told["data_ports"], _MOST_PORTS))
            pairs = [_short(one, 2) for one in _short(told["regions"], _MOST_REGIONS)]
            regions = [(_number(address, 0, 1 << 63), _number(nbytes, 1, 1 << 63)) for address, nbytes in pairs]
        except (KeyError, TypeError, ValueError) as error:
            raise TransferFailed(
                "bad-metadata", f"metadata of {name!r} is not that of mooncake:tcp: {error!a:.200}"
            ) from error
        return cls(host, port, ports, rows_of(regions))

    def reachable(self) -> bool:
        """Tell whether anything accepts a connection there; a stopped process still does."""
        try:
            with socket.create_connection((self.host, self.port), _REACH_S):
                return True
        except OSError:
            return False


def rows_of(regions: Sequence[tuple[int, int]]) -> NDArray[np.uint64]:
    """Return (address, bytes) pairs as shape (n, 2), also where there are none."""
    return np.array(regions, np.uint64).reshape(-1, 2)


def require_inside(rows: NDArray[np.uint64], regions: NDArray[np.uint64], owner: str) -> None:
    """Refuse a row of (address, length, device) that is not wholly in one region; Mooncake itself checks one side only."""
    addresses, lengths = rows[:, ADDRESS], rows[:, LENGTH]
    inside = np.zeros(len(rows), bool)
    for start, nbytes in regions:
        offsets = addresses - start  # of a row before the region it wraps around
        inside |= (addresses >= start) & (lengths <= nbytes) & (offsets <= nbytes - np.minimum(lengths, nbytes))
    if not inside.all():
        address, nbytes, _ = rows[~inside][0].tolist()
        raise TransferFailed(
            "not-registered", f"mooncake:tcp: {nbytes} bytes at {address:#x} are in no region of {owner}'s"
        )


def _a(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{value!r:.60} where a {kind.__name__} is expected")
    return value


def _number(value: Any, low: int, below: int) -> int:
    if not low <= _a(int, value) < below:
        raise ValueError(f"{value!r:.60} is not from {low} to {below - 1}")
    return int(value)


def _short(value: Any, most: int) -> list[Any]:
    if len(_a(list, value)) > most:
        raise ValueError(f"more than {most} entries")
    return list(value)
