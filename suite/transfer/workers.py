"""What the worker of one rank can be asked: an object in each worker process of a transfer.

The supervisor asks in this order: `begin`; for every op `open`, `connect`; for
every batch `stamp`, then for every request `prepare` and `transfer`, then
`check`; and `close` at the end of the op. Answers are plain JSON.
"""

from __future__ import annotations

import base64
import os
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from suite.errors import TransferFailed
from suite.kv import reshard
from suite.kv.plan import LENGTH, Plan
from suite.transfer.image import Image
from suite.transfer.pools import placed, region_bytes, tables_from_json
from suite.transfer.task import Task, seat_of
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from suite.kv.pairs import Pair
    from suite.kv.pool import Pool
    from suite.memory.region import Region
    from suite.transfer.pools import Tables
    from suite.transfer.task import SideName, Way
    from suite.transports.base import Endpoint, Transfer

POSTED: Mapping[str, base.Op] = {"push": base.Op.WRITE, "pull": base.Op.READ, "handoff": base.Op.FETCH}
INITIATOR: Mapping[str, SideName] = {"push": "prefill", "pull": "decode", "handoff": "decode"}


@runtime_checkable
class _OnDevice(Protocol):
    def make_current(self) -> None: ...


class RankServer:
    """One rank of prefill or of decode. `plan` is `suite.kv.reshard.plan`; tests break it."""

    def __init__(self, role: str, plan: Callable[..., Plan] = reshard.plan) -> None:
        self._role, self._plan = role, plan
        self._side, self._number = seat_of(role)
        self._task: Task
        self._region: Region
        self._endpoint: Endpoint
        self._op = "push"
        self._two_sided = self._stops = False
        self._peers: dict[str, dict[str, Any]] = {}  # by role: agent and address
        self._image: Image
        self._transfers: list[Transfer] = []
        self._sizes: list[int] = []
        self._phases: dict[str, int] = {}

    def begin(self, task: Mapping[str, Any], device: int | None) -> dict[str, Any]:
        """Make this rank's region, on a CUDA device or in host memory."""
        self._task = Task.from_json(task)
        self._region = _region(region_bytes(placed(self._task, self._side, self._number)), device)
        return {"address": self._region.address, "allocation": self._region.allocation, "pid": os.getpid()}

    def open(self, agent: str, transport: str, op: str) -> dict[str, Any]:
        """Open this rank's endpoint for an op and register the region."""
        self._op, self._phases, self._sizes, self._peers = op, {}, [], {}
        chosen = base.load(transport)
        self._two_sided, self._stops = chosen.traits.two_sided, chosen.traits.blocking_post
        if isinstance(self._region, _OnDevice):
            self._region.make_current()
        with self._timed("open"):
            self._endpoint = chosen.open(agent, self._settings(transport), "initiator" if self._initiates else "target")
        with self._timed("register"):
            self._endpoint.register(self._region)
        with self._timed("metadata"):
            metadata = self._endpoint.metadata()
        return {"metadata": base64.b64encode(metadata).decode()}

    def connect(self, peers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Learn the metadata of the ranks that this one talks to, and of no other."""
        for role, told in peers.items():
            with self._timed("metadata"):
                self._endpoint.connect(told["agent"], base64.b64decode(told["metadata"]))
            self._peers[role] = {"agent": told["agent"], "address": told["address"]}
        return {"register_ns": self._phases["register"], "metadata_ns": self._phases["metadata"]}

    def stamp(self, epoch: int, tables: Mapping[str, Any]) -> dict[str, Any]:
        """Write a batch's KV cache where it comes from and paint everywhere else."""
        own = tables_from_json(tables)
        before: Tables = own if self._side == "prefill" else {}
        Image(self._task, self._side, self._number, epoch, before).write(self._region)
        self._image = Image(self._task, self._side, self._number, epoch, own)
        return {}

    def prepare(self, request: int, tables: Mapping[str, Mapping[str, Sequence[int]]]) -> dict[str, Any]:
        """Plan this rank's part of a request and prepare a transfer for each rank that it talks to."""
        start = time.perf_counter_ns()
        moved = reshard.Sizes()
        posted = 0
        for way in self._ways(request):
            plan = self._joined(way, tables)
            if self._initiates or self._two_sided:
                transfer = self._endpoint.prepare(POSTED[self._op], plan, self._agent(way), self._tag(request))
                self._transfers.append(transfer)
                posted += transfer.posted_descriptors
            lengths = plan.merged().source[:, LENGTH]
            self._sizes += [int(lengths.min()), int(lengths.max())]
            moved += reshard.Sizes(len(plan), plan.logical_bytes, plan.padded_bytes, plan.wire_bytes)
        return {**asdict(moved), "posted_descriptors": posted, "took_ns": time.perf_counter_ns() - start}

    def transfer(self, request: int) -> dict[str, Any]:
        """Move this rank's part of a request; return when every byte that it posts or waits for is there."""
        if self._initiates or self._two_sided:
            _drive(self._transfers)
        if not self._initiates and not self._two_sided:
            self._await({(self._agent(way), self._tag(request)) for way in self._ways(request)})
        ended = time.perf_counter_ns()
        for transfer in self._transfers:
            transfer.release()
        self._transfers = []
        return {"ended_ns": ended}  # CLOCK_MONOTONIC: the same clock in all processes of a host

    def check(self) -> dict[str, Any]:
        """Compare every byte of the region with what it must be after the batch."""
        start = time.perf_counter_ns()
        findings = [asdict(finding) for finding in self._image.compare(self._region)]
        return {"findings": findings, "bytes": self._region.nbytes, "took_ns": time.perf_counter_ns() - start}

    def close(self) -> dict[str, Any]:
        """Close the endpoint; return the evidence for what this rank posted, if anything."""
        self._endpoint.close()
        if not self._sizes or not (self._initiates or self._two_sided):
            return {"evidence": None}
        found = self._endpoint.evidence(POSTED[self._op], (min(self._sizes), max(self._sizes)))
        return {"evidence": asdict(found)}

    def _settings(self, transport: str) -> dict[str, str]:
        """Return what the back end is told: nothing, its defaults are what is looked at."""
        del transport
        return {}

    @property
    def _initiates(self) -> bool:
        return INITIATOR[self._op] == self._side

    def _ways(self, request: int) -> list[Way]:
        """Return this rank's pairs for a request; both ends have them in the same order."""
        return [way for way in self._task.ways(request) if self._role in {way.source, way.destination}]

    def _agent(self, way: Way) -> str:
        peer = way.destination if self._side == "prefill" else way.source
        return str(self._peers[peer]["agent"])

    def _tag(self, request: int) -> bytes:
        """Return what announces a request to the other side; a transport with two sides needs no announcement."""
        return b"" if self._two_sided else f"{self._op}-{request:08d}".encode()

    def _joined(self, way: Way, tables: Mapping[str, Mapping[str, Sequence[int]]]) -> Plan:
        """Return one plan for all layer groups of a pair of ranks."""
        ends = (self._pools("prefill", way.source), self._pools("decode", way.destination))
        plans = [self._one(pair, (ends[0][pair.group.name], ends[1][pair.group.name]), tables) for pair in way.pairs]
        return Plan(
            np.concatenate([plan.source for plan in plans]),
            np.concatenate([plan.destination for plan in plans]),
            sum(plan.logical_bytes for plan in plans),
            sum(plan.padded_bytes for plan in plans),
            sum(plan.wire_bytes for plan in plans),
        )

    def _one(self, pair: Pair, pools: tuple[Pool, Pool], tables: Mapping[str, Mapping[str, Sequence[int]]]) -> Plan:
        source, destination = (np.asarray(tables[side][pair.group.name], np.int64) for side in ("prefill", "decode"))
        return self._plan(pair, pools, (source, destination), tokens=self._task.tokens, cached=self._task.cached)

    def _pools(self, side: SideName, role: str) -> dict[str, Pool]:
        address = self._region.address if role == self._role else int(self._peers[role]["address"])
        return {pool.group.name: pool.at(address, 0) for pool in placed(self._task, side, seat_of(role)[1])}

    def _await(self, wanted: set[tuple[str, bytes]]) -> None:
        """Drive the endpoint until every peer has announced its part; the supervisor keeps the deadline."""
        missing = Counter(dict.fromkeys(wanted, 1))
        while missing:
            for peer, tag in self._endpoint.progress():
                if (peer, tag) not in missing:
                    raise TransferFailed(
                        "unexpected-notification", f"{peer} announced {tag!a:.60}, which nobody expects"
                    )
                del missing[peer, tag]
            os.sched_yield()

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        start = time.perf_counter_ns()
        yield
        self._phases[phase] = self._phases.get(phase, 0) + time.perf_counter_ns() - start


def _drive(transfers: Sequence[Transfer]) -> None:
    """Post all, then drive all until the last is complete; scatter where there is something to scatter."""
    pending = [transfer for transfer in transfers if _posted(transfer)]
    while pending:
        pending = [transfer for transfer in pending if not _complete(transfer)]
        os.sched_yield()


def _posted(transfer: Transfer) -> bool:
    """Start a transfer; tell whether it is still under way."""
    if transfer.post() is base.State.DONE:
        transfer.finish()
        return False
    return True


def _complete(transfer: Transfer) -> bool:
    if transfer.poll() is not base.State.DONE:
        return False
    transfer.finish()
    return True


def _region(nbytes: int, device: int | None) -> Region:
    if device is None:
        from suite.memory.host import HostRegion

        return HostRegion(nbytes, "4k")
    from suite.memory.cuda import CudaRegion

    return CudaRegion(nbytes, device)
