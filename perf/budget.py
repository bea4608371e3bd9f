"""How long a sweep may go on: a launch is begun only if it should end in time, and none goes on when the time is over.

Launches are alike, so the longest so far says how long the next will take. What a
budget leaves out is said, and `--resume` goes on with it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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
        if self._seconds is not None and now + self._longest > self._begun + self._seconds:
            return False
        self._launch = now
        return True

    def launched(self) -> None:
        """Note that the launch has ended."""
        self._longest = max(self._longest, self._clock() - self._launch)
