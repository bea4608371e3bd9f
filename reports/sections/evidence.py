"""Which wire carried what, and says who; what error handling changed; how near to the ceilings; beside `ucx_perftest`.

Data only. Nothing here is of an emulated point but its wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.identity import PointKey, transfer_key
from perf.words import carrier, piece, rate, share, workload
from suite.units import format_bytes, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.limits import Limit
    from perf.record import Evidence
    from perf.summary import PointSummary
    from perf.testimony import Witnessed
    from perf.words import Estimate

_MOST_DETAILS = 3  # of one row: transfers of several sizes word it differently
_MODES = {"ucx": ("error_handling", "off"), "nixl:UCX": ("ucx_error_handling_mode", "none")}


@dataclass(frozen=True)
class Carried:
    """One transport, op and wire, and all the points that went that way."""

    transport: str
    op: str
    wire: str
    source: str  # who says so
    reach: str
    details: tuple[str, ...]
    points: int
    emulated: bool


@dataclass(frozen=True)
class Contradiction:
    """What excludes what a library says, and the point."""

    point: str
    message: str


@dataclass(frozen=True)
class Variant:
    """The same transfer by one transport with one of its settings."""

    transport: str
    error_handling: bool
    wire: str
    throughput: Estimate


@dataclass(frozen=True)
class ErrorHandling:
    """What one transfer did with error handling, and without."""

    transfer: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class CeilingRow:
    """One ceiling in words."""

    name: str
    pages: str
    working_set: str
    rate: Estimate
    detail: str


@dataclass(frozen=True)
class Near:
    """A transfer of one transport beside the ceiling that applies to it."""

    what: str
    transport: str
    wire: str
    allocation: str
    working_set: str
    throughput: Estimate
    ceiling: str
    limit: str
    share: str
    hot: bool


@dataclass(frozen=True)
class WitnessRow:
    """A hot point beside its witness, in words."""

    what: str
    transport: str
    ours: Estimate
    our_wire: str
    test: str
    theirs: Estimate
    their_wire: str
    ratio: Estimate
    same_wire: bool
    command: str
    reasons: tuple[str, ...]


def carried(summaries: Iterable[PointSummary]) -> list[Carried]:
    """Return who carried what, folded over sizes: one row per transport with its settings, op and wire."""
    groups: dict[tuple[str, str, str, str, bool], list[Evidence]] = {}
    for summary in summaries:
        for one in summary.evidence:
            key = carrier(summary.point), summary.point.op, one.wire, one.source or "nobody", summary.emulated
            groups.setdefault(key, []).append(one)
    return [
        Carried(transport, op, wire, source, _joined(one.reach for one in found), _details(found), len(found), emulated)
        for (transport, op, wire, source, emulated), found in sorted(groups.items(), key=lambda item: item[0][:3])
    ]


def contradictions(summaries: Iterable[PointSummary]) -> list[Contradiction]:
    """Return every contradiction of a request, a library and the kernel."""
    return [
        Contradiction(f"{carrier(one.point)}, {one.point.op} {workload(one.point.workload)}, {piece(one.point)}", issue.message)
        for one in summaries
        for issue in one.issues
        if issue.code == "contradiction"
    ]  # fmt: skip


def error_handling(summaries: Iterable[PointSummary]) -> list[ErrorHandling]:
    """Return the transfers that were moved both with error handling and without; the one with most bytes a piece first."""
    groups: dict[PointKey, list[PointSummary]] = {}
    for one in summaries:
        if one.point.transport in _MODES and not one.emulated and one.launches:
            groups.setdefault(transfer_key(one.point), []).append(one)
    found = []
    for group in sorted(groups.values(), key=_first_told):
        variants = [_variant(one) for one in group]
        if len({one.error_handling for one in variants}) > 1:
            point = group[0].point
            found.append(
                ErrorHandling(f"{point.op} {workload(point.workload)}, {piece(point)}", tuple(sorted(variants, key=_order)))
            )  # fmt: skip
    return found


def ceilings(limits: Iterable[Limit]) -> list[CeilingRow]:
    """Return the ceilings in words."""
    return [
        CeilingRow(one.name, one.pages, format_bytes(one.working_set_bytes), rate(one.rate), one.detail)
        for one in limits
    ]


def near(summaries: Iterable[PointSummary]) -> list[Near]:
    """Return the points that have a ceiling, those of the biggest pieces of each workload and op, and hot ones."""
    with_limit = [one for one in summaries if one.limit and not one.emulated]
    largest: dict[tuple[str, str], int] = {}
    for one in with_limit:
        key = one.point.workload, one.point.op
        largest[key] = max(largest.get(key, 0), one.point.descriptor_bytes)
    return [
        Near(
            what=f"{one.point.op} {workload(one.point.workload)}, {piece(one.point)}",
            transport=carrier(one.point),
            wire=", ".join(one.wires),
            allocation=one.allocation,
            working_set=format_bytes(one.working_set_bytes),
            throughput=rate(one.throughput),
            ceiling=one.limit.name,
            limit=format_rate(one.limit.gb_per_s),
            share=share(one.limit.fraction),
            hot=one.point.pattern == "hot",
        )
        for one in with_limit
        if one.limit
        and (
            one.point.pattern == "hot"
            or one.point.descriptor_bytes == largest[one.point.workload, one.point.op]
        )
    ]  # fmt: skip


def witnesses(testimonies: Iterable[Witnessed]) -> list[WitnessRow]:
    """Return the witness's figures beside ours, in words."""
    return [
        WitnessRow(
            what=f"{one.point.op}, {format_bytes(one.point.descriptor_bytes)} hot",
            transport=carrier(one.point),
            ours=rate(one.ours),
            our_wire=", ".join(one.ours_wires),
            test=f"{one.test}{'' if ' -e' not in one.command else ' -e'}, UCX {one.version}",
            theirs=rate(one.theirs),
            their_wire=", ".join(one.their_wires),
            ratio=rate(one.ratio),
            same_wire=one.same_wire,
            command=one.command,
            reasons=one.reasons,
        )
        for one in testimonies
    ]


def _variant(one: PointSummary) -> Variant:
    setting, without = _MODES[one.point.transport]
    on = one.point.settings.get(setting) != without
    return Variant(carrier(one.point), on, ", ".join(one.wires) or "unknown", rate(one.throughput))


def _order(variant: Variant) -> tuple[str, bool, str]:
    return variant.transport.partition(" ")[0], not variant.error_handling, variant.transport


def _first_told(group: Sequence[PointSummary]) -> tuple[bool, int]:
    """Put a KV cache before plain messages, and large pieces before small ones."""
    point = group[0].point
    return point.unit == "bytes", -point.descriptor_bytes


def _details(found: Sequence[Evidence]) -> tuple[str, ...]:
    told = list(dict.fromkeys(one.detail or one.reason for one in found))
    more = (f"and {len(told) - _MOST_DETAILS} more",) if len(told) > _MOST_DETAILS else ()
    return (*told[:_MOST_DETAILS], *more)


def _joined(words: Iterable[str]) -> str:
    return ", ".join(sorted({word for word in words if word}))
