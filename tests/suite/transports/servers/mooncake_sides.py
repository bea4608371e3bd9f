"""A worker that is one side of a Mooncake endpoint; found through PYTHONPATH."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

from endpoints import Endpoints

from suite.errors import KvgaugeError
from suite.transports.base import Op
from suite.transports.mooncake import MooncakeTransport

if TYPE_CHECKING:
    from suite.transports.mooncake import MooncakeEndpoint, MooncakeTransfer


class Sides(Endpoints):
    _endpoint: MooncakeEndpoint
    _transfer: MooncakeTransfer

    def open(self, settings: dict[str, str]) -> str:
        self._endpoint = MooncakeTransport("mooncake:tcp").open(self._agent, settings, "initiator")
        self._endpoint.register(self._region)
        return base64.b64encode(self._endpoint.metadata()).decode()

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

    def claim(self, op: str, peer: str, nbytes: int) -> None:
        """Pretend that the engine moved more than it did, as one would that goes around TCP."""
        self._endpoint.count(Op(op), peer, nbytes)

    def close(self, op: str) -> dict[str, Any]:
        self._endpoint.close()
        found = self._endpoint.evidence(Op(op), (1, 1))
        return {"wire": found.wire, "source": found.source, "detail": found.detail, "reason": found.reason}
