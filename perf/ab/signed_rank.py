"""The exact Wilcoxon signed-rank test of pairs, and the interval that belongs to it.

Of a launch that had both variants the logarithm of B / A is taken. If the variants are
the same code, either could have been called A, so every sign is as likely as its
opposite: p counts the signs under which the ranks lie as far from the middle. The
interval is made of the middles of all pairs of launches (Walsh averages): it holds every
shift that the same test would not reject, so an interval and a p never contradict one
another. A bootstrap over a dozen launches is too short by some percent; this is not, if the ratios of
launches scatter alike to both sides. Nothing is approximated, also with ties.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Shift:
    """The middle of all Walsh averages (Hodges and Lehmann's estimate), and its interval; None for too few pairs."""

    middle: float
    low: float | None
    high: float | None
    confidence: float | None  # what the interval really has: 0.96875 for six pairs


def exact_p(differences: Sequence[float]) -> float:
    """Return the two-sided p of differences of pairs; 1.0 without a difference.

    Equal sizes share their ranks; a difference of nothing has a rank and no sign (Pratt 1959).
    """
    values = np.asarray(differences, dtype=np.float64)
    ranks = _doubled_ranks(np.abs(values))
    signed = values != 0
    ranks, positive = ranks[signed], values[signed] > 0
    if not ranks.size:
        return 1.0
    chances = _sums(tuple(sorted(ranks.tolist())))
    off = abs(2 * int(ranks[positive].sum()) - int(ranks.sum()))
    far = np.abs(2 * np.arange(len(chances)) - int(ranks.sum())) >= off
    return float(min(1.0, chances[far].sum()))


def smallest_p(pairs: int) -> float:
    """Return the least p that so many pairs can ever give: all signs alike, 0.0078 for eight."""
    return min(1.0, 2.0 ** (1 - pairs))


def pairs_needed(tests: int, alpha: float) -> int:
    """Return how many pairs let one changed point among `tests` be found, whatever the others do."""
    pairs = 1
    while smallest_p(pairs) * max(tests, 1) > alpha:
        pairs += 1
    return pairs


def shift(differences: Sequence[float], confidence: float = 0.95) -> Shift:
    """Return by how much pairs differ; at least one pair."""
    values = np.asarray(differences, dtype=np.float64)
    rows, columns = np.triu_indices(len(values))
    averages = np.sort(values[rows] / 2 + values[columns] / 2)
    middle = float(np.median(averages))
    outside, covered = _cut(len(values), confidence)
    if outside is None:
        return Shift(middle, None, None, None)
    return Shift(middle, float(averages[outside]), float(averages[-1 - outside]), covered)


@functools.cache  # every point of a run has as many launches
def _cut(pairs: int, confidence: float) -> tuple[int | None, float | None]:
    """Return how many of the Walsh averages lie outside at each end, and the confidence that this has."""
    chances = _sums(tuple(2 * rank for rank in range(1, pairs + 1)))[::2]
    below = np.cumsum(chances)
    cut = int(np.searchsorted(below, (1 - confidence) / 2, side="right")) - 1
    return (cut, float(1 - 2 * below[cut])) if cut >= 0 else (None, None)


def _doubled_ranks(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return twice the mean rank of each size: whole numbers, so that sums of them can be counted."""
    _, place, count = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((2 * last - count + 1)[place], dtype=np.int64)


@functools.lru_cache(maxsize=64)  # without ties all points of a run share one
def _sums(ranks: tuple[int, ...]) -> NDArray[np.float64]:
    """Return how likely each sum of positive ranks is, every sign being as likely as its opposite."""
    chances = np.ones(1)
    for rank in ranks:
        grown = np.zeros(len(chances) + rank)
        grown[: len(chances)] = chances
        grown[rank:] += chances
        chances = grown / 2
    return chances
