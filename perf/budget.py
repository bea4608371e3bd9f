"""How long a sweep may go on: a launch is begun only if it should end in time, and none goes on when the time is over.

Every launch measures every point, so launches share the time out evenly among transports
and points. They are alike, so the longest so far says how long the next will take.
What a budget leaves out is said, and `--resume` goes on with it.
"""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

from perf.analysis import MIN_LAUNCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from perf.planning import PlannedPoint


class Budget:
    """The time of one invocation, from now on; `seconds` None is all the time there is."""

    def __init__(self, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = self._launch = clock()
        self._seconds = seconds
        self._longest = 0.0

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self._seconds is not None and self._clock() - self._begun >= self._seconds

    def launch(self) -> bool:
        """Begin a launch, if one as long as the longest so far would end in time; the first is always begun."""
        now = self._clock()
        if self._seconds is not None and self._longest and now + self._longest > self._begun + self._seconds:
            return False
        self._launch = now
        return True

    def launched(self) -> None:
        """Note that the launch has ended."""
        self._longest = max(self._longest, self._clock() - self._launch)


def not_reached(
    missing: Mapping[int, Sequence[tuple[int, int]]], planned: Sequence[PlannedPoint], launches: int, run: Path
) -> Iterator[str]:
    """Say what a budget has left out: of `missing` launch -> (position, index of a point); nothing where all is there."""
    if not missing:
        return
    whole = [launch + 1 for launch, order in missing.items() if len(order) == len(planned)]
    parts = sum(len(order) for order in missing.values() if len(order) < len(planned))
    named = [f"launch {', '.join(map(str, whole))} of {launches}"] if whole else []
    named += [f"{parts} points of a launch that was begun"] if parts else []
    yield f"the budget is over; not reached: {' and '.join(named)}"
    done = launches - len(missing)
    begun = {index for order in missing.values() if len(order) < len(planned) for _, index in order}
    if not done and begun:
        reached = {one.point.transport for index, one in enumerate(planned) if index not in begun}
        never = sorted({one.point.transport for one in planned} - reached)
        share = 1 - len(begun) / len(planned)
        yield f"not one launch fits: the time was enough for {share:.0%} of its points" + (
            f", and for none of {', '.join(never)}" if never else ""
        )
    if done < MIN_LAUNCHES <= launches:
        ended = f"{done} launch has" if done == 1 else f"{done} launches have"
        yield (
            f"{ended} ended, and an interval needs {MIN_LAUNCHES}: "
            f"kvgauge sweep --resume {shlex.quote(str(run))}, or fewer points in the spec"
        )
