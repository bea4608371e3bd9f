"""How long to wait for an answer.

hypothesis asks again and again while it shrinks an input. An implementation
that hangs would cost a full deadline each time, hours in all; so after some
misses we wait only as long as its slowest answer makes plausible.
"""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_MISSES = 6
_LEAST_S = 0.25
_SLOWER = 10.0  # than the slowest answer so far
_AGAIN_S = 1.0  # the alarm rings again if `except:` of the callee's swallowed it


class TooLate(BaseException):
    """A call did not return in time; no `except Exception` on its way stops it."""


class Patience:
    """The deadline of the next question to one implementation."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._misses = 0
        self._slowest_s = 0.0

    @property
    def left_s(self) -> float:
        """Return how long the next question may take."""
        if self._misses < _MISSES:
            return self._deadline_s
        return min(self._deadline_s, max(_LEAST_S, _SLOWER * self._slowest_s))

    @contextmanager
    def waiting(self) -> Iterator[float]:
        """Give the deadline of one question, and learn from what becomes of it."""
        limit_s, begun = self.left_s, time.monotonic()
        try:
            yield limit_s
        finally:
            took_s = time.monotonic() - begun
            if took_s >= limit_s:
                self._misses += 1
            else:
                self._slowest_s = max(self._slowest_s, took_s)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TooLate` in the block after `seconds`.

    An alarm, so only in the main thread, and not where somebody else's alarm
    (pytest-timeout) rings sooner. C code that neither returns nor looks for
    signals is not interrupted.
    """
    sooner = 0 < signal.getitimer(signal.ITIMER_REAL)[0] < seconds
    if sooner or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGALRM, _ring)
    begun = time.monotonic()
    left_s, interval_s = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        if left_s:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left_s - (time.monotonic() - begun)), interval_s)


def _ring(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TooLate
