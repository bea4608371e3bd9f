"""Which memory a plan's rows lie in, and where the driver of this process finds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import TransferFailed, Unsupported
from suite.kv.plan import ADDRESS, LENGTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from suite.memory.driver import Context


@dataclass(frozen=True)
class Stretch:
    """Memory of either side: its owner's address, and where it is in this process."""

    kind: str
    address: int
    nbytes: int
    here: int = 0
    context: Context | None = None  # in which it is mapped; None for host memory
    refusal: tuple[str, str] = ("", "")  # why no copy can reach it, and what to do


Place = tuple[int, Stretch]  # an address in this process, and the memory it is in


def located(rows: NDArray[np.uint64], stretches: Sequence[Stretch], owner: str) -> list[Place]:
    """Return for each row of (address, length, device), in its owner's addresses, its place in this process.

    Raises `TransferFailed` for a row that is not wholly inside one stretch,
    `Unsupported` for one in memory that cannot be reached.
    """
    known = sorted(stretches, key=lambda one: one.address) or [Stretch("host", 0, 0)]
    starts, sizes, here = (
        np.array([getattr(one, name) for one in known], np.uint64) for name in ("address", "nbytes", "here")
    )
    index = np.searchsorted(starts, rows[:, ADDRESS], side="right") - 1
    offsets, lengths = rows[:, ADDRESS] - starts[index], rows[:, LENGTH]
    # a difference that wraps around is of a row that one of the first two conditions refuses
    outside = (index < 0) | (lengths > sizes[index]) | (offsets > sizes[index] - lengths)
    if outside.any():
        address, nbytes, _ = rows[outside][0].tolist()
        raise TransferFailed("not-registered", f"copy: {nbytes} bytes at {address:#x} are in no region of {owner}'s")
    for at in np.unique(index).tolist():
        reason, hint = known[at].refusal
        if reason:
            raise Unsupported("unsupported", f"copy: {reason} ({owner}'s)", hint)
    return list(zip((here[index] + offsets).tolist(), [known[at] for at in index.tolist()], strict=True))
