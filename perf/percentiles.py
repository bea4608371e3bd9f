"""Percentiles of latency over launches: how long the slow transfers of a launch take, and how launches differ in that.

Samples of one launch are not independent (they share processes, pages and
whatever else the machine did then), so a percentile is taken inside a launch and
only medians over launches are told, with the range in which the launches lie.

A percentile q of n samples needs n >= 10 / (1 - q): about n (1 - q) samples lie
beyond it, a binomial count, whose spread is a third of it at ten. With fewer, one
or two odd samples are the "percentile". So p99 needs 1,000 samples in a launch,
p99.9 needs 10,000; where they are missing nothing is given. Order statistics, no
distribution and no interpolation between samples.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perf.statistics import median_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from perf.summary import Interval, Repetition

QUANTILES = 200  # of a curve: as many as a figure shows
TAILS = ("p90", "p99", "p99.9")


@dataclass(frozen=True)
class Range:
    """A median over launches and the least and most of any launch: no interval, as a tail has too few launches for one."""

    median: float
    least: float
    most: float
    launches: int


def ranged(values: Sequence[float]) -> Range | None:
    """Return the range of one value per launch; None without any."""
    if not values:
        return None
    return Range(statistics.median(values), min(values), max(values), len(values))


def quantiles(durations_ns: Sequence[int] | NDArray[np.int64], most: int = QUANTILES) -> tuple[float, ...]:
    """Return m = min(n, `most`) order statistics: the k-th is the least sample that k/m of all samples do not exceed."""
    n = len(durations_ns)
    m = min(n, most)
    ordered = np.sort(np.asarray(durations_ns, np.int64))
    return tuple(float(ordered[-(-n * k // m) - 1]) for k in range(1, m + 1))


def tail(repetitions: Sequence[Repetition], name: str) -> Range | None:
    """Return percentile `name` over the launches that have samples enough for it."""
    return ranged([one.percentiles_ns[name] for one in repetitions if name in one.percentiles_ns])


def tails(repetitions: Sequence[Repetition]) -> dict[str, Interval]:
    """Return the percentiles that launches have samples enough for, each with the interval of its median over them."""
    found = {name: [one.percentiles_ns[name] for one in repetitions if name in one.percentiles_ns] for name in TAILS}
    return {name: median_interval(values) for name, values in found.items() if values}


def slowest(repetitions: Sequence[Repetition]) -> Range | None:
    """Return the slowest transfer of a launch, over launches."""
    return ranged([float(one.max_ns) for one in repetitions])


def first(repetitions: Sequence[Repetition]) -> Range | None:
    """Return how many times the median the first transfer of a window takes, over launches."""
    return ranged([one.first_ns / one.latency_ns for one in repetitions if one.latency_ns])


def curve(repetitions: Sequence[Repetition]) -> tuple[float, ...]:
    """Return the quantiles, each the median over launches: `i / len` of the transfers take no longer than the i-th, from 1.

    Launches with another number of quantiles than most have are left out: theirs are other shares.
    """
    lengths = Counter(len(one.quantiles_ns) for one in repetitions if one.quantiles_ns)
    if not lengths:
        return ()
    usual = max(lengths, key=lambda length: (lengths[length], length))
    columns = zip(*(one.quantiles_ns for one in repetitions if len(one.quantiles_ns) == usual), strict=True)
    return tuple(statistics.median(column) for column in columns)
