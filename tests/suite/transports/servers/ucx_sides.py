"""A worker that is one side of a UCX endpoint: prefill sends, decode receives; found through PYTHONPATH."""

from __future__ import annotations

import base64
import ctypes
import gc
import os
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from endpoints import Endpoints

from suite.errors import KvgaugeError
from suite.kv.plan import Plan
from suite.transports.base import Op, State
from suite.transports.ucx import UcxTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite.transports.ucx_transfer import ReceiveTransfer, SendTransfer


class Sides(Endpoints):
    def __init__(self, role: str) -> None:
        super().__init__(role)
        self._transfers: list[SendTransfer | ReceiveTransfer] = []

    def open(self, settings: dict[str, str]) -> str:
        role: Any = "initiator" if self._agent == "prefill" else "target"
        self._endpoint = UcxTransport("ucx").open(self._agent, settings, role)
        self._endpoint.register(self._region)
        self._transfers = []
        return base64.b64encode(self._endpoint.metadata()).decode()

    def prepare(
        self, rows: list[list[int]], addresses: dict[str, int], tag: str = "", op: str = "WRITE"
    ) -> dict[str, Any]:
        """Prepare this side of rows of (source offset, destination offset, length)."""
        table = np.array(rows, np.uint64)
        sides = [
            np.column_stack((table[:, column] + np.uint64(addresses[role]), table[:, 2], np.zeros(len(table)))).astype(
                np.uint64
            )
            for column, role in enumerate(("prefill", "decode"))
        ]
        total = int(table[:, 2].sum())
        peer = "decode" if self._agent == "prefill" else "prefill"
        transfer = self._endpoint.prepare(Op(op), Plan(*sides, total, total, total), peer, tag.encode())
        self._transfers.append(transfer)
        return {"descriptors": transfer.posted_descriptors, "packing": type(transfer._message._packing).__name__}

    def run(self, order: Sequence[int] = (0,), times: int = 1) -> float:
        """Post the transfers in `order`, all at once if this side receives; return the seconds of all `times`."""
        start = time.perf_counter()
        for _ in range(times):
            wanted = [self._transfers[index] for index in order]
            if self._agent == "decode":
                for transfer in wanted:
                    transfer.post()
            for transfer in wanted:
                if self._agent == "prefill" and transfer.post() is State.DONE:
                    continue
                while transfer.poll() is not State.DONE:
                    pass
                transfer.finish()
        return time.perf_counter() - start

    def window(self, times: int) -> float:
        """Run the first transfer `times` times, each acknowledged by the receiver; return the seconds of one."""
        took = []
        for _ in range(times):
            start = time.perf_counter()
            self.run()
            if self._agent == "decode":
                self._endpoint.notify("prefill", b"acknowledged")
            else:
                self.await_tags(1)
            took.append(time.perf_counter() - start)
        return float(np.median(took))

    def post(self) -> str:
        return self._transfers[0].post().name

    def poll(self, seconds: float) -> str:
        """Poll for a while, or until it is done."""
        until, state = time.monotonic() + seconds, State.PENDING
        while state is not State.DONE and time.monotonic() < until:
            state = self._transfers[0].poll()
        return state.name

    def pump(self, seconds: float) -> None:
        """Drive UCX for a while, whatever becomes of the transfers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._endpoint.progress()

    def phases(self) -> dict[str, int]:
        return self._transfers[0].phases_ns

    def refusal(self, question: str, arguments: dict[str, Any]) -> dict[str, str]:
        """Ask what must be refused; return the error."""
        try:
            getattr(self, question)(**arguments)
        except KvgaugeError as error:
            return {"code": error.code, "message": error.message}
        raise AssertionError(f"{question} was not refused")

    def buffer(self, what: str) -> None:
        """Give UCXX a message of another shape."""
        grid = np.arange(64, dtype=np.uint8).reshape(8, 8)
        shapes = {"gaps": grid[:, ::2], "strided": grid.reshape(-1)[::2], "words": np.zeros(8), "grid": grid}
        self._endpoint._ucxx.buffer(shapes[what])

    def load_nixl(self) -> None:
        import_module("nixl_cu12")

    def variables(self) -> dict[str, str]:
        """Return UCX's variables as C's `getenv` has them: os.environ is only Python's view."""
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_char_p
        names = [name for name in os.environ if name.startswith("UCX_")]
        also = ["UCX_RNDV_THRESH", "UCX_RNDV_FRAG_MEM_TYPE", "UCX_MAX_RNDV_RAILS", "UCX_CUDA_COPY_MAX_REG_RATIO"]
        found = {name: getenv(name.encode()) for name in [*names, *also]}
        return {name: value.decode() for name, value in found.items() if value is not None}

    def configuration(self) -> dict[str, str]:
        return dict(self._endpoint._context._context.config)

    def close(self) -> dict[str, Any]:
        """Close; return the evidence of this side, and the contexts in the log."""
        transfers = self._transfers  # kept, as a sweep's worker keeps them until the next point
        self._endpoint.close()
        gc.collect()
        found = self._endpoint.evidence(Op.WRITE, (1, 1))
        del transfers
        return {
            "wire": found.wire,
            "count": found.count,
            "operation": found.operation,
            "detail": found.detail,
            "reason": found.reason,
        }
