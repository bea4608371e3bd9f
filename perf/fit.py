"""t = a + n b + bytes / B: a fixed cost, a cost per descriptor and a bandwidth for each transport, where such a line exists.

One group has one transport with its settings, op, pattern and pair of memories;
`t` is the delivered time of one transfer, `n` the descriptors that were posted,
`bytes` those on the wire. Least squares on relative errors (weights 1/t^2), so that
a message of 3 us counts as much as a KV cache of 20 ms; no coefficient is negative,
because no cost is. Intervals are of launches, the unit of repetition: each launch is fitted
by itself, and its coefficients lie between the order statistics of all. Resampling launches
instead covered the truth in 90 % of simulated runs where it should in 95 (tests/perf/test_fit.py).

The model is a simplification: caches, eager and rendezvous protocols and pages make
bytes / B another B for small hot messages than for large cold ones. So the worst
relative error of any point is kept, and beyond `WORST` the fit is refused.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perf.identity import point_key
from perf.statistics import median_interval
from perf.words import carrier

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from perf.record import Point
    from perf.summary import PointSummary, Repetition

MIN_SHAPES = 4  # different (descriptors, bytes): one more than the coefficients
WORST = 0.25
_SUBSETS = ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2])  # which coefficients may be above zero


@dataclass(frozen=True)
class Coefficient:
    """A cost and its 95 % interval over launches, from 0 on; no ends where there are too few launches."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Fit:
    """What the points of one group say together; times ns. A coefficient of 0 is too small to be seen here."""

    point: Point  # one of its points: transport, op, pattern and memories are those of all
    fixed_ns: Coefficient
    descriptor_ns: Coefficient
    byte_ns: Coefficient  # its inverse is the bandwidth in GB/s
    worst: float  # largest relative error of a point, as a share of what was measured
    worst_point: Point
    shapes: int
    points: tuple[PointSummary, ...]

    @property
    def holds(self) -> bool:
        """Whether every point is explained; else no prediction may be made."""
        return self.worst <= WORST

    @property
    def name(self) -> str:
        """The transport with its settings."""
        return carrier(self.point)

    def predict(self, descriptors: int, nbytes: int) -> float:
        """Return the ns of a transfer of so many posted descriptors and bytes on the wire."""
        return self.fixed_ns.value + descriptors * self.descriptor_ns.value + nbytes * self.byte_ns.value


def fits(summaries: Iterable[PointSummary]) -> list[Fit]:
    """Return a fit for each group that has enough shapes, in the order of points; real and verified points only."""
    return [_fit(same) for same in _groups(summaries) if _shapes(same) >= MIN_SHAPES]


def too_few(summaries: Iterable[PointSummary]) -> list[tuple[Point, int]]:
    """Return a point of each group that has points enough and shapes too few, and how many shapes: merged descriptors are one."""
    return [
        (same[0].point, shapes)
        for same in _groups(summaries)
        if len(same) >= MIN_SHAPES and (shapes := _shapes(same)) < MIN_SHAPES
    ]


def _groups(summaries: Iterable[PointSummary]) -> list[list[PointSummary]]:
    groups: dict[tuple[object, ...], list[PointSummary]] = {}
    for one in summaries:
        sound = one.repetitions and one.verified and not one.emulated and not one.invalid
        if sound and one.wire_bytes and all(_time(rep, one) for rep in one.repetitions):
            groups.setdefault(_group(one.point), []).append(one)
    return [sorted(same, key=lambda one: point_key(one.point)) for same in groups.values()]


def solve(costs: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coefficients x >= 0, shape (..., 3), that make `costs` x nearest to `times` relative to `times`.

    `costs` has shape (points, 3), `times` (..., points), above zero. The best is least
    squares on one of the seven sets of coefficients that may be above zero, so all are tried.
    """
    found = np.zeros((*times.shape[:-1], 3))
    least = np.full(times.shape[:-1], np.inf)
    relative = costs / times[..., None]
    ones = np.ones((*times.shape, 1))
    for subset in _SUBSETS:
        part = relative[..., subset]
        scale = np.linalg.norm(part, axis=-2, keepdims=True)  # bytes are millions, a fixed cost is one
        scale[scale == 0] = 1.0
        x = (np.linalg.pinv(part / scale, rcond=1e-12) @ ones)[..., 0] / scale[..., 0, :]
        error = np.sum((np.einsum("...pk,...k->...p", part, x) - 1) ** 2, axis=-1)
        better = (x >= 0).all(axis=-1) & (error < least * (1 - 1e-12))
        wide = np.zeros_like(found)
        wide[..., subset] = x
        found = np.where(better[..., None], wide, found)
        least = np.where(better, error, least)
    return found


def _group(point: Point) -> tuple[object, ...]:
    return carrier(point), point.op, point.pattern, point.source, point.destination, point.flows


def _shapes(same: Sequence[PointSummary]) -> int:
    return len({(one.posted_descriptors, one.wire_bytes) for one in same})


def _time(repetition: Repetition, one: PointSummary) -> float:
    """Return the delivered ns of one transfer in one launch; 0 without."""
    return one.logical_bytes / repetition.throughput if repetition.throughput else 0.0


def _fit(same: Sequence[PointSummary]) -> Fit:
    costs = np.array([[1.0, one.posted_descriptors, one.wire_bytes] for one in same])
    by_launch = [{rep.launch: _time(rep, one) for rep in one.repetitions} for one in same]
    medians = np.array([statistics.median(times.values()) for times in by_launch])
    x = solve(costs, medians)
    errors = np.abs(costs @ x - medians) / medians
    ends = _ends(costs, by_launch, x)
    worst = int(errors.argmax())
    fixed, descriptor, byte = (
        Coefficient(float(value), *(ends[k] if ends else (None, None))) for k, value in enumerate(x)
    )
    return Fit(
        same[0].point, fixed, descriptor, byte, float(errors[worst]), same[worst].point, _shapes(same), tuple(same)
    )  # fmt: skip


def _ends(
    costs: NDArray[np.float64], by_launch: Sequence[dict[int, float]], value: NDArray[np.float64]
) -> list[tuple[float, float]] | None:
    """Return the 95 % interval of each coefficient; None for fewer launches, that all points have, than that needs.

    Every launch is weighted alike, by the medians, and may have negative costs: a launch's own weights,
    or a bound at 0, would shift the middle of all. The interval is cut off at 0 then, and holds the value.
    """
    launches = sorted(set.intersection(*(set(times) for times in by_launch)))
    if not launches:
        return None
    times = np.array([[point[launch] for launch in launches] for point in by_launch])
    usual = np.median(times, axis=1)
    relative = costs / usual[:, None]
    scale = np.linalg.norm(relative, axis=0)  # bytes are millions, a fixed cost is one
    scale[scale == 0] = 1.0
    every = np.linalg.pinv(relative / scale, rcond=1e-12) @ (times / usual[:, None]) / scale[:, None]
    found = []
    for launch_values, middle in zip(every, value, strict=True):
        interval = median_interval(launch_values.tolist())
        if interval.low is None or interval.high is None:
            return None
        found.append((max(0.0, min(interval.low, float(middle))), max(interval.high, float(middle))))
    return found
