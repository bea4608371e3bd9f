"""Several pairs of memories at once: every pair has workers of its own, and all of them transfer in the same windows.

Groups are started by the main thread (a worker dies with the *thread* that started
it); a thread for each pair then only asks and waits.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from perf.draft import lost
from perf.launch import PointFailed, launched
from perf.record import Failure
from perf.spent import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.launch import Launch, LaunchPlan
    from perf.planning import PlannedPoint
    from perf.record import PointRecord

Member = tuple[int, int, "PlannedPoint"]  # index, position in the launch's order, point


def measure_together(plan: LaunchPlan, attempt: str, members: Sequence[Member]) -> list[PointRecord]:
    """Measure points that differ in their memories only, in the same windows; a lost one costs all of them."""
    gate = threading.Barrier(len(members))
    with ExitStack() as stack:
        # all are in their windows at the same time: one of them has the stopwatch
        plans = [plan if pair == 0 else replace(plan, stopwatch=Stopwatch()) for pair in range(len(members))]
        launches = [stack.enter_context(launched(one, f"{attempt}-pair{pair}")) for pair, one in enumerate(plans)]
        with ThreadPoolExecutor(len(members)) as threads:
            pairs = range(len(members))
            records = list(
                threads.map(lambda pair: _measured(plan, launches[pair], members[pair], (pair, gate)), pairs)
            )
        if any(record.failure for record in records):
            for launch in launches:
                launch.group.kill()  # some may still be writing
    return records


def _measured(plan: LaunchPlan, launch: Launch, member: Member, place: tuple[int, threading.Barrier]) -> PointRecord:
    (index, position, planned), (pair, gate) = member, place
    try:
        return launch.measure(index, position, planned, pair=pair, gate=gate)
    except PointFailed as failed:
        gate.abort()
        return failed.record
    except threading.BrokenBarrierError:
        detail = "it is only known how fast it is beside all others"
        failure = Failure(role="supervisor", phase="window", reason="another pair failed", detail=detail)
        return lost(plan.launch, position, planned, failure)
