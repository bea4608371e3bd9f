"""What a worker of a sweep can be asked: one object in each worker process.

The supervisor asks in this order: `begin`; for every point `open`, `connect`,
`prepare`, then for every window `stamp`, `serve` and `post` (at the same
time, one at either side), `check`; then `close`. Answers are plain JSON. A
point that stores or fetches has one worker; all others have two.
"""

from __future__ import annotations

import base64
import os
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from perf import workload
from perf.handoff import Handoff, fetch_each
from perf.holdings import Held, Holdings, OnDevice
from perf.roles import FILE, INITIATOR, PLACES, POSTED, kept_by, through_file
from perf.settings import Ours, of_back_end, ours
from perf.window import ACKNOWLEDGED, DELIVERED, await_tag, receive_all, run_apart, run_window, settle
from suite.kv import diagnosis
from suite.kv import stamp as content_of
from suite.kv.plan import LENGTH
from suite.run import processor
from suite.transports import base, tcp_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from perf.roles import Role
    from suite.kv.plan import Plan
    from suite.memory.file import FileRegion
    from suite.memory.files import FileSpan
    from suite.transports.base import Endpoint, Transfer, Transport

_LATE_S = 0.25  # bytes that arrive this long after "done" were announced too early


class PointServer:
    """The prefill or decode worker of a launch."""

    def __init__(self, role: Role, load: Callable[[str], Transport] = base.load) -> None:
        self._role = role
        self._load = load
        self._holdings: Holdings
        self._endpoint: Endpoint
        self._op = "push"
        self._two_sided = False
        self._peer = ""
        self._held: dict[str, Held] = {}  # by place
        self._work: workload.Work
        self._routes: list[workload.Route] = []
        self._addresses: dict[str, int] = {}
        self._transfers: list[Transfer] = []
        self._phases: dict[str, int] = {}

    def begin(self, nbytes: int, pages: Literal["4k", "huge"]) -> None:
        """Learn the size of this worker's regions, guards included; they are made when a point needs them."""
        self._holdings = Holdings(nbytes, pages)

    def open(
        self,
        agent: str,
        *,
        transport: str,
        settings: Mapping[str, str],
        op: str,
        memory: str,
        file: str | None = None,
        cores: Sequence[int] = (),
    ) -> dict[str, Any]:
        """Open the endpoint of a point and register what it moves: this worker's `memory`, and the `file` if there is one."""
        if cores:
            os.sched_setaffinity(0, cores)
        self._phases, self._op = {}, op
        wanted = ours(settings)
        regions = self._regions(memory, file, wanted)
        self._held = {place: Held.of(place, regions[place]) for place in PLACES[op] if kept_by(op, place) == self._role}
        if isinstance(mine := regions[self._role], OnDevice):
            mine.make_current()
        with self._timed("open"):
            role: base.Role = "initiator" if self._initiates else "target"
            chosen = self._load(transport)
            self._two_sided = chosen.traits.two_sided
            self._endpoint = chosen.open(agent, of_back_end(settings), role)
        with self._timed("register"):
            for region in regions.values():
                self._endpoint.register(region)
        with self._timed("metadata"):
            metadata = self._endpoint.metadata()
        return {
            "metadata": base64.b64encode(metadata).decode(),
            "address": mine.address,
            "allocation": mine.allocation,
            "content": {place: held.access.how for place, held in self._held.items()},
            "filesystem": self._file.filesystem if self._keeps_file else "",
        }

    def connect(self, peer: str, metadata: str) -> None:
        """Learn the peer's metadata."""
        self._peer = peer
        with self._timed("connect"):
            self._endpoint.connect(peer, base64.b64decode(metadata))

    def prepare(self, work: Mapping[str, Any], addresses: Mapping[str, int]) -> dict[str, Any]:
        """Build the window's routes, and a transfer for each sample that this worker posts."""
        self._work, self._addresses = workload.from_json(work), dict(addresses)
        places = {place: self._addresses.get(place, 0) for place in PLACES[self._op]}
        self._routes = workload.window(self._work, places, nbytes=self._holdings.nbytes)
        with self._timed("prepare"):
            self._transfers = [self._prepared(index) for index in range(len(self._routes)) if self._moves]
        first = self._hop(self._routes[0])
        return {
            "logical_bytes": first.logical_bytes,
            "padded_bytes": first.padded_bytes,
            "wire_bytes": first.wire_bytes,
            "posted_descriptors": self._transfers[0].posted_descriptors if self._transfers else 0,
        }

    def stamp(self, epoch: int) -> dict[str, Any]:
        """Write the epoch's content: the KV cache at its source, fresh paint everywhere else; files end up uncached."""
        for held in self._held.values():
            held.access.fill(held.before(epoch, source=held.place == PLACES[self._op][0]))
        if self._keeps_file:
            self._file.drop_cache()
        settle()
        return self._counters()

    def serve(self) -> dict[str, Any]:
        """Drive the other side of one window; tell a pushing initiator that all of it is here. Return what it used."""
        begun = processor.read()
        if self._op == "handoff":
            fetch_each(self._transfers, self._endpoint, self._peer)
        elif self._two_sided:
            receive_all(self._transfers)
        else:
            await_tag(self._endpoint, DELIVERED)
        if self._op == "push":
            self._endpoint.notify(self._peer, ACKNOWLEDGED)
        return {"usage": processor.read().since(begun)}

    def post(self) -> dict[str, Any]:
        """Run one window; return its timing."""
        return asdict(run_window(self._transfers, self._wait_for_delivery))

    def post_apart(self) -> dict[str, Any]:
        """Run one window that gives no number, and time the calls that post apart."""
        return asdict(run_apart(self._transfers, self._wait_for_delivery))

    def check(self, epoch: int) -> dict[str, Any]:
        """Compare every byte that this worker keeps with what it must be after the window."""
        counters, findings = self._counters(), []
        for held in self._held.values():
            wrong = held.access.first_difference(self._content(held, epoch))
            if wrong is not None:
                findings += self._findings(held, epoch, wrong)
        return {"bytes": sum(held.region.nbytes for held in self._held.values()), "findings": findings, **counters}

    def close(self) -> dict[str, Any]:
        """Take the point down; return the evidence for what this worker posted, or received of a sender."""
        for transfer in self._transfers:
            for phase, took in getattr(transfer, "phases_ns", {}).items():  # of all windows together
                self._phases[phase] = self._phases.get(phase, 0) + took
        with self._timed("release"):
            for transfer in self._transfers:
                transfer.release()
        with self._timed("close"):
            self._endpoint.close()
        return {"phases_ns": self._phases, "evidence": self._evidence() if self._moves else None}

    @property
    def _initiates(self) -> bool:
        return INITIATOR[self._op] == self._role

    @property
    def _posts(self) -> bool:
        return (self._op, self._role) in POSTED

    @property
    def _posted(self) -> base.Op:
        """What this worker posts, or what its peer does."""
        return POSTED[self._op, self._role if self._posts else INITIATOR[self._op]]

    @property
    def _moves(self) -> bool:
        """Whether this worker prepares transfers: it posts, or receives from an engine with two sides."""
        return self._posts or self._two_sided

    @property
    def _keeps_file(self) -> bool:
        return FILE in self._held

    @property
    def _file(self) -> FileRegion | FileSpan:
        return self._held[FILE].region  # type: ignore[return-value]  # the region of this place is the file's

    def _regions(self, memory: str, file: str | None, wanted: Ours) -> dict[str, Any]:
        regions: dict[str, Any] = {self._role: self._holdings.memory(memory, wanted.device_memory)}
        if file is not None and through_file(self._op):
            regions[FILE] = self._holdings.file(file, direct=wanted.io == "direct", files=wanted.files)
        return regions

    def _prepared(self, index: int) -> Transfer:
        plan = self._hop(self._routes[index])
        if self._two_sided:  # both sides know what comes: nothing has to be announced
            return self._endpoint.prepare(self._posted, plan, self._peer, b"")
        op = self._posted
        if through_file(self._op):
            stored_or_fetched = self._endpoint.prepare(op, plan, None, b"")
            handing_over = self._op == "handoff" and self._initiates
            return Handoff(stored_or_fetched, self._endpoint, self._peer) if handing_over else stored_or_fetched
        # only the last sample of a window is announced: it completes after all others
        tag = DELIVERED if index == len(self._routes) - 1 else b""
        return self._endpoint.prepare(op, plan, self._peer, tag)

    def _hop(self, route: workload.Route) -> Plan:
        """Return what this worker moves of a sample, or would if it posted."""
        places = PLACES[self._op]  # with a file between two workers each has a half of the way
        return route.hop(*(places[-2:] if self._role == places[-1] else places[:2]))

    def _content(self, held: Held, epoch: int) -> content_of.Content:
        if held.place == PLACES[self._op][0]:
            return held.before(epoch, source=True)
        plans, source, destination = self._way_to(held)
        return content_of.landed(plans, words=held.words, source=source, destination=destination, epoch=epoch)

    def _way_to(self, held: Held) -> tuple[list[Plan], int, int]:
        """Return the plans from the source to a place, and the addresses of both regions."""
        source = PLACES[self._op][0]
        routes = self._routes[-1:] if self._work.hot else self._routes  # hot: each overwrote the one before
        plans = [route.hop(source, held.place) for route in routes]
        return plans, self._addresses.get(source, 0), self._addresses.get(held.place, 0)

    def _findings(self, held: Held, epoch: int, wrong: int) -> list[str]:
        """Say what is wrong, word `wrong` first, after a moment in which late bytes may still arrive."""
        where = "the file: " if held.place == FILE else ""
        if held.place == PLACES[self._op][0]:
            return [f"{where}the source itself was changed"]
        before = self._diagnose(held, epoch)
        time.sleep(_LATE_S)
        after = self._diagnose(held, epoch)
        if after:
            return [f"{where}{finding}" for finding in after]
        late = sum(finding.count for finding in before) or 1  # none where the last bytes came just after the check
        place = workload.places(self._work, held.region.nbytes).destination(wrong * content_of.WORD)
        return [f"{where}{diagnosis.Finding(diagnosis.Fault.LATE, late, place)}"]

    def _diagnose(self, held: Held, epoch: int) -> tuple[diagnosis.Finding, ...]:
        plans, source, destination = self._way_to(held)
        return diagnosis.diagnose(
            held.access.words(),
            plans,
            source=source,
            destination=destination,
            epoch=epoch,
            places=workload.places(self._work, held.region.nbytes),
        )

    def _counters(self) -> dict[str, Any]:
        """Return what the kernel counts that the window may change; read before and after it."""
        cached = {"cached_bytes": self._file.cached_bytes()} if self._keeps_file else {}
        return {"tcp_bytes": tcp_info.carried(), **cached}

    def _wait_for_delivery(self) -> None:
        """Wait for the destination's word; who pulls, stores, fetches or hands over has had it already."""
        if self._op == "push":
            await_tag(self._endpoint, ACKNOWLEDGED)

    def _evidence(self) -> dict[str, Any]:
        return asdict(self._endpoint.evidence(self._posted, self._sizes()))

    def _sizes(self) -> tuple[int, int]:
        lengths = np.concatenate([self._hop(route).merged().source[:, LENGTH] for route in self._routes])
        return int(lengths.min()), int(lengths.max())

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        start = time.perf_counter_ns()
        yield
        self._phases[phase] = self._phases.get(phase, 0) + time.perf_counter_ns() - start
