"""What is said of a run: sentences and table rows, the same on the terminal and in the report.

A sentence is left out when its data is not there. In brackets stands the interval
of the median over launches; on the emulator no rate is ever written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.analysis import CEILING
from suite.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perf.record import Point
    from perf.summary import Interval, PointSummary

_NONE = "-"
_LATENCY_BYTES = 4096  # the message whose latency is told
_PIECES = {"head": "single heads", "page": "pages", "layer": "layers", "block": "whole blocks"}


@dataclass(frozen=True)
class Row:
    """One point in words; "-" where there is nothing to show."""

    transport: str
    op: str
    workload: str
    pattern: str
    size: str  # "8192 x 8 KiB (head)", and how many were posted if merged
    throughput: str
    latency: str
    share: str  # of copy
    wire: str
    verified: str
    launches: str
    issues: tuple[str, ...]


def verdict(summaries: Sequence[PointSummary]) -> list[str]:
    """Return what the run says, the most important sentence first."""
    if not summaries:
        return ["Nothing was measured."]
    told = [one for one in summaries if one.point.transport != CEILING] or summaries
    groups: dict[tuple[str, str, str], list[PointSummary]] = {}
    for one in told:
        if one.launches:
            groups.setdefault((one.point.workload, transport_label(one.point), one.point.op), []).append(one)
    # "push" after "pull" in the alphabet, but prefill's push is what TensorRT-LLM does: first
    ordered = [groups[key] for key in sorted(groups, key=lambda key: (key[0], key[1], key[2] != "push"))]
    caches = [group for group in ordered if group[0].point.unit != "bytes"]
    messages = [group for group in ordered if group[0].point.unit == "bytes"]
    sentences = [_headline(group) for group in caches]
    sentences += [_smallest(group) for group in caches]
    sentences += [_latency(group) for group in messages]
    return [sentence for sentence in [*sentences, *_checks(summaries)] if sentence]


def table(summaries: Sequence[PointSummary]) -> list[Row]:
    """Return a row per point, in the order of `summaries`."""
    return [_row(one) for one in summaries]


def transport_label(point: Point) -> str:
    """Return the transport with its settings: `nixl:UCX UCX_TLS=tcp`."""
    return " ".join([point.transport, *(f"{name}={value}" for name, value in sorted(point.settings.items()))])


def rate_text(rate: Interval) -> str:
    """Return `5.4 GB/s [5.1, 5.6]`."""
    return _interval_text(rate, format_rate, " GB/s")


def duration_text(duration_ns: Interval) -> str:
    """Return `3.9 us [3.8 us, 4.1 us]`: the ends may have other units than the median."""
    return _interval_text(duration_ns, format_ns, "")


def share_text(share: float) -> str:
    """Return a share in percent, two digits at least: `96 %`, `0.4 %`."""
    percent = share * 100
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"  # noqa: PLR2004  two digits are there


def _interval_text(interval: Interval, write: Callable[[float], str], unit: str) -> str:
    if interval.low is None or interval.high is None:
        return write(interval.median)
    return f"{write(interval.median)} [{write(interval.low).removesuffix(unit)}, {write(interval.high).removesuffix(unit)}]"


def _row(one: PointSummary) -> Row:
    point = one.point
    size = f"{point.descriptors} x {format_bytes(point.descriptor_bytes)}"
    if point.unit != "bytes":
        size += f" ({point.unit})"
    if one.launches and one.posted_descriptors != point.descriptors:
        size += f", posted as {one.posted_descriptors}"
    nothing = "emulated" if one.emulated and one.launches else _NONE
    total = one.launches + one.failed
    return Row(
        transport=transport_label(point),
        op=point.op,
        workload=point.workload,
        pattern=point.pattern,
        size=size,
        throughput=rate_text(one.throughput) if one.throughput else nothing,
        latency=duration_text(one.latency_ns) if one.latency_ns else nothing,
        share=share_text(one.ceiling_share) if one.ceiling_share is not None else _NONE,
        wire=" / ".join(one.wires) or _NONE,
        verified=_verified(one),
        launches=str(one.launches) if not one.failed else f"{one.launches} of {total}",
        issues=tuple(f"{issue.level} {issue.code}: {issue.message}" for issue in one.issues),
    )


def _verified(one: PointSummary) -> str:
    if one.verified:
        return format_bytes(one.verified_bytes)
    return "WRONG BYTES" if _has(one, "wrong-bytes") else _NONE


def _headline(group: Sequence[PointSummary]) -> str:
    """Tell the largest pieces, scattered as a paged cache is: what a transport makes of the easiest real transfer."""
    one = max(group, key=lambda one: (*_size(one), one.point.pattern == "scattered"))
    name = f"{transport_label(one.point)} moved {one.point.workload}'s KV cache"
    if one.emulated:
        return f"{name} in {_pieces(one)} ({one.point.op}) on an emulated device, which has no rates; {_proof(one)}."
    if one.throughput is None:
        return ""
    return f"{name} at {rate_text(one.throughput)} in {_pieces(one)} ({one.point.op}){_share(one)}; {_proof(one)}."


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
    name = f"{transport_label(one.point)}, {one.point.workload} in {_pieces(one)} of {size} ({one.point.op})"
    return f"{name}: {rate_text(one.throughput)}{_share(one)}."


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
    name = f"A single {format_bytes(one.point.descriptor_bytes)} {one.point.op} by {transport_label(one.point)}"
    return f"{name} took {duration_text(one.latency_ns)}{tail}."


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
    return f"{one.point.pattern} {_PIECES[one.point.unit]}"


def _share(one: PointSummary) -> str:
    return (
        f", {share_text(one.ceiling_share)} of a bare process-to-process copy" if one.ceiling_share is not None else ""
    )


def _size(one: PointSummary) -> tuple[int, int]:
    return one.point.descriptor_bytes, one.point.descriptors


def _has(one: PointSummary, code: str) -> bool:
    return any(issue.code == code for issue in one.issues)


def _has_level(one: PointSummary, level: str, but: set[str]) -> bool:
    return any(issue.level == level and issue.code not in but for issue in one.issues)


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"
