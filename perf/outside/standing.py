"""Results of other tools beside the points of a run that moved as many bytes a request: figures, and what is not alike. No ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.memory import kind_of
from perf.outside.likeness import asked, related
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from perf.outside.likeness import Asked
    from perf.outside.result import OutsideResult
    from perf.summary import PointSummary

MOST = 4  # points of ours beside one result


@dataclass(frozen=True)
class Near:
    """A point of ours, and in words what is another thing in it."""

    summary: PointSummary
    unlike: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """One result, and what stands beside it; `why_not` says why nothing does."""

    result: OutsideResult
    near: tuple[Near, ...]
    why_not: str


def standings(summaries: Sequence[PointSummary], results: Sequence[OutsideResult]) -> list[Standing]:
    """Return every result, with the points that moved as many bytes in one request between the same kinds of memory."""
    return [_standing(summaries, result) for result in results]


def _standing(summaries: Sequence[PointSummary], result: OutsideResult) -> Standing:
    request = asked(result)
    if isinstance(request, str):
        return Standing(result, (), request)
    found = [one for one in summaries if one.launches and related(one.point, result) and _same_bytes(one, request)]
    if not found:
        size = format_bytes(request.nbytes)
        return Standing(result, (), f"no point of this run is a {request.op} of {size} a request by its engine")
    near = sorted((Near(one, tuple(_unlike(one, request, result))) for one in found), key=lambda one: len(one.unlike))
    return Standing(result, tuple(near[:MOST]), "")


def _same_bytes(one: PointSummary, request: Asked) -> bool:
    point = one.point
    kinds = kind_of(point.source), kind_of(point.destination)
    alike = (point.op, *kinds) == (request.op, request.source, request.destination)
    return alike and one.logical_bytes == request.nbytes


def _unlike(one: PointSummary, request: Asked, result: OutsideResult) -> Iterator[str]:
    point = one.point
    if point.transport != result.transport:
        yield f"ours is {point.transport}"
    if result.transport == "ucx" and "off" not in point.settings.values() and "none" not in point.settings.values():
        yield "ours has error handling on, theirs only if it was run with -e, which is not told"
    if _several_under_way(result):
        yield "ours posts one after the other, theirs keeps several under way"
    if point.settings:
        yield "ours has settings: " + ", ".join(f"{name}={value}" for name, value in sorted(point.settings.items()))
    if (point.descriptors, point.descriptor_bytes) != (request.batch, request.block_bytes):
        ours, theirs = (point.descriptors, point.descriptor_bytes), (request.batch, request.block_bytes)
        yield f"ours is in {_pieces(*ours)}, theirs in {_pieces(*theirs)}"
    if point.pattern != "hot":
        yield f"ours wrote no byte twice in {format_bytes(one.working_set_bytes)}, theirs moved the same bytes again and again"
    if point.flows > 1 or result.initiators != 1:
        theirs_at_once = "not told" if result.initiators is None else f"{result.initiators}"
        yield f"initiators at once: ours {point.flows}, theirs {theirs_at_once}"
    if one.emulated:
        yield "ours is emulated: it has no rate"


def _several_under_way(result: OutsideResult) -> bool:
    """Tell whether a test of ucx_perftest is one of bandwidth: it posts a window of messages before it waits."""
    return result.tool == "ucx_perftest" and (result.op.endswith("_bw") or result.op.endswith("bandwidth"))


def _pieces(count: int, nbytes: int) -> str:
    return f"{count} of {format_bytes(nbytes)}" if count > 1 else f"one of {format_bytes(nbytes)}"
