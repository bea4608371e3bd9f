"""A rank's worker where requests are handed over as files.

To "compute" includes to store: prefill's ranks say that they have computed a
request when the storage says that all of its blocks are in their files. Decode's
ranks are told of it by their server, as in a pull, and fetch from those files
the rows that they would have read from prefill's memory.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.kv import plan as plans
from suite.kv.plan import Plan
from suite.memory.file import FileRegion
from suite.memory.files import FileSpan
from suite.transfer.pools import placed
from suite.transfer.serving.files import Files
from suite.transfer.serving.lane import InTurn, Lane, parts_of
from suite.transfer.serving.seat import Seat
from suite.transports.base import Op, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from suite.transfer.serving.jobs import Job, Report
    from suite.transfer.serving.rooms import Table
    from suite.transfer.task import Way
    from suite.transports.base import Transfer

_clock = time.perf_counter_ns


class FileSeat(Seat):
    """One rank of a server that hands over by files."""

    _file: FileRegion | FileSpan | None = None

    def open(self, agent: str, transport: str, op: str, files: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Open the endpoint; prefill makes its file, or takes the one that an earlier life of it has left."""
        self._files = Files(**files or {})
        self._lane = Lane()
        self._stores: dict[int, InTurn] = {}
        self._stores_from: dict[int, int] = {}  # clock
        told = super().open(agent, transport, op)
        if self._side == "prefill":
            path = self._files.path(self._role)
            new = not path.exists()  # decode has it open: a new one in its place would not be seen there
            self._use(FileRegion(path, self._files.nbytes, direct=self._files.direct, create=new))
        return told

    def connect(self, peers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Learn of the peers; decode opens their files, one behind the other: a peer's "address" is where its own begins."""
        told = super().connect(peers)
        sources = sorted(peers)
        if self._side == "decode" and sources:
            for index, role in enumerate(sources):
                self._peers[role]["address"] = index * self._files.nbytes
            if self._file is None:
                paths = [self._files.path(role) for role in sources]
                nbytes = len(paths) * self._files.nbytes
                self._use(FileSpan(paths, nbytes, direct=self._files.direct, create=False))
        return {**told, "register_ns": self._phases["register"]}

    def close(self) -> dict[str, Any]:
        """Close the endpoint and the file; return the evidence for what this rank stored or fetched."""
        self._endpoint.close()
        if self._file is not None:
            self._file.close()
        if not self._sizes:
            return {"evidence": None}
        op = Op.STORE if self._side == "prefill" else Op.FETCH
        return {"evidence": asdict(self._endpoint.evidence(op, (min(self._sizes), max(self._sizes))))}

    def _settings(self, transport: str) -> dict[str, str]:
        """Return the back end's defaults; on emulated GPUs cuFile has no bounce buffer for more than 1 MiB (error 5030)."""
        return {"max_request_size": str(1 << 20)} if transport == "nixl:GDS" and self._region.emulated else {}

    def _use(self, file: FileRegion | FileSpan) -> None:
        with self._timed("register"):
            self._endpoint.register(file)
        self._file = file

    def _compute(self, job: Job) -> Iterator[Report]:
        for report in super()._compute(job):
            if not self._ways(job.request):  # nobody reads from this rank: its heads are another's, too
                yield report
                continue
            self._stores[job.request] = self._in_turn(Op.STORE, self._blocks(job.table))
            self._stores_from[job.request] = _clock()
            self._stores[job.request].post()
        if job.request in self._stores and self._stores[job.request].poll() is State.DONE:
            took = _clock() - self._stores_from.pop(job.request)
            self._let_go(job.request)
            yield {"kind": "computed", "request": job.request, "store_ns": took}

    def _do_wipe(self, request: int) -> Iterator[Report]:
        self._let_go(request)
        return super()._do_wipe(request)

    def _let_go(self, request: int) -> None:
        self._stores_from.pop(request, None)
        if request in self._stores:
            self._stores.pop(request).release()

    def _transfer(self, way: Way, plan: Plan, mark: str) -> Transfer:
        del way, mark  # a file has no peer, and nobody is notified
        return self._in_turn(Op.FETCH, plan)

    def _in_turn(self, op: Op, plan: Plan) -> InTurn:
        self._note_sizes(plan)
        return InTurn(self._lane, parts_of(plan, lambda part: self._endpoint.prepare(op, part, None, b"")))

    def _blocks(self, table: Table) -> Plan:
        """Return the plan that stores a request's blocks, each whole, in the order in which they lie in the region."""
        starts, sizes = [], []
        for pool in placed(self._task, self._side, self._number):
            blocks = np.sort(np.asarray(table.get(pool.group.name, ()), np.int64))
            if pool.layout.block_bytes and len(blocks):
                starts.append(pool.offset + blocks * pool.layout.block_bytes)
                sizes.append(np.full(len(blocks), pool.layout.block_bytes))
        offsets, lengths = np.concatenate(starts).astype(np.uint64), np.concatenate(sizes).astype(np.uint64)
        there = np.stack([offsets, lengths, np.zeros_like(offsets)], axis=1)
        here = there.copy()
        here[:, plans.ADDRESS] += np.uint64(self._region.address)
        nbytes = int(lengths.sum())
        return Plan(here, there, nbytes, nbytes, nbytes)
