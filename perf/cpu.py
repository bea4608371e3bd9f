"""Processor time of both sides of a point, over its launches: what a transfer costs beside its time.

A process that polls uses a whole processor whatever it moves, so seconds per GB fall where the rate
rises: that is a cost of polling, not of bytes, and the share of a processor stands beside it. What
the kernel does for a process outside of it, such as network interrupts, is in no process's time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.choice import choices
from perf.identity import CEILING, transfer_key
from perf.statistics import median_interval
from perf.summary import Cpu
from perf.words import carrier, piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.summary import PointSummary, Repetition

SIDES = ("initiator", "target")


def cpu(repetitions: Sequence[Repetition]) -> dict[str, Cpu]:
    """Return what each side used; a side that no launch has told of is left out."""
    found = {}
    for side in SIDES:
        having = [(one.used[side], one.bytes) for one in repetitions if side in one.used and one.bytes]
        if having:
            found[side] = Cpu(
                seconds_per_gb=median_interval([used.cpu_ns / nbytes for used, nbytes in having]),
                share=median_interval([used.cpu_ns / used.wall_ns for used, _ in having]),
            )
    return found


def line(summaries: Sequence[PointSummary]) -> str:
    """Return what the transfer that decides costs in processor time, by everything that moved it; empty without any."""
    for choice in choices(summaries):
        key = transfer_key(choice.point)
        same = [one for one in summaries if transfer_key(one.point) == key and one.cpu]
        if same:
            ordered = sorted(same, key=lambda one: (one.point.transport == CEILING, _total(one), carrier(one.point)))
            told = "; ".join(f"{carrier(one.point)} {_sides(one)}" for one in ordered)
            return f"Processor time for a GB of {choice.workload} ({choice.op}, {piece(choice.point)}), initiator + target: {told}."
    return ""


def _total(one: PointSummary) -> float:
    return sum(side.seconds_per_gb.median for side in one.cpu.values())


def _sides(one: PointSummary) -> str:
    return " + ".join(f"{one.cpu[side].seconds_per_gb.median:.2g} s" for side in SIDES if side in one.cpu)
