"""A worker that is one side of a Mooncake endpoint; found through PYTHONPATH."""

from __future__ import annotations

import base64
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import KvgaugeError
from suite.kv.plan import Plan
from suite.memory.host import HostRegion
from suite.transports.base import Op
from suite.transports.mooncake import MooncakeTransport

if TYPE_CHECKING:
    from suite.transports.mooncake import MooncakeEndpoint, MooncakeTransfer


class Sides:
    def __init__(self, role: str) -> None:
        self._agent = role
        self._endpoint: MooncakeEndpoint
        self._transfer: MooncakeTransfer

    def begin(self, nbytes: int, seed: int) -> int:
        self._region = HostRegion(nbytes, "4k")
        self._region.write(0, np.random.default_rng(seed).integers(0, 256, nbytes, np.uint8))
        return self._region.address

    def open(self, settings: dict[str, str]) -> str:
        self._endpoint = MooncakeTransport("mooncake:tcp").open(self._agent, settings, "initiator")
        self._endpoint.register(self._region)
        return base64.b64encode(self._endpoint.metadata()).decode()

    def connect(self, peer: str, metadata: str) -> None:
        self._endpoint.connect(peer, base64.b64decode(metadata))

    def prepare(self, op: str, source: list[list[int]], destination: list[list[int]], peer: str, tag: str) -> int:
        nbytes = sum(row[1] for row in source)
        plan = Plan(np.array(source, np.uint64), np.array(destination, np.uint64), nbytes, nbytes, nbytes)
        self._transfer = self._endpoint.prepare(Op(op), plan, peer, tag.encode())
        return self._transfer.posted_descriptors

    def calls(self) -> list[int]:
        return [len(lengths) for _, _, lengths in self._transfer._calls]

    def run(self, times: int = 1) -> list[str]:
        return [self._transfer.post().name for _ in range(times)]

    def refusal(self, question: str, **arguments: Any) -> dict[str, Any]:
        """Ask what must be refused; return the error and how long it took."""
        start = time.monotonic()
        try:
            getattr(self, question)(**arguments)
        except KvgaugeError as error:
            told = {"kind": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint}
            return told | {"seconds": time.monotonic() - start}
        raise AssertionError(f"{question} was not refused")

    def await_tags(self, count: int) -> list[list[str]]:
        arrived: list[list[str]] = []
        while len(arrived) < count:
            arrived += [[peer, tag.decode()] for peer, tag in self._endpoint.progress()]
            os.sched_yield()
        return arrived

    def bytes(self) -> str:
        out = np.empty(self._region.nbytes, np.uint8)
        self._region.read(0, out)
        return base64.b64encode(out).decode()

    def claim(self, op: str, peer: str, nbytes: int) -> None:
        """Pretend that the engine moved more than it did, as one would that goes around TCP."""
        self._endpoint.count(Op(op), peer, nbytes)

    def close(self, op: str) -> dict[str, Any]:
        self._endpoint.close()
        found = self._endpoint.evidence(Op(op), (1, 1))
        return {"wire": found.wire, "source": found.source, "detail": found.detail, "reason": found.reason}
