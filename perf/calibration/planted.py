"""Transports whose time is known: one that takes as long as it is told to, and one that takes none.

Both really move the bytes, by `copy` between host memory, because every window is checked.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import BadInput, Unsupported
from suite.transports import host_copy
from suite.transports.base import Op, State, Traits
from suite.transports.host_copy import HostCopyEndpoint

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from suite.kv.plan import Plan
    from suite.transports.base import Role
    from suite.transports.host_copy import HostCopyTransfer

LATENCY = "latency_ns"  # the setting
_SPIN_NS = 1_000_000  # who sleeps wakes up late: by 60 us usually, on a loaded machine by a millisecond and more
_MOST_NS = 1_000_000_000


class PlantedTransport:
    """`calibration:planted` takes `latency_ns` from post to completion; `calibration:idle` takes nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.traits = Traits(
            ops=frozenset({Op.WRITE}),
            memory=frozenset({("host", "host")}),
            progress=MappingProxyType({"initiator": "caller", "target": "kernel"}),
        )

    def missing(self, environment: Mapping[str, str] | os._Environ[str] = MappingProxyType({})) -> str | None:
        """Try the kernel's copy between processes."""
        del environment
        return host_copy.refused()

    def open(self, agent: str, settings: Mapping[str, str], role: Role) -> PlantedEndpoint | IdleEndpoint:
        """Return an endpoint with the latency that the settings plant."""
        del role
        if LATENCY not in settings:
            return IdleEndpoint(agent)
        planted = settings[LATENCY]
        if not planted.isdecimal() or int(planted) > _MOST_NS:
            raise BadInput("bad-setting", f"{self.name}: {LATENCY} = {planted[:60]!r}", f"at most {_MOST_NS}")
        return PlantedEndpoint(agent, int(planted))


class PlantedEndpoint(HostCopyEndpoint):
    """`copy`, but no transfer completes before its time."""

    def __init__(self, agent: str, planted_ns: int) -> None:
        super().__init__(agent)
        self._planted_ns = planted_ns

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> PlantedTransfer:  # type: ignore[override]  # a transfer all the same
        """Return a copy that completes late."""
        return PlantedTransfer(super().prepare(op, plan, peer, tag), self._planted_ns)


class PlantedTransfer:
    """Done when its time has come: an absolute deadline, so that what comes before it does not add to it."""

    def __init__(self, copy: HostCopyTransfer, planted_ns: int) -> None:
        self._copy, self._planted_ns = copy, planted_ns
        self._deadline_ns = 0
        self.posted_descriptors = copy.posted_descriptors

    def post(self) -> State:
        """Copy, well within the planted time, and begin to wait."""
        self._deadline_ns = time.perf_counter_ns() + self._planted_ns
        self._copy.post()
        return State.PENDING

    def poll(self) -> State:
        """Sleep until the deadline is near, then spin: only a spinning process is on time."""
        left = self._deadline_ns - time.perf_counter_ns()
        if left > _SPIN_NS:
            time.sleep((left - _SPIN_NS) / 1e9)
        return State.DONE if left <= 0 else State.PENDING

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse."""
        raise Unsupported("cannot-cancel", "a planted latency cannot be cancelled")

    def release(self) -> None:
        """Nothing is held."""


class IdleEndpoint(HostCopyEndpoint):
    """Transfers that do nothing, but the last of a window, which moves the bytes of all of them."""

    def __init__(self, agent: str) -> None:
        super().__init__(agent)
        self._waiting: list[HostCopyTransfer] = []

    def prepare(self, op: Op, plan: Plan, peer: str | None, tag: bytes) -> IdleTransfer:  # type: ignore[override]  # a transfer all the same
        """Return a transfer that does nothing; the one with a tag, which ends a window, does everything."""
        self._waiting.append(super().prepare(op, plan, peer, tag))
        moved, self._waiting = (self._waiting, []) if tag else ([], self._waiting)
        return IdleTransfer(moved)


class IdleTransfer:
    """A post and a completion with nothing between them."""

    posted_descriptors = 1

    def __init__(self, moved: list[HostCopyTransfer]) -> None:
        self._moved = moved

    def post(self) -> State:
        """Copy what has been left to this transfer: nothing, unless it is the last."""
        for one in self._moved:
            one.post()
        return State.DONE

    def poll(self) -> State:
        """Return DONE."""
        return State.DONE

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse."""
        raise Unsupported("cannot-cancel", "nothing is under way")

    def release(self) -> None:
        """Nothing is held."""
