"""Fixed cost, cost per descriptor and bandwidth in words, and what they make of this model's KV cache. Nothing is drawn here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.fit import MIN_SHAPES, WORST, fits, too_few
from perf.identity import CEILING, reading_order
from perf.words import Estimate, between, between_hosts, carrier, piece, share
from reports.wording import bare
from suite.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from perf.fit import Coefficient, Fit
    from perf.record import Point
    from perf.summary import PointSummary

MOST_ROWS = 60  # of each table: every pair of many devices has a line
UNSEEN = "too small to see"


@dataclass(frozen=True)
class Line:
    """One group whose points all lie on a line."""

    transport: str
    ceiling: bool
    what: str  # "push, scattered"; with its memories unless they are the hosts'
    fixed: Estimate
    descriptor: Estimate
    bandwidth: Estimate
    worst: str  # "8 % (page 64 KiB scattered)"
    shapes: int


@dataclass(frozen=True)
class Prediction:
    """The same KV cache in few large pieces, or in many small ones."""

    transport: str
    what: str
    cache: str  # "llama-3.1-8b, 64 MiB in 8192 pieces: head 8 KiB scattered"
    predicted: str
    measured: str
    descriptors: str  # the share of the time that descriptors cost


@dataclass(frozen=True)
class Fits:
    """The section; `refused` are sentences about groups that no line explains."""

    lines: tuple[Line, ...] = ()
    refused: tuple[str, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    left_out: int = 0


def described(summaries: Sequence[PointSummary]) -> Fits:
    """Return every fit of a run in words."""
    found = sorted(fits(summaries), key=lambda fit: (reading_order(fit.point)[2], fit.point.transport == CEILING,
                                                     fit.name, fit.point.pattern, fit.point.source, fit.point.destination))  # fmt: skip
    holding = [fit for fit in found if fit.holds and _finite(fit)]
    refused = [fit for fit in found if not (fit.holds and _finite(fit))]
    few = too_few(summaries)
    predictions = [one for fit in holding for one in _predictions(fit)]
    return Fits(
        tuple(map(_line, holding[:MOST_ROWS])),
        (*map(_refusal, refused[:MOST_ROWS]), *([_too_few(few)] if few else [])),
        tuple(predictions[:MOST_ROWS]),
        max(0, len(holding) - MOST_ROWS) + max(0, len(refused) - MOST_ROWS),
    )


def _finite(fit: Fit) -> bool:
    return all(math.isfinite(one.value) for one in (fit.fixed_ns, fit.descriptor_ns, fit.byte_ns))


def _line(fit: Fit) -> Line:
    return Line(
        transport=fit.name,
        ceiling=fit.point.transport == CEILING,
        what=_what(fit.point),
        fixed=_estimate(fit.fixed_ns, format_ns),
        descriptor=_estimate(fit.descriptor_ns, format_ns),
        bandwidth=_bandwidth(fit.byte_ns),
        worst=f"{share(fit.worst)} ({piece(fit.worst_point)})",
        shapes=fit.shapes,
    )


def _refusal(fit: Fit) -> str:
    return (
        f"{fit.name}, {_what(fit.point)}: no such line. {piece(fit.worst_point)} is {share(fit.worst)} away from the best one,"
        f" more than {share(WORST)}: its costs are not a fixed part, a part per descriptor and one bandwidth, so none is given."
    )


def _too_few(found: Sequence[tuple[Point, int]]) -> str:
    """Name all groups in one sentence: a run with contiguous blocks has one for each transport and op."""
    named = [f"{carrier(point)}, {_what(point)} ({shapes})" for point, shapes in found[:MOST_ROWS]]
    return (
        f"No line for {'; '.join(named)}: {MIN_SHAPES} different pairs of posted descriptors and bytes are needed."
        " What is merged or packed into one piece does not tell what a piece costs."
    )


def _what(point: Point) -> str:
    where = between(point)
    told = f"{point.op}, {point.pattern}"
    return told if where == between_hosts() else f"{told}, {where}"


def _estimate(found: Coefficient, show: Callable[[float], str]) -> Estimate:
    value = show(found.value) if found.value > 0 else UNSEEN
    if found.low is None or found.high is None or not 0 < found.high < math.inf:
        return Estimate(value)
    low = show(found.low) if found.low > 0 else "0"
    return Estimate(value, f"[{' to '.join(bare(value, low, show(found.high)))}]")


def _bandwidth(found: Coefficient) -> Estimate:
    """Return GB/s, the inverse of ns per byte; a cost that cannot be told from 0 has no upper end."""
    value = format_rate(1 / found.value) if found.value > 0 else UNSEEN
    if found.low is None or found.high is None or not found.high > 0:
        return Estimate(value)
    low = format_rate(1 / found.high)
    return Estimate(
        value, f"[{' to '.join(bare(value, low, format_rate(1 / found.low)))}]" if found.low > 0 else f"[{low} or more]"
    )


def _predictions(fit: Fit) -> Iterator[Prediction]:
    """Yield, for the largest KV cache of each model, its fewest and its most descriptors."""
    caches: dict[str, list[PointSummary]] = {}
    for one in fit.points:
        if one.point.unit != "bytes":
            caches.setdefault(one.point.workload, []).append(one)
    for workload, points in caches.items():
        largest = max(one.logical_bytes for one in points)
        same = sorted((one for one in points if one.logical_bytes == largest), key=lambda one: one.posted_descriptors)
        for place in dict.fromkeys((0, len(same) - 1)):
            yield _prediction(fit, workload, same[place])


def _prediction(fit: Fit, workload: str, one: PointSummary) -> Prediction:
    took = fit.predict(one.posted_descriptors, one.wire_bytes)
    rate = one.throughput.median if one.throughput else 0.0
    return Prediction(
        fit.name,
        _what(fit.point),
        f"{workload}, {format_bytes(one.logical_bytes)} in {one.posted_descriptors} pieces: {piece(one.point)}",
        format_ns(took),
        format_ns(one.logical_bytes / rate) if rate else "",
        share(one.posted_descriptors * fit.descriptor_ns.value / took) if took else "",
    )
