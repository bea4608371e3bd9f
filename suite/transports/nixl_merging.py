"""How many descriptors NIXL posts: what `make_prepped_xfer` makes of two prepared lists.

Seen with 1.5.1, against its own telemetry. Each prepared list is first cut,
greedily and on its own, into runs of equally long rows at one constant stride.
Neighbouring rows are then joined where they touch on both sides, but never
across a cut: of the blocks 0, 2 and 3 the stride of two takes 0 and 2, and 3
stays alone. So a plan may post more descriptors than `Plan.merged` has rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from suite.kv.plan import ADDRESS, LENGTH

if TYPE_CHECKING:
    from numpy.typing import NDArray


def merged_lengths(here: NDArray[np.uint64], there: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the bytes of each descriptor that is posted for rows `here` and `there`, shape (N, 3) each."""
    lengths = here[:, LENGTH].astype(np.int64)
    if not len(lengths):
        return lengths
    apart = np.zeros(len(lengths) - 1, np.bool_)
    for table in (here, there):
        starts = table[:, ADDRESS].astype(np.int64)
        apart |= (starts[:-1] + lengths[:-1] != starts[1:]) | _cuts(starts, lengths)
    return np.add.reduceat(lengths, np.flatnonzero(np.concatenate(([True], apart))))


def _cuts(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each row but the first whether a run of constant stride begins at it."""
    strides = np.diff(starts)
    regular = (lengths[1:] == lengths[:-1]) & (strides >= lengths[:-1]) & (strides > 0)
    cuts: NDArray[np.bool_] = ~regular
    if not len(strides):
        return cuts
    strides[~regular] = 0
    first = np.flatnonzero(np.concatenate(([True], strides[1:] != strides[:-1])))  # of steps of one stride
    count = np.diff(np.append(first, len(strides)))
    cuts[first[_taken(regular[first], count) & regular[first]]] = True
    return cuts


def _taken(regular: NDArray[np.bool_], count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each series of equal steps whether the run before it ends on its first step.

    A run takes the rows on both ends of its steps, so the step to the next row
    is lost to the series after it. A series of one step that has lost it makes
    no run and takes none: in a chain of such series every second loses its step.
    """
    number = np.arange(len(count))
    anchor = np.maximum.accumulate(np.where(regular & (count == 1), -1, number))  # the last that is not of one step
    runs = np.where(anchor < 0, False, regular[anchor])  # noqa: FBT003  the value of an element
    takes = runs ^ ((number - anchor) % 2 == 1)
    return np.concatenate(([False], takes[:-1]))
