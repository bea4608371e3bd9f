"""The ratio of two medians over launches with its bootstrap interval, without drawing: every resample is counted.

A resample's median can only be one of few values, and how likely each is follows from
the binomial distribution (Hutson and Ernst, J. R. Statist. Soc. B 62, 2000). So there is no seed, no
simulation error, and exchanging the two runs inverts the interval.
"""

from __future__ import annotations

import functools
import itertools
import statistics
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NEVER = 1e-12  # chances below it change no digit that is printed
_ROUNDING = 1e-9


@dataclass(frozen=True)
class RatioInterval:
    """NEW by BASE, and between which values 95 % of the resampled ratios lie."""

    ratio: float
    low: float
    high: float


def ratio_of_medians(new: Sequence[float], base: Sequence[float], confidence: float = 0.95) -> RatioInterval:
    """Return median(new) / median(base) with its interval; all values positive, at least one on each side."""
    upper, chance_upper = resampled_medians(new)
    lower, chance_lower = resampled_medians(base)
    ratios = np.divide.outer(upper, lower).ravel()
    chances = np.multiply.outer(chance_upper, chance_lower).ravel()
    order = np.argsort(ratios, kind="stable")
    ratios, chances = ratios[order], chances[order]
    tail = (1 - confidence) / 2 - _ROUNDING
    low = int(np.argmax(np.cumsum(chances) >= tail))
    high = len(ratios) - 1 - int(np.argmax(np.cumsum(chances[::-1]) >= tail))
    return RatioInterval(statistics.median(new) / statistics.median(base), float(ratios[low]), float(ratios[high]))


def resampled_medians(values: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the medians that resamples of `values` can have, and the chance of each."""
    ordered = sorted(values)
    places = _middles(len(ordered))
    medians = [ordered[lower] / 2 + ordered[upper] / 2 for lower, upper, _ in places]
    chances = np.array([chance for _, _, chance in places])
    return np.array(medians), chances / chances.sum()


@functools.cache  # every point of a run has as many launches
def _middles(count: int) -> tuple[tuple[int, int, float], ...]:
    """Return the places of the one or two middle draws of `count`, and the chance of each."""
    if count % 2:
        found = [(place, place, _middle(count, place)) for place in range(count)]
    else:
        pairs = itertools.combinations_with_replacement(range(count), 2)
        found = [(lower, upper, _chance(count, count // 2, lower, upper)) for lower, upper in pairs]
    return tuple(one for one in found if one[2] > _NEVER)


def _middle(count: int, place: int) -> float:
    """Return the chance that the middle one of an odd `count` of draws is the value at `place`."""
    return _at_least(count, count // 2 + 1, place + 1) - _at_least(count, count // 2 + 1, place)


def _chance(count: int, half: int, lower: int, upper: int) -> float:
    """Return the chance that the two middle ones of an even `count` of draws are the values at `lower` and `upper`."""
    if lower < upper:
        below = ((lower + 1) / count) ** half - (lower / count) ** half
        above = ((count - upper) / count) ** half - ((count - upper - 1) / count) ** half
        return comb(count, half) * below * above
    # both are the value at `lower`: at most half - 1 draws lie below it, and at most half - 1 above
    share, less, more = 1 / count, lower / count, (count - 1 - lower) / count
    return sum(
        comb(count, under) * less**under * comb(count - under, over) * more**over * share ** (count - under - over)
        for under in range(half)
        for over in range(half)
    )


def _at_least(count: int, needed: int, places: int) -> float:
    """Return the chance that at least `needed` of `count` draws are among the `places` smallest values."""
    share = places / count
    return sum(comb(count, hits) * share**hits * (1 - share) ** (count - hits) for hits in range(needed, count + 1))
