"""The exact Mann-Whitney test of launches, and what a whole sweep of such tests may claim.

Nothing is approximated: of all ways to share the pooled values out to the two
sides, those are counted in which the ranks lie as far from the middle as they do.
Equal values get the mean of their ranks, so the count stays exact with ties.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOST = 49  # launches a side of which all ways are counted


def at_most(values: Sequence[float], most: int = _MOST) -> list[float]:
    """Return `values`, or as many of them as can be counted, evenly spread from the least to the greatest.

    What is found with fewer is found with more, so a claim stays true.
    """
    ordered = sorted(values)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(place)] for place in np.linspace(0, len(ordered) - 1, most)]


def exact_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the two-sided p of Mann-Whitney: how often shares of the same values lie as far apart; 1.0 for an empty side."""
    if not one or not other:
        return 1.0
    ranks = _doubled_ranks(np.array([*one, *other], dtype=np.float64))
    size = len(one)
    sums = _shares(ranks, size)
    middle = size * (len(ranks) + 1)  # of doubled ranks
    off = abs(int(ranks[:size].sum()) - middle)
    far = np.abs(np.arange(len(sums)) - middle) >= off
    return float(min(1.0, sums[far].sum()))


def smallest_p(one: int, other: int) -> float:
    """Return the least p that so many launches a side can ever give: 0.1 for three, 4.1e-5 for nine."""
    return min(1.0, 2 / comb(one + other, one))


def launches_needed(tests: int, alpha: float) -> int:
    """Return how many launches a side let one changed point among `tests` be found."""
    launches = 2
    while smallest_p(launches, launches) * max(tests, 1) > alpha:
        launches += 1
    return launches


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """Return p adjusted by Benjamini and Hochberg (1995): claims below q are wrong in at most a share q, on average."""
    count = len(p_values)
    order = sorted(range(count), key=lambda index: p_values[index], reverse=True)
    adjusted = [1.0] * count
    least = 1.0
    for place, index in enumerate(order):
        least = min(least, p_values[index] * count / (count - place))
        adjusted[index] = least
    return adjusted


def _doubled_ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return twice the mean rank of each value: whole numbers, so that sums of them can be counted."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((2 * last - count + 1)[place], dtype=np.int64)


def _shares(ranks: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Return how likely each sum of `size` of the ranks is, all choices being equally likely."""
    total = int(ranks.sum())
    ways = np.zeros((size + 1, total + 1))
    ways[0, 0] = 1.0
    for number, rank in enumerate(ranks.tolist()):
        for taken in range(min(size, number + 1), 0, -1):
            ways[taken, rank:] += ways[taken - 1, : total + 1 - rank]
    found = ways[size]
    return np.asarray(found / found.sum())
