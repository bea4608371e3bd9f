"""Records of one run -> what is said of each point. The one place where launches are counted.

A launch counts for a point if it measured the point, every byte was right, and
nothing INVALID was found. Others are told in issues and stay out of every number.
Nothing here depends on the order of the records.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from perf.cpu import cpu
from perf.identity import CEILING, PointKey, point_key, transfer_key
from perf.limits import limits, share
from perf.load import loaded
from perf.pairs import with_slow_pairs
from perf.percentiles import tails
from perf.record import WRONG_BYTES
from perf.repetition import launch_rate, repetition
from perf.statistics import median_interval, percentiles
from perf.steadiness import unsteadiness
from perf.summary import LeftOut, PointSummary
from perf.validity import issue, merged, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from perf.asides import CeilingRecord
    from perf.record import Evidence, Issue, PointRecord
    from perf.summary import Interval

MIN_LAUNCHES = 6  # for an interval with 95 % confidence

_ABOVE = (
    "{share:.0f} % of copy. More than 100 % can be right: NIXL and UCX may merge neighbouring descriptors that the"
    " copy moves one by one, and either may find its bytes in a cache"
)


def summarise(records: Iterable[PointRecord], ceilings: Iterable[CeilingRecord] = ()) -> list[PointSummary]:
    """Return one summary per point, in the canonical order of points, beside the `ceilings` of the same run."""
    groups: defaultdict[PointKey, list[PointRecord]] = defaultdict(list)
    for record in records:
        groups[point_key(record.point)].append(record)
    found = limits(ceilings)
    summaries = with_slow_pairs(_with_ceilings([_summary(groups[key]) for key in sorted(groups)]))
    return [replace(one, limit=share(one, found)) for one in summaries]


def counts(record: PointRecord) -> bool:
    """Return whether a launch enters the numbers of its point."""
    invalid = any(one.level == "INVALID" for one in record.issues)
    return record.status == "measured" and record.verified and not invalid


def everything_good(records: Sequence[PointRecord]) -> bool:
    """Return whether there are launches and all of them count: the exit code of a measuring command."""
    return bool(records) and all(map(counts, records))


def _summary(group: Sequence[PointRecord]) -> PointSummary:
    launches = _one_per_launch(group)
    good = [record for record in launches if counts(record)]
    # on the emulator durations are stored, never shown: no rate, no ratio, no ceiling
    emulated = any(record.emulated for record in launches)
    timed = [] if emulated else good
    rates = [rate for record in timed if (rate := launch_rate(record)) is not None]
    latencies = [statistics.median(record.durations_ns) for record in timed if record.durations_ns]
    durations = np.concatenate(
        [np.asarray(record.durations_ns, np.int64) for record in timed] or [np.empty(0, np.int64)]
    )
    repetitions = tuple(map(repetition, timed))
    shape = (good or launches)[0]
    return PointSummary(
        point=shape.point,
        throughput=_interval(rates),
        latency_ns=_interval(latencies),
        percentiles_ns=percentiles(durations),
        max_ns=int(durations.max()) if durations.size else None,
        samples=sum(len(record.durations_ns) for record in good),
        launches=len(good),
        failed=len(launches) - len(good),
        wires=tuple(sorted({record.evidence.wire for record in good if record.evidence})),
        verified=bool(good) and not _wrong(launches),
        verified_bytes=sum(record.verified_bytes for record in good),
        logical_bytes=shape.logical_bytes,
        wire_bytes=shape.wire_bytes,
        posted_descriptors=shape.posted_descriptors,
        working_set_bytes=shape.working_set_bytes,
        allocation=shape.allocation,
        emulated=emulated,
        ceiling_share=None,
        storage=shape.storage,
        repetitions=repetitions,
        evidence=_evidence(good),
        issues=ordered(
            [
                *_reported(launches),
                *_lost(launches, good),
                *_mixed(good),
                *_repeated(group, launches),
                *unsteadiness(timed, rates),
                *loaded(timed),
            ]
        ),
        tails_ns=tails(repetitions),
        cpu=cpu(repetitions),
        left_out=tuple(_left_out(launches)),
    )


def _evidence(good: Sequence[PointRecord]) -> tuple[Evidence, ...]:
    """Return one account of each wire that was seen."""
    first: dict[str, Evidence] = {}
    for record in good:
        if record.evidence:
            first.setdefault(record.evidence.wire, record.evidence)
    return tuple(first[wire] for wire in sorted(first))


def _one_per_launch(group: Sequence[PointRecord]) -> list[PointRecord]:
    """Return the records by launch; of a launch that was recorded twice, the later record."""
    by_launch: defaultdict[int, list[PointRecord]] = defaultdict(list)
    for record in group:
        by_launch[record.launch].append(record)
    return [_latest(by_launch[launch]) for launch in sorted(by_launch)]


def _latest(same: Sequence[PointRecord]) -> PointRecord:
    if len(same) == 1:
        return same[0]
    return max(same, key=lambda record: (record.started_at, record.model_dump_json()))


def _interval(values: Sequence[float]) -> Interval | None:
    return median_interval(values) if values else None


def _wrong(launches: Sequence[PointRecord]) -> list[PointRecord]:
    """Return the launches whose bytes were compared and differed."""
    return [record for record in launches if wrong_bytes(record)]


def wrong_bytes(record: PointRecord) -> bool:
    """Return whether the bytes of a launch were compared and differed."""
    if record.failure:
        return record.failure.reason == WRONG_BYTES
    return record.status == "measured" and not record.verified


def _reported(launches: Sequence[PointRecord]) -> list[Issue]:
    """Return the launches' own issues, one of each code: launches tell the same with other numbers."""
    told: defaultdict[tuple[str, str], set[Issue]] = defaultdict(set)
    for record in launches:
        for one in record.issues:
            told[one.level, one.code].add(one)
    return [merged(issues) for issues in told.values()]


