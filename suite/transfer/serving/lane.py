"""Transfers of one endpoint that go one after the other, because what they need is limited.

In compat mode cuFile waits for ever when all that is under way needs more
bounce buffers than it has (`suite.transports.nixl_limits`); it counts per process.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from suite.errors import KvgaugeError, Unsupported
from suite.kv.plan import Plan
from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from suite.transports.base import Transfer

_LIMITS = frozenset({"too-many-descriptors", "batch-would-hang"})


def parts_of(plan: Plan, prepare: Callable[[Plan], Transfer]) -> list[Transfer]:
    """Return transfers that move `plan` together: as many as the endpoint's limits ask for."""
    try:
        return [prepare(plan)]
    except Unsupported as refused:
        if refused.code not in _LIMITS or len(plan) == 1:
            raise
    half = len(plan) // 2
    return [*parts_of(_rows(plan, slice(half)), prepare), *parts_of(_rows(plan, slice(half, None)), prepare)]


class Lane:
    """Posts one part at a time, in the order in which transfers came."""

    def __init__(self) -> None:
        self._queue: deque[InTurn] = deque()

    def enter(self, transfer: InTurn) -> None:
        """Put a transfer behind those that are here."""
        self._queue.append(transfer)

    def drive(self) -> None:
        """Go on with the first; whose failure it is finds it in its own `poll`."""
        while self._queue and self._queue[0].step() is State.DONE:
            self._queue.popleft()


class InTurn:
    """A transfer in parts; one that is let go still ends the part that is under way, and nobody else's begins before."""

    def __init__(self, lane: Lane, parts: Sequence[Transfer]) -> None:
        self._lane = lane
        self._parts = deque(parts)
        self._ended: list[Transfer] = []
        self._active = self._let_go = False
        self._error: KvgaugeError | None = None
        self.posted_descriptors = sum(part.posted_descriptors for part in parts)

    def post(self) -> State:
        """Wait in the lane; the first part may begin at once."""
        self._lane.enter(self)
        return self.poll()

    def poll(self) -> State:
        """Drive the lane; raises what a part of this transfer raised."""
        self._lane.drive()
        if self._error is not None:
            raise self._error
        return State.PENDING if self._parts else State.DONE

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse, as its parts do."""
        raise Unsupported("cannot-cancel", "storage has no cancel that proves the writes have stopped")

    def release(self) -> None:
        """Free all parts; the one that is under way when it has ended."""
        self._let_go = True
        while len(self._parts) > self._active:
            self._ended.append(self._parts.pop())
        self._free()

    def step(self) -> State:
        """For the lane: go on; DONE when there is nothing more to do, also after a failure."""
        try:
            while self._parts and self._moved():
                self._ended.append(self._parts.popleft())
                self._active = False
                self._free()
        except KvgaugeError as error:
            self._error = error
            self._ended += self._parts
            self._parts.clear()
            self._active = False
            self._free()
        return State.PENDING if self._parts else State.DONE

    def _moved(self) -> bool:
        part = self._parts[0]
        state = part.poll() if self._active else part.post()
        self._active = True
        if state is not State.DONE:
            return False
        part.finish()
        return True

    def _free(self) -> None:
        if self._let_go:
            for part in self._ended:
                part.release()
            self._ended.clear()


def _rows(plan: Plan, some: slice) -> Plan:
    source, destination = plan.source[some], plan.destination[some]
    nbytes = int(source[:, 1].sum())
    return Plan(source, destination, nbytes, nbytes, nbytes)
