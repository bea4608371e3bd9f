"""What a rank's worker can be asked while its server has many requests in flight.

After `begin`, `open`, `connect` (see `suite.transfer.workers`) and `blank`, the
server only takes turns: orders in, reports out. Between them the worker posts
what may be posted, drives what is under way and listens for notifications.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from suite.transfer.image import Image
from suite.transfer.requests.consensus import Pair
from suite.transfer.serving import shares
from suite.transfer.serving.jobs import Job, PieceJob
from suite.transfer.workers import POSTED, RankServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from suite.kv.plan import Plan
    from suite.transfer.serving.jobs import Report
    from suite.transfer.serving.rooms import Table
    from suite.transfer.task import Way
    from suite.transports.base import Transfer

_clock = time.perf_counter_ns


class Seat(RankServer):
    """One rank of a server with many requests in flight."""

    _jobs: dict[int, Job]
    _owing: list[tuple[int, frozenset[Pair]]]  # words that a writer has stopped

    def blank(self, epoch: int, layers_each: int, pace_ns: int) -> dict[str, Any]:
        """Paint the region. A piece is `layers_each` layers (0: all); prefill takes `pace_ns` to compute one."""
        self._layers_each, self._pace_ns = layers_each, pace_ns
        self._stretches = shares.stretches(self._task, layers_each)
        self._image = Image(self._task, self._side, self._number, epoch, {})
        self._image.write(self._region)
        self._jobs, self._owing = {}, []
        return {}

    def turn(self, orders: Sequence[Mapping[str, Any]], slice_ns: int) -> list[Report]:
        """Do what is ordered, then go on until there is something to tell or the slice is over."""
        reports: list[Report] = []
        for order in orders:
            told = dict(order)
            reports += getattr(self, f"_do_{told.pop('do')}")(**told)
        until = _clock() + slice_ns
        while True:
            for job in list(self._jobs.values()):
                reports += self._compute(job)
                reports += job.drive()  # before the next layers are computed
            reports += self._heard()
            reports += self._stopped()
            if reports or _clock() >= until:
                return reports
            os.sched_yield()

    # ------------------------------------------------------------------ orders

    def _do_hold(self, request: int, table: Table) -> Iterator[Report]:
        """Make room: decode's blocks are painted, so that nothing which lay there can pass for what is to come."""
        self._image.hold(request, table)
        self._image.write_blocks(self._region, table, range(self._task.model.layers), blank=True)
        self._jobs[request] = job = Job(request, table, self._stops)
        if not self._initiates:
            job.announced = dict(self._expected(request))
        return iter(())

    def _do_compute(self, request: int) -> Iterator[Report]:
        """Begin to "compute" the KV cache."""
        job = self._jobs[request]
        job.computing, job.compute_from = True, _clock()
        return iter(())

    def _do_post(self, request: int, tables: Mapping[str, Table]) -> Iterator[Report]:
        """Prepare a transfer for each piece of each peer, and post it when its layers are there."""
        job = self._jobs[request]
        if self._side == "decode":
            job.computed = len(self._stretches)  # prefill says when the blocks can be read
        for way in self._ways(request):
            pair = shares.pair_of(way)
            for index, (stretch, kept) in enumerate(shares.pieces(self._task, way, self._layers_each)):
                start = _clock()
                plan = self._joined(replace(way, pairs=kept), tables)
                transfer = self._transfer(way, plan, self._mark(request, index))
                took = _clock() - start
                self._note_sizes(plan)
                job.waiting.append(
                    PieceJob(pair, index, stretch, plan.wire_bytes, len(plan), transfer, prepared_ns=took)
                )
        job.ordered_at = _clock()
        return iter(())

    def _transfer(self, way: Way, plan: Plan, mark: str) -> Transfer:
        """Prepare a piece; the peer is told `mark` when it is there."""
        return self._endpoint.prepare(POSTED[self._op], plan, self._agent(way), mark.encode())

    def _do_cancel(self, request: int, pairs: Sequence[Sequence[int]]) -> Iterator[Report]:
        """Stop, and say so when nothing of these pairs is under way."""
        mine = frozenset(Pair(*pair) for pair in pairs)
        if request in self._jobs:
            self._jobs[request].stop(set(mine))
        self._owing.append((request, mine))
        return iter(())

    def _do_check(self, request: int) -> Iterator[Report]:
        """Compare every byte of the request's blocks."""
        start = _clock()
        findings, compared = self._image.compare_blocks(self._region, self._jobs[request].table)
        told = {"findings": [asdict(finding) for finding in findings], "bytes": compared, "took_ns": _clock() - start}
        yield {"kind": "checked", "request": request, **told}

    def _do_forget(self, request: int) -> Iterator[Report]:
        """Let a complete request go; what it left must stay until the blocks are another's."""
        self._jobs.pop(request, None)
        return iter(())

    def _do_wipe(self, request: int) -> Iterator[Report]:
        """Paint the blocks of a request that has failed: who writes to them now is found out."""
        job = self._jobs.pop(request, None)
        if job is not None:
            job.abandon()
            self._image.drop(job.table)
            self._image.write_blocks(self._region, job.table, range(self._task.model.layers), blank=True)
        return iter(())

    # ---------------------------------------------------------------- going on

    def _compute(self, job: Job) -> Iterator[Report]:
        if job.computing and _clock() - job.compute_from >= self._pace_ns:
            layers = self._stretches[job.computed]
            self._image.write_blocks(self._region, job.table, layers, blank=False)
            job.computed, job.compute_from = job.computed + 1, _clock()
            job.computing = job.computed < len(self._stretches)
            if not job.computing:
                yield {"kind": "computed", "request": job.request}

    def _heard(self) -> Iterator[Report]:
        for peer, data in self._endpoint.progress():
            tag = data.decode("ascii", "replace")
            job = next((job for job in self._jobs.values() if (peer, tag) in job.announced), None)
            if job is None:
                continue
            pair = job.announced.pop((peer, tag))
            if pair not in job.announced.values():
                yield {"kind": "noticed", "request": job.request, "pair": list(pair)}

    def _stopped(self) -> Iterator[Report]:
        for owed in list(self._owing):
            request, pairs = owed
            job = self._jobs.get(request)
            if job is None or job.still(set(pairs)):
                self._owing.remove(owed)
                yield {"kind": "stopped", "request": request, "pairs": [list(pair) for pair in sorted(pairs)]}

    def _expected(self, request: int) -> Iterator[tuple[tuple[str, str], Pair]]:
        for way in self._ways(request):
            for index, _ in enumerate(shares.pieces(self._task, way, self._layers_each)):
                yield (self._agent(way), self._mark(request, index)), shares.pair_of(way)

    def _mark(self, request: int, index: int) -> str:
        return f"{self._op}-{request:08d}-{index:04d}"

    def _note_sizes(self, plan: Any) -> None:
        lengths = plan.merged().source[:, 1]
        self._sizes += [int(lengths.min()), int(lengths.max())]
