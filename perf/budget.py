"""How long a sweep may go on: a launch is begun only if it should end in time, and none goes on when the time is over.

Launches are alike, so the slowest so far says how long the next will take (`perf.sharing` has
which points they measure). What a budget leaves out is said, and `--resume` goes on with it.
"""

from __future__ import annotations

import shlex
import time
from collections import Counter
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
        self._slowest = 0.0  # seconds for a point, of the launches so far

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self._seconds is not None and self._clock() - self._begun >= self._seconds

    def fitting(self, launches: int, share: float) -> int | None:
        """Return how many points each of `launches` more can have in this `share` of the time left; None if there is no limit."""
        if self._seconds is None or not self._slowest or launches < 1:
            return None
        left = self._begun + self._seconds - self._clock()
        return max(0, int(share * left / (launches * self._slowest)))

    def launch(self, points: int = 1) -> bool:
        """Begin a launch, if one as slow as the slowest so far would end in time; the first is always begun."""
        now = self._clock()
        if self._seconds is not None and self._slowest and now + points * self._slowest > self._begun + self._seconds:
            return False
        self._launch = now
        return True

    def launched(self, points: int = 1) -> None:
        """Note that the launch has ended."""
        self._slowest = max(self._slowest, (self._clock() - self._launch) / points)


def not_reached(
    missing: Mapping[int, Sequence[tuple[int, int]]], planned: Sequence[PlannedPoint], launches: int, run: Path
) -> Iterator[str]:
    """Say what a budget has left out: of `missing` launch -> (position, index of a point); nothing where all is there."""
    if not missing:
        return
    whole = [launch + 1 for launch, order in missing.items() if len(order) == len(planned)]
    begun = [order for order in missing.values() if len(order) < len(planned)]
    named = [f"launch {', '.join(map(str, whole))} of {launches}"] if whole else []
    if begun:
        of = "a launch that was begun" if len(begun) == 1 else f"{len(begun)} launches that were begun"
        named.append(f"{sum(map(len, begun))} points of {of}")
    yield f"the budget is over; not reached: {' and '.join(named)}"
    if begun and len(missing) == launches == len(whole) + 1:
        lacking = {index for _, index in begun[0]}
        reached = {one.point.transport for index, one in enumerate(planned) if index not in lacking}
        never = sorted({one.point.transport for one in planned} - reached)
        yield f"not one launch fits: the time was enough for {1 - len(lacking) / len(planned):.0%} of its points" + (
            f", and for none of {', '.join(never)}" if never else ""
        )
    lacks = Counter(index for order in missing.values() for _, index in order)
    enough = sum(launches - lacks[index] >= MIN_LAUNCHES for index in range(len(planned)))
    if enough < len(planned) and launches >= MIN_LAUNCHES:
        yield (
            f"{enough} of {len(planned)} points have the {MIN_LAUNCHES} launches that an interval needs; for the others: "
            f"kvgauge sweep --resume {shlex.quote(str(run))}, or fewer points in the spec"
        )
