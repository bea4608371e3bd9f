"""Transfer plans: which source bytes go to which destination bytes, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from suite.kv.pool import Pool

ADDRESS, LENGTH, DEVICE = range(3)
_TRIES = 100


@dataclass(frozen=True)
class Plan:
    """Row i of `source` goes to row i of `destination`.

    Both have shape (N, 3): address (or file offset), length in bytes, device
    (CUDA ordinal, file descriptor, 0 for host), C-contiguous uint64 as NIXL
    takes them. Lengths are equal row by row.
    """

    source: NDArray[np.uint64]
    destination: NDArray[np.uint64]
    logical_bytes: int
    padded_bytes: int
    wire_bytes: int

    def __len__(self) -> int:
        return len(self.source)

    def merged(self) -> Plan:
        """Join neighbouring rows that are contiguous on both sides, as NIXL does for prepared transfers."""
        if not len(self):
            return self
        starts = np.flatnonzero(np.concatenate(([True], ~_follows(self.source) | ~_follows(self.destination))))
        lengths = np.add.reduceat(self.source[:, LENGTH], starts)
        return Plan(
            _with_lengths(self.source[starts], lengths),
            _with_lengths(self.destination[starts], lengths),
            self.logical_bytes,
            self.padded_bytes,
            self.wire_bytes,
        )


def rows(
    source: NDArray[np.uint64],
    destination: NDArray[np.uint64],
    nbytes: int,
    *,
    source_device: int = 0,
    destination_device: int = 0,
    logical_bytes: int | None = None,
) -> Plan:
    """Return a plan of equally long rows from two arrays of addresses, shape (N,)."""
    wire = len(source) * nbytes
    return Plan(
        _table(source, nbytes, source_device),
        _table(destination, nbytes, destination_device),
        wire if logical_bytes is None else logical_bytes,
        wire,
        wire,
    )


def kv_plan(
    source: Pool,
    destination: Pool,
    tables: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    unit: str,
    tokens: int,
    shuffle: np.random.Generator | None = None,
) -> Plan:
    """Return the plan that hands over one request's blocks in descriptors of `unit`; see `kv_addresses`."""
    addresses = kv_addresses((source, destination), tables, unit=unit, shuffle=shuffle)
    return rows(
        addresses[0],
        addresses[1],
        source.layout.unit_bytes(unit),
        source_device=source.device,
        destination_device=destination.device,
        logical_bytes=source.layout.logical_bytes(tokens),
    )


def kv_addresses(
    pools: Sequence[Pool],
    tables: Sequence[NDArray[np.int64]],
    *,
    unit: str,
    shuffle: np.random.Generator | None = None,
) -> list[NDArray[np.uint64]]:
    """Return the address of every descriptor of one request in each of its pools, shape (N,) each, row by row.

    `tables` are the block tables, shape (B,): block `tables[0][i]` of the first pool
    goes to block `tables[1][i]` of the next, and so on, so the KV cache arrives where
    decode will look for it. `shuffle` puts the rows in a random order in which no two
    neighbours are contiguous, so nothing merges (with a handful of rows there may be
    no such order).
    """
    addresses = [pool.unit_addresses(table, unit) for pool, table in zip(pools, tables, strict=True)]
    if shuffle is not None:
        order = _apart(addresses, pools[0].layout.unit_bytes(unit), shuffle)
        addresses = [side[order] for side in addresses]
    return addresses


def _apart(addresses: Sequence[NDArray[np.uint64]], nbytes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random order of rows; chance neighbours (about one in a plan) are swapped away."""
    order = rng.permutation(len(addresses[0]))
    for _ in range(_TRIES):
        follows = [side[order[:-1]] + np.uint64(nbytes) == side[order[1:]] for side in addresses]
        hops = [one & other for one, other in pairwise(follows)]
        joined = np.flatnonzero(np.logical_or.reduce(hops)) + 1
        if not len(joined):
            break
        for row, other in zip(joined, rng.integers(len(order), size=len(joined)), strict=True):
            order[[row, other]] = order[[other, row]]
    return np.asarray(order)


def _table(addresses: NDArray[np.uint64], nbytes: int, device: int) -> NDArray[np.uint64]:
    table = np.empty((len(addresses), 3), np.uint64)
    table[:, ADDRESS] = addresses
    table[:, LENGTH] = nbytes
    table[:, DEVICE] = device
    return table


def _follows(table: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell for each row but the first whether it starts where the one before ends, on the same device."""
    ends = table[:-1, ADDRESS] + table[:-1, LENGTH]
    same_device = table[:-1, DEVICE] == table[1:, DEVICE]
    return np.asarray((ends == table[1:, ADDRESS]) & same_device)


def _with_lengths(table: NDArray[np.uint64], lengths: NDArray[np.uint64]) -> NDArray[np.uint64]:
    merged = np.ascontiguousarray(table)
    merged[:, LENGTH] = lengths
    return merged
