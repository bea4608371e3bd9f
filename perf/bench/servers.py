"""Servers of benchmarks: bare loops beside our window, and workers that are slower on purpose."""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from perf.holdings import Held
from perf.server import PointServer
from perf.window import ACKNOWLEDGED, await_tag
from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.transports.base import Transfer
    from suite.transports.nixl import NixlTransfer

_IOV_MAX = 1024


class BareServer(PointServer):
    """A worker that can also be asked to do a window's work the shortest way."""

    def bare_nixl(self) -> dict[str, int]:
        """Post every handle of the window by NIXL's own two calls."""
        agent = self._endpoint._agent  # type: ignore[attr-defined]  # NixlEndpoint, not any endpoint
        transfers: list[NixlTransfer] = self._transfers  # type: ignore[assignment]  # as above
        requests = [(one._handles[0], one._tag) for one in transfers]
        start = time.perf_counter_ns()
        for handle, tag in requests:
            state = agent.transfer(handle, tag)
            while state == "PROC":
                state = agent.check_xfer_state(handle)
        elapsed = time.perf_counter_ns() - start
        await_tag(self._endpoint, ACKNOWLEDGED)
        return {"elapsed_ns": elapsed}

    def bare_copy(self, pid: int) -> dict[str, int]:
        """Read every row of the window with `process_vm_readv`, as many rows a call as the kernel takes."""
        call = ctypes.CDLL(None, use_errno=True).process_vm_readv
        sides = [
            [
                np.ascontiguousarray(side[:, :2])
                for route in self._routes
                for side in [getattr(self._hop(route).merged(), name)]
            ]
            for name in ("destination", "source")
        ]
        calls: list[tuple[Any, ...]] = []
        for local, remote in zip(*sides, strict=True):
            for start in range(0, len(local), _IOV_MAX):
                count = len(local[start : start + _IOV_MAX])
                pointers = [ctypes.c_void_p(side[start:].ctypes.data) for side in (local, remote)]
                calls.append((pid, pointers[0], count, pointers[1], count, 0))
        begin = time.perf_counter_ns()
        for arguments in calls:
            call(*arguments)
        return {"elapsed_ns": time.perf_counter_ns() - begin}

    def pid(self) -> int:
        """Return the process id."""
        return os.getpid()

    def content(self, side: Literal["fill", "check"]) -> dict[str, int]:
        """Time one write, or one check, of the whole region."""
        held = Held.of(self._role, self._holdings.memory("host", "cudaMalloc"))
        content = held.before(1, source=False)
        begin = time.perf_counter_ns()
        if side == "fill":
            held.access.fill(content)
        elif held.access.first_difference(content) is not None:
            raise AssertionError("the region was not filled")
        return {"elapsed_ns": time.perf_counter_ns() - begin}


class Slowed:
    """A transfer that takes longer than it needs, inside the timed region: busy, as slower code is."""

    def __init__(self, real: Transfer, share: float) -> None:
        self._real, self._share = real, share
        self._begun = 0

    def post(self) -> State:
        """Post the transfer; one that is done at once is stretched here."""
        self._begun = time.perf_counter_ns()
        return self._stretched(self._real.post())

    def poll(self) -> State:
        """Ask for it; once it is done, wait for the share of what it took."""
        return self._stretched(self._real.poll())

    def _stretched(self, state: State) -> State:
        if state is State.DONE:
            now = time.perf_counter_ns()
            until = now + self._share * (now - self._begun)
            while time.perf_counter_ns() < until:
                pass
        return state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class SlowedServer(PointServer):
    """A worker whose transfers take the percentage in `SLOWED_PERCENT` longer; without the variable it is an honest one."""

    def prepare(self, work: Mapping[str, Any], addresses: Mapping[str, int]) -> dict[str, Any]:
        """Prepare as usual, and wrap what was prepared."""
        told = super().prepare(work, addresses)
        if share := float(os.environ.get("SLOWED_PERCENT", "0")) / 100:
            self._transfers = [Slowed(one, share) for one in self._transfers]
        return told