def _lost(launches: Sequence[PointRecord], good: Sequence[PointRecord]) -> list[Issue]:
    """Return why launches do not count, and whether those that do are enough."""
    issues = []
    of = f"of {_launches(len(launches))}"
    if wrong := _wrong(launches):
        found = sorted({line for record in wrong if record.failure for line in record.failure.detail.splitlines()})
        what = "; ".join([f"{len(wrong)} {of} left bytes that are not as they must be", *found])
        issues.append(issue("wrong-bytes", what))
    if failed := [record for record in launches if record.status == "failed" and not wrong_bytes(record)]:
        reasons = sorted({_reason(record) for record in failed})
        told = f"{len(failed)} {of} failed: {'; '.join(reasons)}"
        issues.append(issue("failed", told, level="OPEN" if good else "INVALID"))
    if len(good) < MIN_LAUNCHES and not any(record.emulated for record in good):  # there an interval says nothing
        counted = f"{_launches(len(good))} counted: an interval needs {MIN_LAUNCHES}"
        issues.append(issue("few-launches", counted))
    return issues


def _reason(record: PointRecord) -> str:
    failure = record.failure
    return f"{failure.role}, {failure.phase}: {failure.reason}" if failure else "no reason recorded"


def _left_out(launches: Sequence[PointRecord]) -> Iterator[LeftOut]:
    """Yield every launch that is in no number, with its reason."""
    for record in launches:
        if counts(record):
            continue
        graves = [one for one in record.issues if one.level == "INVALID"]
        if wrong_bytes(record):
            yield LeftOut(record.launch, "wrong-bytes", _reason(record) if record.failure else "bytes differ")
        elif record.failure or not graves:
            yield LeftOut(record.launch, "failed", _reason(record))
        else:
            yield LeftOut(record.launch, graves[0].code, graves[0].message)


def _mixed(good: Sequence[PointRecord]) -> list[Issue]:
    """Return what differs between launches that must be alike to be repetitions."""
    seen = {
        "wires": {record.evidence.wire for record in good if record.evidence},
        "allocations": {record.allocation for record in good},
        "setups": {record.setup for record in good},
        "sizes": {f"{record.logical_bytes} B logical, {record.wire_bytes} B moved" for record in good},
        "descriptor counts": {str(record.posted_descriptors) for record in good},
    }
    return [
        issue(f"several-{what.replace(' ', '-')}", f"launches had different {what}: {'; '.join(sorted(values))}")
        for what, values in seen.items()
        if len(values) > 1
    ]


def _repeated(group: Sequence[PointRecord], launches: Sequence[PointRecord]) -> list[Issue]:
    extra = len(group) - len(launches)
    if not extra:
        return []
    return [issue("recorded-twice", f"{_launches(extra)} recorded more than once: the latest record counts")]


def _with_ceilings(summaries: list[PointSummary]) -> list[PointSummary]:
    """Return the summaries with their share of what `copy` reached with the same bytes in the same pieces."""
    ceilings: dict[PointKey, float] = {}
    for one in summaries:
        if one.point.transport == CEILING and one.throughput:
            ceilings.setdefault(transfer_key(one.point), one.throughput.median)
    return [_with_ceiling(one, ceilings.get(transfer_key(one.point))) for one in summaries]


def _with_ceiling(summary: PointSummary, ceiling: float | None) -> PointSummary:
    if not ceiling or not summary.throughput or summary.point.transport == CEILING:
        return summary
    share = summary.throughput.median / ceiling
    above = [issue("above-copy", _ABOVE.format(share=share * 100))] if share > 1 else []
    return replace(summary, ceiling_share=share, issues=ordered([*summary.issues, *above]))


def _launches(count: int) -> str:
    return "1 launch" if count == 1 else f"{count} launches"
