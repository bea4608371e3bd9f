"""What other tools measured, beside the points of ours that moved as many bytes a request. Nothing is drawn here.

No ratio is made: the other tool's figure is one mean without spread, of a clock, memory and working set of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from perf.outside.standing import standings
from perf.words import NONE, carrier, latency, pieces, rate, workload
from suite.units import format_bytes, format_ns, format_rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.outside.result import OutsideResult
    from perf.outside.standing import Near, Standing
    from perf.summary import PointSummary
    from perf.words import Estimate

MOST = 200  # rows of other tools; the rest is counted


@dataclass(frozen=True)
class Ours:
    """A point of ours beside a result."""

    what: str
    transport: str
    rate: Estimate
    latency: Estimate
    unlike: tuple[str, ...]


@dataclass(frozen=True)
class Theirs:
    """One result of another tool, in our units."""

    tool: str  # with version, transport and op as it names them
    memory: str
    request: str  # "16 of 64 KiB, 1 MiB"
    initiators: str
    rate: str  # GB/s of 1e9 bytes
    printed: str  # the unit as printed
    times: str
    source: str
    notes: tuple[int, ...]  # numbers of `Besides.notes`
    ours: tuple[Ours, ...]
    why_not: str


@dataclass(frozen=True)
class Besides:
    """Everything the section shows; notes are told once and numbered from 1."""

    rows: tuple[Theirs, ...]
    notes: tuple[str, ...]
    more: int


def besides(summaries: Sequence[PointSummary], results: Sequence[OutsideResult]) -> Besides:
    """Return the rows of the section; none without results."""
    shown = standings(summaries, results[:MOST])
    notes = list(dict.fromkeys(note for one in shown for note in one.result.notes))
    return Besides(tuple(_row(one, notes) for one in shown), tuple(notes), max(0, len(results) - MOST))


def _row(one: Standing, notes: Sequence[str]) -> Theirs:
    result = one.result
    return Theirs(
        tool=" ".join(filter(None, [result.tool, result.version, result.transport, result.op])),
        memory=", ".join(filter(None, [result.source_memory, result.destination_memory])) or NONE,
        request=_request(result),
        initiators=NONE if result.initiators is None else f"{result.initiators}",
        rate=NONE if result.emulated else format_rate(result.gb_per_s).removesuffix(" GB/s"),
        printed=result.unit_as_printed,
        times="; ".join(f"{format_ns(timing.ns)} {timing.statistic}" for timing in result.timings),
        source=result.source.rpartition("/")[2],
        notes=tuple(1 + notes.index(note) for note in result.notes),
        ours=tuple(_ours(near) for near in one.near),
        why_not=one.why_not,
    )


def _request(result: OutsideResult) -> str:
    if result.block_bytes is None:
        return NONE
    block, batch = format_bytes(result.block_bytes), result.batch or 1
    return block if batch == 1 else f"{batch} \N{MULTIPLICATION SIGN} {block}"


def _ours(near: Near) -> Ours:
    one = near.summary
    timed = not one.emulated
    return Ours(
        what=f"{one.point.op} {workload(one.point.workload)}, {pieces(one.point)}",
        transport=carrier(one.point),
        rate=rate(one.throughput if timed else None),
        latency=latency(one.latency_ns if timed else None),
        unlike=near.unlike,
    )


def as_json(results: Sequence[OutsideResult]) -> list[dict[str, object]]:
    """Return results of other tools for programs: GB/s of 1e9 bytes, ns; what is not told is null or an empty word."""
    return [asdict(one) for one in results]
