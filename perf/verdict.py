"""What is said of a run in sentences, the same on the terminal and in the report.

A sentence is left out when its data is not there. In brackets stands the interval
of the median over launches; on the emulator no rate is ever written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf import words
from perf.identity import CEILING, OPS
from perf.memory import HOST, kind_of
from perf.summary import withheld
from suite.units import format_bytes, format_ns

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from perf.record import Point
    from perf.summary import PointSummary

_LATENCY_BYTES = 4096  # the message whose latency is told
PIECES = {"head": "single heads", "page": "pages", "layer": "layers", "block": "whole blocks"}


def verdict(summaries: Sequence[PointSummary], selected: Collection[str] = ()) -> list[str]:
    """Return what the run says, the most important sentence first: of the transports that the settings `selected`."""
    if not summaries:
        return ["Nothing was measured."]
    summaries = [withheld(one) for one in summaries]
    told = [one for one in summaries if one.point.transport != CEILING] or summaries
    groups: dict[tuple[str, str, str, str], list[PointSummary]] = {}
    for one in told:
        if one.launches:
            key = one.point.workload, words.carrier(one.point), one.point.op, _ends(one.point)
            groups.setdefault(key, []).append(one)

    fastest: dict[tuple[str, str], float] = {}  # workload and carrier -> the best rate that it reached
    for (name, carrier, _, _), group in groups.items():
        rates = [one.throughput.median for one in group if one.throughput]
        fastest[name, carrier] = max([fastest.get((name, carrier), 0.0), *rates])

    def importance(key: tuple[str, str, str, str]) -> tuple[object, ...]:
        name, carrier, op, ends = key
        return (
            groups[key][0].point.transport not in selected,
            name,
            -fastest[name, carrier],
            carrier,
            OPS.index(op),
            ends,
        )

    ordered = [groups[key] for key in sorted(groups, key=importance)]
    caches = [group for group in ordered if group[0].point.unit != "bytes"]
    messages = [group for group in ordered if group[0].point.unit == "bytes"]
    sentences = [_headline(group) for group in caches]
    sentences += [_smallest(group) for group in caches]
    sentences += [_latency(group) for group in messages]
    return [sentence for sentence in [*sentences, *_checks(summaries)] if sentence]


def _rate(one: PointSummary) -> str:
    """Return `5.4 GB/s [5.1, 5.6]`."""
    estimate = words.rate(one.throughput)
    return f"{estimate.value} GB/s {estimate.span}".rstrip()


def _headline(group: Sequence[PointSummary]) -> str:
    """Tell the largest pieces, scattered as a paged cache is: what a transport makes of the easiest real transfer."""
    largest = max((*_size(one), one.point.pattern == "scattered") for one in group)
    same = [one for one in group if (*_size(one), one.point.pattern == "scattered") == largest]
    one = min(same, key=lambda one: one.throughput.median if one.throughput else 0.0)
    name = f"{words.carrier(one.point)} moved {one.point.workload}'s KV cache"
    if one.emulated:
        where = "on emulated devices, which have no rates"
        return f"{name} in {_pieces(one)} ({one.point.op}{_places(same)}) {where}; {_proof(one)}."
    if one.throughput is None:
        return ""
    slowest = f", the slowest of {len(same)} pairs: {words.between(one.point)}" if len(same) > 1 else _places(same)
    return f"{name} at {_rate(one)} in {_pieces(one)} ({one.point.op}{slowest}){_share(one)}; {_proof(one)}."


def _ends(point: Point) -> str:
    """Return the kinds of memory at both ends; a copy within one device is no transfer between two."""
    if point.source == point.destination != HOST:
        return "within one device"
    ends = f"{kind_of(point.source)} to {kind_of(point.destination)}"
    return f"{ends}, {point.flows} pairs at once" if point.flows > 1 else ends


def _places(same: Sequence[PointSummary]) -> str:
    """Say between which memories, unless it was host memory at both ends."""
    if len(same) > 1:
        return (
            f", {_ends(same[0].point)}" if same[0].point.flows > 1 else f", {len(same)} pairs, {_ends(same[0].point)}"
        )
    between = words.between(same[0].point)
    return "" if between == words.between_hosts() else f", {between}"


def _smallest(group: Sequence[PointSummary]) -> str:
    """Tell the smallest scattered pieces: what tensor-parallel resharding asks for."""
    scattered = [one for one in group if one.point.pattern == "scattered" and one.throughput]
    if not scattered:
        return ""
    one = min(scattered, key=lambda one: (one.point.descriptor_bytes, -one.point.descriptors))
    largest = max(scattered, key=_size)
    if one.throughput is None or one.point.descriptor_bytes == largest.point.descriptor_bytes:
        return ""
    size = format_bytes(one.point.descriptor_bytes)
    name = f"{words.carrier(one.point)}, {one.point.workload} in {_pieces(one)} of {size} ({one.point.op})"
    return f"{name}: {_rate(one)}{_share(one)}."


def _latency(group: Sequence[PointSummary]) -> str:
    """Tell one message: 4 KiB, or the size nearest below it, or the smallest."""
    timed = [one for one in group if one.latency_ns]
    if not timed:
        return ""
    small = [one for one in timed if one.point.descriptor_bytes <= _LATENCY_BYTES]
    one = max(small, key=_size) if small else min(timed, key=_size)
    if one.latency_ns is None:
        return ""
    tail = (
        f"; 99 % of {one.samples} took at most {format_ns(one.percentiles_ns['p99'])}"
        if "p99" in one.percentiles_ns
        else ""
    )
    name = f"A single {format_bytes(one.point.descriptor_bytes)} {one.point.op} by {words.carrier(one.point)}"
    return f"{name} took {words.latency(one.latency_ns)}{tail}."


def _checks(summaries: Sequence[PointSummary]) -> list[str]:
    """Tell what was checked over all points, and how many are wrong, incomplete or doubtful."""
    told_apart = {"wrong-bytes", "failed"}
    counted = {
        "left wrong bytes in at least one launch": [_has(one, "wrong-bytes") for one in summaries],
        "failed in at least one launch": [_has(one, "failed") for one in summaries],
        "had an INVALID launch, which does not count": [_has_level(one, "INVALID", told_apart) for one in summaries],
        "gave no number": [not one.launches for one in summaries],
        "carry a doubt, told with the point": [
            one.launches > 0 and _has_level(one, "OPEN", told_apart) for one in summaries
        ],
    }
    total = _points(len(summaries))
    sentences = [f"{sum(points)} of {total} {what}." for what, points in counted.items() if any(points)]
    if all(one.verified and not one.failed for one in summaries):
        checked = format_bytes(sum(one.verified_bytes for one in summaries))
        sentences.insert(0, f"After the transfers of {total}, {checked} were compared and every byte was right.")
    return sentences


def _proof(one: PointSummary) -> str:
    """Say what was checked of a point that has launches that count, and what carried it."""
    checked = f"all {format_bytes(one.verified_bytes)} checked"
    if not one.verified:
        checked = "but other launches left wrong bytes"
    wires = [wire for wire in one.wires if wire != "unknown"]
    carried = f"carried by {' or '.join(wires)}" if wires else "without proof of the wire"
    return f"{checked}, {carried}"


def _pieces(one: PointSummary) -> str:
    return f"{one.point.pattern} {PIECES[one.point.unit]}"


def _share(one: PointSummary) -> str:
    if one.ceiling_share is None:
        return ""
    ceiling = "a bare process-to-process copy" if _ends(one.point) == "host to host" else "the driver's own copy"
    return f", {words.share(one.ceiling_share)} of {ceiling}"


def _size(one: PointSummary) -> tuple[int, int]:
    return one.point.descriptor_bytes, one.point.descriptors


def _has(one: PointSummary, code: str) -> bool:
    return any(issue.code == code for issue in one.issues)


def _has_level(one: PointSummary, level: str, but: set[str]) -> bool:
    return any(issue.level == level and issue.code not in but for issue in one.issues)


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"
