"""What A and B did, launch by launch: the points of a sweep, paired by everything but their side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perf.ab.variants import NAMES
from perf.comparing.likeness import refusals, remarks
from perf.identity import CEILING, PointKey, point_key, reading_order
from perf.words import between, between_hosts, carrier, pieces, wires, workload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from perf.record import Point
    from perf.summary import PointSummary


@dataclass(frozen=True)
class Measured:
    """Something that both sides did, or one of them: its rates by launch, and why they must not be compared, if so."""

    what: str  # "push llama-3.1-8b, block 4 MiB scattered \N{MULTIPLICATION SIGN} 16"
    by: str  # "nixl:UCX"
    a: Mapping[int, float]  # launch -> GB/s
    b: Mapping[int, float]
    refused: str = ""
    remarks: tuple[str, ...] = ()
    control: bool = False  # no transfer library has a part in it
    point: Point | None = None  # of A, or of B alone; None for what a command printed


def points(summaries: Iterable[PointSummary], apart: Collection[str] = ()) -> Iterator[Measured]:
    """Yield every point that either side has; one side's alone is `refused`. Settings named in `apart` are those of A or B."""
    pairs: dict[PointKey, dict[str, PointSummary]] = {}
    for one in sorted(summaries, key=lambda summary: reading_order(summary.point)):
        if one.point.variant:
            pairs.setdefault(point_key(_plain(one.point, apart)), {})[one.point.variant] = one
    for pair in pairs.values():
        yield _point(pair.get("A"), pair.get("B"), apart)


def _plain(point: Point, apart: Collection[str]) -> Point:
    """Return a point without what tells A from B."""
    settings = {name: value for name, value in point.settings.items() if name not in apart}
    return point.model_copy(update={"variant": "", "settings": settings})


def _point(a: PointSummary | None, b: PointSummary | None, apart: Collection[str]) -> Measured:
    point = (a or b).point  # type: ignore[union-attr]  # a pair has at least one
    place = "" if between(point) == between_hosts() else f", {between(point)}"
    refused = f"only in {'A' if a else 'B'}"
    told: list[str] = []
    if a and b:
        refused = next(refusals(a, b, "A"), "")
        told = [] if refused else [*_remarks(a, b), *_failed(a, b)]
    return Measured(
        what=f"{point.op} {workload(point.workload)}, {pieces(point)}{place}",
        by=carrier(_plain(point, apart)),
        a=_rates(a),
        b=_rates(b),
        refused=refused,
        remarks=tuple(told),
        control=point.transport == CEILING,
        point=point,
    )


def _rates(one: PointSummary | None) -> dict[int, float]:
    return {rep.launch: rep.throughput for rep in one.repetitions if rep.throughput} if one else {}


def _remarks(a: PointSummary, b: PointSummary) -> Iterator[str]:
    """Yield what the two sides did in another way; `remarks` speaks of runs apart."""
    if a.wires != b.wires:
        yield f"wire: {wires(a)} in A, {wires(b)} in B"
    for text in remarks(a, replace(b, wires=a.wires)):
        yield text.replace(" before", " in A").replace(" here", " in B")


def _failed(a: PointSummary, b: PointSummary) -> Iterator[str]:
    for name, one in zip(NAMES, (a, b), strict=True):
        if one.failed:
            yield f"{name} failed in {one.failed} of {one.failed + one.launches} launches, which are left out on both sides"
