"""The points and the schedule that a sweep spec stands for.

What cannot be is not planned: a table may name a few transports, ops and memories of
which not every combination exists, and O_DIRECT moves whole blocks of 4 KiB only. A
transport that can do nothing at all of what a table asks for is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from perf.identity import CEILING, PointKey, point_key
from perf.memory import Pair, can_move, expanded, ops_for, parse_pair, traits_of
from perf.record import Point
from perf.roles import through_file
from perf.settings import check_settings, needs_whole_blocks
from suite.errors import BadInput
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from perf.spec import KvSweep, MessageSweep, SweepSpec
    from suite.kv.geometry import Layout

MAX_POINTS = 10_000
MAX_POOL_BYTES = 1 << 40  # of one worker; more is a slip of the keyboard
TWO_DEVICES = (0, 1)  # what `cuda:*` stands for before anybody has counted them


@dataclass(frozen=True)
class PlannedPoint:
    """A point and what the measuring side needs to measure it."""

    point: Point
    kind: Literal["kv", "bytes"]
    layout: Layout | None  # None for plain messages
    tokens: int  # of one sample; 0 for plain messages
    windows: int  # timed
    samples: int  # per window, each to its own destination

    @property
    def pool_bytes(self) -> int:
        """Bytes of one worker's pool: every sample of a window, padded to whole blocks."""
        return self.places * self.point.descriptors * self.point.descriptor_bytes

    @property
    def places(self) -> int:
        """How many samples of a window have a place of their own: all, or one if it is hot."""
        return 1 if self.point.pattern == "hot" else self.samples


@dataclass(frozen=True)
class _Carried:
    """One way in which a table's bytes are moved."""

    transport: str
    op: str
    pair: Pair
    flows: int  # pairs that transfer at the same time
    settings: Mapping[str, str]


def points(spec: SweepSpec, devices: Sequence[int] = TWO_DEVICES) -> list[PlannedPoint]:
    """Return every point of `spec` on `devices`, in its own order; no two are equal.

    Equal points of different launches are repetitions, so the same point twice in one
    launch would be counted as two launches.
    """
    planned: dict[PointKey, tuple[str, PlannedPoint]] = {}
    for table, one in _planned(spec, devices):
        key = point_key(one.point)
        if key in planned:
            message = f"{table} and {planned[key][0]} both plan {key.transport} {key.op} of {key.workload}, {key.unit}, {key.pattern}"
            raise BadInput("same-point-twice", message, "points must differ in more than tokens of the last block")
        if one.pool_bytes > MAX_POOL_BYTES:
            message = f"{table} needs {format_bytes(one.pool_bytes)} in each worker"
            raise BadInput(
                "too-much-memory", message, f"at most {format_bytes(MAX_POOL_BYTES)}: fewer samples or tokens"
            )
        planned[key] = table, one
        if len(planned) > MAX_POINTS:
            raise BadInput("too-many-points", f"more than {MAX_POINTS} points", "split the sweep")
    if not planned:
        raise BadInput("nothing-to-measure", "nothing to measure", "add a [[kv]] or [[bytes]] table")
    return [one for _, one in planned.values()]


def schedule(points: Sequence[PlannedPoint], launches: int, seed: int) -> list[list[int]]:
    """Return, for each launch, the indices of `points` in the order to measure them.

    Each launch has its own random order, so that neither a neighbour nor the time since
    the start favours a point. An order depends on the seed, the launch and the number of
    points alone: it stays the same when launches are added or a run is resumed.
    """
    if seed < 0:
        raise BadInput("bad-seed", f"the seed is {seed}", "accepted: 0 or more")
    return [np.random.default_rng((seed, launch)).permutation(len(points)).tolist() for launch in range(launches)]


def _planned(spec: SweepSpec, devices: Sequence[int]) -> Iterator[tuple[str, PlannedPoint]]:
    """Yield every point with the name of the table that asks for it."""
    named = {op for kv in spec.kv for op in kv.ops} | {op for messages in spec.messages for op in messages.ops}
    for index, kv in enumerate(spec.kv):
        for carried in _carried(f"kv[{index}]", kv, devices, named):
            for point in _kv_points(kv, carried):
                yield f"kv[{index}]", PlannedPoint(point, "kv", kv.layout, kv.tokens, spec.windows, kv.samples)
    for index, messages in enumerate(spec.messages):
        for carried in _carried(f"bytes[{index}]", messages, devices, named):
            for point in _message_points(messages, carried):
                yield f"bytes[{index}]", PlannedPoint(point, "bytes", None, 0, spec.windows, messages.samples)


def _carried(
    table: str, sweep: KvSweep | MessageSweep, devices: Sequence[int], named: Collection[str]
) -> Iterator[_Carried]:
    """Yield each transport of a table with every op, pair of memories and settings that it has.

    `named` are the ops that any table asks for.
    """
    pairs = expanded(map(parse_pair, sweep.memory), devices)
    for transport in sweep.transports:
        traits = traits_of(transport)  # of a stranger everything is tried: it is told later that nobody knows it
        ops = ops_for(traits, sweep.ops, named) if traits else list(sweep.ops)
        able = {op: [pair for pair in pairs if traits is None or can_move(traits, op, pair)] for op in ops}
        served_elsewhere = not ops and traits is not None
        if not any(able.values()) and transport != CEILING and not served_elsewhere:
            asked = f"{', '.join(sweep.ops)} between {', '.join(map(str, pairs[:4]))}"
            raise BadInput("cannot-move", f"{table}: {transport} can do none of {asked}", "see memory and ops")
        for op, settings in product(ops, sweep.settings.get(transport) or [{}]):
            checked = check_settings(transport, op, settings)
            if "alone" in sweep.pairs:
                yield from (_Carried(transport, op, pair, 1, checked) for pair in able[op])
            if "together" in sweep.pairs:
                apart = [pair for pair in able[op] if pair.source != pair.destination] if not through_file(op) else []
                yield from (_Carried(transport, op, pair, len(apart), checked) for pair in apart if len(apart) > 1)


def _kv_points(kv: KvSweep, carried: _Carried) -> Iterator[Point]:
    sample_bytes = kv.layout.blocks(kv.tokens) * kv.layout.block_bytes
    for unit, pattern in product(kv.units, kv.patterns):
        unit_bytes = kv.layout.unit_bytes(unit)
        if needs_whole_blocks(carried.op, carried.settings, unit_bytes):
            continue
        count = sample_bytes // unit_bytes
        yield _point(carried, kv.model, pattern=pattern, unit=unit, nbytes=unit_bytes, count=count)


def _message_points(messages: MessageSweep, carried: _Carried) -> Iterator[Point]:
    """Yield points of one descriptor: scattered, each sample to a random slot of its own, or hot, all to one."""
    for size, pattern in product(messages.sizes, messages.patterns):
        if needs_whole_blocks(carried.op, carried.settings, size):
            continue
        yield _point(carried, "bytes", pattern=pattern, unit="bytes", nbytes=size, count=1)


def _point(carried: _Carried, workload: str, *, pattern: str, unit: str, nbytes: int, count: int) -> Point:
    return Point.model_validate(
        {
            "transport": carried.transport,
            "op": carried.op,
            "source": carried.pair.source,
            "destination": carried.pair.destination,
            "flows": carried.flows,
            "workload": workload,
            "pattern": pattern,
            "unit": unit,
            "descriptor_bytes": nbytes,
            "descriptors": count,
            "settings": dict(carried.settings),
        }
    )
