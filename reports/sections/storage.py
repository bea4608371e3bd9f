"""Storage beside network: the same KV cache by push or pull, and by a handoff through a file. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.identity import CEILING, OPS, reading_order
from perf.roles import through_file
from perf.rows import row
from perf.words import NONE, between, carrier, pieces, workload
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.record import Point, Storage
    from perf.rows import Row
    from perf.summary import PointSummary

_Bytes = tuple[object, ...]  # which KV cache, in which pieces


@dataclass(frozen=True)
class Line:
    """One transport and op; `file` is a dash where the bytes passed none."""

    row: Row
    ceiling: bool  # `copy`, where it has a rate
    way: str  # "host → file", where it is not the whole way
    half: bool  # one way of a handoff
    file: str  # "ext4, buffered"
    cache: str  # what the page cache held, in words; empty without a file


@dataclass(frozen=True)
class Cache:
    """One KV cache in the same pieces, by everything that moved it."""

    title: str
    lines: tuple[Line, ...]
    alone: bool  # nothing but storage moved it: no push or pull to compare with


@dataclass(frozen=True)
class Place:
    """One pair of memories; not `timed` if all of it was on the emulator."""

    between: str
    caches: tuple[Cache, ...]
    timed: bool
    handoffs: bool


def storage(summaries: Iterable[PointSummary]) -> tuple[Place, ...]:
    """Return each pair of memories that had a handoff, with its halves; then stores and fetches that are half of none."""
    ordered = sorted(summaries, key=lambda one: reading_order(one.point))
    handoffs = {(_bytes(one.point), between(one.point)) for one in ordered if one.point.op == "handoff"}
    places: dict[str, dict[_Bytes, list[PointSummary]]] = {}
    for one in ordered:
        if one.point.op not in {"store", "fetch"} and (_bytes(one.point), between(one.point)) in handoffs:
            places.setdefault(between(one.point), {}).setdefault(_bytes(one.point), []).append(one)
    for half in (one for one in ordered if one.point.op in {"store", "fetch"}):
        whole = [group for place in places.values() for group in place.values() if _is_half(half.point, group)]
        for group in whole or [places.setdefault(between(half.point), {}).setdefault(_bytes(half.point), [])]:
            group.append(half)
    return tuple(_place(name, groups.values()) for name, groups in places.items())


def _reading_order(one: PointSummary) -> tuple[object, ...]:
    """Return the place of a line: push and pull, then each handoff with its halves under it."""
    point = one.point
    network = not through_file(point.op)
    return not network, "" if network else carrier(point), OPS.index(point.op)


def page_cache(op: str, file: Storage) -> str:
    """Say how much of the file was in the page cache when that mattered; the most over all windows."""
    seen = file.cached_before if op == "fetch" else file.cached_after
    when, meaning = {
        "fetch": ("when it was read", "it came from memory, not from the device"),
        "store": ("after it was written", "the device may not have had it yet"),
    }.get(op, ("after it was read", "decode may have read memory, not the device"))
    if not seen:
        return "page cache: not recorded"
    if not max(seen):
        return f"none of it was in the page cache {when}"
    return f"{format_bytes(max(seen))} of the file were in the page cache {when}: {meaning}"


def _bytes(point: Point) -> _Bytes:
    return point.workload, point.unit, point.pattern, point.descriptor_bytes, point.descriptors, point.flows


def _is_half(half: Point, group: Sequence[PointSummary]) -> bool:
    """Return whether a store or fetch is one way of a handoff in `group`."""
    end = "source" if half.op == "store" else "destination"
    return any(
        one.point.op == "handoff"
        and _bytes(one.point) == _bytes(half)
        and carrier(one.point) == carrier(half)
        and getattr(one.point, end) == getattr(half, end)
        for one in group
    )


def _place(name: str, groups: Iterable[Sequence[PointSummary]]) -> Place:
    members = [one for group in groups for one in group]
    return Place(
        name,
        tuple(_cache(group, name) for group in groups),
        timed=not all(one.emulated for one in members),
        handoffs=any(one.point.op == "handoff" for one in members),
    )


def _cache(group: Sequence[PointSummary], place: str) -> Cache:
    point = group[0].point
    network = any(not through_file(one.point.op) and one.point.transport != CEILING for one in group)
    return Cache(
        f"{workload(point.workload)}, {pieces(point)}",
        tuple(_line(one, place) for one in sorted(group, key=_reading_order)),
        alone=not network,
    )


def _line(one: PointSummary, place: str) -> Line:
    way = between(one.point)
    half = one.point.op in {"store", "fetch"} and way != place
    shown = "" if way == place else way
    ceiling = one.point.transport == CEILING and not one.emulated
    file = one.storage
    if file is None:
        return Line(row(one), ceiling, shown, half, "not recorded" if through_file(one.point.op) else NONE, "")
    io = "O_DIRECT" if file.io == "direct" else "buffered"
    return Line(row(one), ceiling, shown, half, f"{file.filesystem}, {io}", page_cache(one.point.op, file))
