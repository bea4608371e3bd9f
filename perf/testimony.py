"""Our hot points beside `ucx_perftest`: ratios of one run, launch by launch, and why where they fall short.

Both moved one buffer of the same size again and again on the same cores in the
same launch, under the same settings. Ours is the user's memory, timed until the
peer has acknowledged; the witness's was allocated by UCX and timed by its sender.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from perf.analysis import counts
from perf.identity import point_key, reading_order
from perf.repetition import launch_rate, posts
from perf.statistics import median_interval
from perf.witness import key_of, wanted_for
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.asides import WitnessRecord
    from perf.record import Point, PointRecord
    from perf.summary import Interval

SHORT = 0.9  # below this share of the witness a reason is looked for


@dataclass(frozen=True)
class Witnessed:
    """One point and its witness; `ratio` is ours / the witness's, paired by launch."""

    point: Point
    ours: Interval
    ours_wires: tuple[str, ...]
    test: str
    theirs: Interval
    their_wires: tuple[str, ...]
    ratio: Interval
    version: str
    command: str
    reasons: tuple[str, ...]  # why the ratio is below `SHORT`, with numbers; empty where it is not

    @property
    def same_wire(self) -> bool:
        """Whether both were carried by one and the same known wire."""
        return self.ours_wires == self.their_wires and len(self.ours_wires) == 1 and "unknown" not in self.ours_wires


def compared(points: Iterable[PointRecord], witnesses: Iterable[WitnessRecord]) -> list[Witnessed]:
    """Return a testimony for each point that has a witness in at least one launch; emulated points have none."""
    said = {(key_of(one), one.launch): one for one in witnesses if one.gb_per_s is not None}
    groups: defaultdict[object, list[tuple[PointRecord, WitnessRecord]]] = defaultdict(list)
    for record in points:
        wanted = wanted_for(record.point)
        witness = said.get((wanted.key, record.launch)) if wanted and not record.emulated else None
        if witness and counts(record):
            groups[point_key(record.point)].append((record, witness))
    found = [_testimony(pairs) for pairs in groups.values()]
    return sorted(found, key=lambda one: reading_order(one.point))


def as_json(one: Witnessed) -> dict[str, object]:
    """Return a testimony as plain JSON values."""
    return asdict(one) | {"point": one.point.model_dump(), "same_wire": one.same_wire}


def _testimony(pairs: Sequence[tuple[PointRecord, WitnessRecord]]) -> Witnessed:
    first, witness = pairs[0]
    ours = [launch_rate(record) or 0.0 for record, _ in pairs]
    theirs = [one.gb_per_s or 0.0 for _, one in pairs]
    ratio = median_interval([mine / other for mine, other in zip(ours, theirs, strict=True)])
    wires = [tuple(sorted({one.evidence.wire if one.evidence else "unknown" for one, _ in pairs}))]
    wires.append(tuple(sorted({one.wire for _, one in pairs})))
    return Witnessed(
        point=first.point,
        ours=median_interval(ours),
        ours_wires=wires[0],
        test=witness.test,
        theirs=median_interval(theirs),
        their_wires=wires[1],
        ratio=ratio,
        version=witness.version,
        command=witness.command,
        reasons=tuple(_reasons(pairs, *wires)) if ratio.median < SHORT else (),
    )


def _reasons(
    pairs: Sequence[tuple[PointRecord, WitnessRecord]], ours: tuple[str, ...], theirs: tuple[str, ...]
) -> list[str]:
    """Say where the time goes, in numbers: another wire, copies of our own, the acknowledgement."""
    reasons = []
    if ours != theirs:
        reasons.append(f"other wires: ours {' and '.join(ours)}, the witness's {' and '.join(theirs)}")
    records = [record for record, _ in pairs]
    each = statistics.median(statistics.fmean(record.durations_ns) for record in records)
    witness_ns = 1e3 * statistics.median(one.latency_us or 0.0 for _, one in pairs)
    reasons.append(
        f"one transfer took {format_ns(each)} on average from post to completion, the witness {format_ns(witness_ns)}"
    )
    for phase in ("gather", "scatter"):
        took = [record.phases_ns[phase] / posts(record) for record in records if phase in record.phases_ns]
        if took and (median := statistics.median(took)) > each / 100:
            reasons.append(f"{format_ns(median)} of it, or beside it at the receiver, is {phase}")
    waits = [
        (sum(record.delivered_ns) - sum(record.durations_ns)) / len(record.durations_ns)
        for record in records
        if record.durations_ns
    ]
    reasons.append(f"{format_ns(max(0.0, statistics.median(waits)))} a transfer is the wait for the acknowledgement")
    return reasons
