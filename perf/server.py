"""What a worker of a sweep can be asked: one object in each worker process.

The supervisor asks in this order: `begin`; for every point `open`, `connect`,
`prepare`, then for every window `stamp`, `serve` and `post` (at the same
time, one at either side), `check`; then `close`. Answers are plain JSON.
"""

from __future__ import annotations

import base64
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from perf import workload
from perf.window import ACKNOWLEDGED, DELIVERED, await_tag, run_window
from suite.kv import diagnosis
from suite.kv import stamp as content_of
from suite.kv.plan import LENGTH
from suite.memory.host import HostRegion
from suite.transports import base
from suite.transports.base import Endpoint, Op, Transfer, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from suite.kv.plan import Plan

_LATE_S = 0.25  # bytes that arrive this long after "done" were announced too early
OPS = {"push": Op.WRITE, "pull": Op.READ}


class PointServer:
    """The prefill or decode worker of a launch."""

    def __init__(self, role: Literal["prefill", "decode"], load: Callable[[str], Transport] = base.load) -> None:
        self._side = content_of.Side.PREFILL if role == "prefill" else content_of.Side.DECODE
        self._load = load
        self._region: HostRegion
        self._endpoint: Endpoint
        self._peer = ""
        self._posts = False
        self._op = Op.WRITE
        self._window: list[Plan] = []
        self._work: workload.Work
        self._addresses: dict[str, int] = {}
        self._transfers: list[Transfer] = []
        self._phases: dict[str, int] = {}

    def begin(self, nbytes: int, pages: Literal["4k", "huge"]) -> dict[str, Any]:
        """Allocate this worker's region: pool, spare and guards."""
        self._region = HostRegion(nbytes, pages)
        return {"allocation": self._region.allocation, "address": self._region.address}

    def open(self, agent: str, transport: str, settings: Mapping[str, str], posts: bool) -> dict[str, Any]:  # noqa: FBT001  JSON arguments are named
        """Open the endpoint of a point and register the region."""
        self._phases = {}
        self._posts = posts
        with self._timed("open"):
            self._endpoint = self._load(transport).open(agent, settings, "initiator" if posts else "target")
        with self._timed("register"):
            self._endpoint.register(self._region)
        with self._timed("metadata"):
            metadata = self._endpoint.metadata()
        return {"metadata": base64.b64encode(metadata).decode()}

    def connect(self, peer: str, metadata: str) -> None:
        """Learn the peer's metadata."""
        self._peer = peer
        with self._timed("connect"):
            self._endpoint.connect(peer, base64.b64decode(metadata))

    def prepare(
        self, work: Mapping[str, Any], op: Literal["push", "pull"], addresses: Mapping[str, int]
    ) -> dict[str, Any]:
        """Build the window's plans; the initiator prepares a transfer for each."""
        self._work, self._op, self._addresses = workload.from_json(work), OPS[op], dict(addresses)
        self._window = workload.window(
            self._work, source=addresses["prefill"], destination=addresses["decode"], nbytes=self._region.nbytes
        )
        self._transfers = []
        if self._posts:
            with self._timed("prepare"):
                self._transfers = [
                    self._endpoint.prepare(self._op, plan, self._peer, self._tag(index))
                    for index, plan in enumerate(self._window)
                ]
        first = self._window[0]
        return {
            "logical_bytes": first.logical_bytes,
            "padded_bytes": first.padded_bytes,
            "wire_bytes": first.wire_bytes,
            "posted_descriptors": self._transfers[0].posted_descriptors if self._transfers else 0,
        }

    def stamp(self, epoch: int) -> None:
        """Write the epoch's content: the KV cache at the prefill side, fresh paint at the decode side."""
        content_of.fill(self._words(), content_of.uniform(self._region.nbytes // content_of.WORD, self._side, epoch))

    def serve(self) -> None:
        """Drive a target's side of one window; tell a pushing initiator that all of it is here."""
        await_tag(self._endpoint, DELIVERED)
        if self._op is Op.WRITE:
            self._endpoint.notify(self._peer, ACKNOWLEDGED)

    def post(self) -> dict[str, Any]:
        """Run one window; return its timing."""
        return asdict(run_window(self._transfers, self._wait_for_delivery))

    def check(self, epoch: int) -> dict[str, Any]:
        """Compare every byte of this worker's region with what it must be after the window."""
        words = self._words()
        content = self._content(epoch)
        wrong = content_of.first_difference(words, content)
        return {"bytes": self._region.nbytes, "findings": [] if wrong is None else self._findings(epoch, wrong)}

    def close(self) -> dict[str, Any]:
        """Take the point down; the initiator returns its evidence."""
        with self._timed("release"):
            for transfer in self._transfers:
                transfer.release()
        with self._timed("close"):
            self._endpoint.close()
        evidence = asdict(self._endpoint.evidence(self._op, self._sizes())) if self._posts else None
        return {"phases_ns": self._phases, "evidence": evidence}

    def _content(self, epoch: int) -> content_of.Content:
        if self._side is content_of.Side.PREFILL:
            return content_of.uniform(self._region.nbytes // content_of.WORD, self._side, epoch)
        return content_of.landed(
            self._window,
            words=self._region.nbytes // content_of.WORD,
            source=self._addresses["prefill"],
            destination=self._addresses["decode"],
            epoch=epoch,
        )

    def _findings(self, epoch: int, wrong: int) -> list[str]:
        """Say what is wrong, word `wrong` first, after a moment in which late bytes may still arrive."""
        if self._side is content_of.Side.PREFILL:
            return ["the source itself was changed"]
        before = self._diagnose(epoch)
        time.sleep(_LATE_S)
        after = self._diagnose(epoch)
        if after:
            return [str(finding) for finding in after]
        late = sum(finding.count for finding in before) or 1  # none where the last bytes came just after the check
        place = workload.places(self._work, self._region.nbytes).destination(wrong * content_of.WORD)
        return [str(diagnosis.Finding(diagnosis.Fault.LATE, late, place))]

    def _diagnose(self, epoch: int) -> tuple[diagnosis.Finding, ...]:
        return diagnosis.diagnose(
            self._words(),
            self._window,
            source=self._addresses["prefill"],
            destination=self._addresses["decode"],
            epoch=epoch,
            places=workload.places(self._work, self._region.nbytes),
        )

    def _wait_for_delivery(self) -> None:
        """Wait for the destination's word; a puller is the destination itself."""
        if self._op is Op.WRITE:
            await_tag(self._endpoint, ACKNOWLEDGED)

    def _tag(self, index: int) -> bytes:
        """Announce only the last sample of a window: it completes after all others."""
        return DELIVERED if index == len(self._window) - 1 else b""

    def _sizes(self) -> tuple[int, int]:
        lengths = np.concatenate([plan.merged().source[:, LENGTH] for plan in self._window])
        return int(lengths.min()), int(lengths.max())

    def _words(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        return self._region.view().view(np.uint64)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        start = time.perf_counter_ns()
        yield
        self._phases[phase] = self._phases.get(phase, 0) + time.perf_counter_ns() - start
