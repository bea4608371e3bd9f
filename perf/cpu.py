"""Processor time of both sides of a point, over its launches: what a transfer costs beside its time.

A process that polls uses a whole processor whatever it moves, so seconds per GB fall where the rate
rises: that is a cost of polling, not of bytes, and the share of a processor stands beside it. What
the kernel does for a process outside of it, such as network interrupts, is in no process's time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf.statistics import median_interval
from perf.summary import Cpu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.summary import Repetition

SIDES = ("initiator", "target")
POLLS = 0.9  # of a processor, when it has one: such a side waits by looking again and again


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
