"""A record while its point is being measured: whatever happens, what is known is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perf.contradictions import contradictions
from perf.line_rate import above_limit
from perf.memory import two_sided
from perf.placement import cores_of_roles
from perf.record import Around, Evidence, Failure, Issue, PointRecord, Storage, Usage, WarmUp
from perf.roles import INITIATOR, roles_of, through_file
from perf.settings import ours
from perf.setups import setup_of
from perf.validity import issue
from suite.run import machine
from suite.run.manifest import now
from suite.run.network import line_rates
from suite.transports import base
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.planning import PlannedPoint
    from suite.world.supervisor import WorkerFailed


_KEPT = 100  # samples of the warm-up that a record keeps
_HOT = issue(
    "hot", "Every sample overwrote the one before, in the caches: only the last of a window is known to have arrived."
)


@dataclass(frozen=True)
class Window:
    """One window: the initiator's timing (`durations_ns`, `delivered_ns`) and the bytes that were compared and right."""

    timing: Mapping[str, Any]
    checked_bytes: int
    cached_before: int | None = None  # bytes of the file in the page cache, where there is a file
    cached_after: int | None = None
    network: Mapping[str, int] = field(default_factory=dict)  # bytes sent meanwhile, by interface
    tcp_bytes: int = 0  # and those that the initiator's own connections carried
    usage: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)  # role -> what its process used
    around: Mapping[str, int] = field(default_factory=dict)  # window_ns and stolen_ns, by the supervisor


@dataclass
class Draft:
    """What is known so far of one point of one launch."""

    launch: int
    position: int
    planned: PlannedPoint
    cores: Mapping[str, Sequence[int]] = field(default_factory=cores_of_roles)
    emulated: bool = False
    tls: str | None = None  # UCX_TLS of the workers
    started_at: str = field(default_factory=now)
    fields: dict[str, Any] = field(default_factory=dict)
    durations_ns: list[int] = field(default_factory=list)
    delivered_ns: list[int] = field(default_factory=list)
    phases_ns: dict[str, int] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    checked_bytes: int = 0
    filesystem: str = ""
    cached_before: list[int] = field(default_factory=list)
    cached_after: list[int] = field(default_factory=list)
    network: list[Mapping[str, int]] = field(default_factory=list)
    tcp_bytes: list[int] = field(default_factory=list)
    usage: list[Mapping[str, Mapping[str, int | None]]] = field(default_factory=list)
    around: list[Mapping[str, int]] = field(default_factory=list)

    def opened(self, told: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what each worker said of its regions."""
        self.fields["allocation"] = "+".join(sorted({one["allocation"] for one in told.values()}))
        self.fields["content"] = {place: how for one in told.values() for place, how in one["content"].items()}
        self.filesystem = next((one["filesystem"] for one in told.values() if one["filesystem"]), "")

    def prepared(self, told: Mapping[str, int]) -> None:
        """Take the sizes that the initiator found when it prepared."""
        self.fields.update(told)
        self.fields["working_set_bytes"] = told["wire_bytes"] * self.planned.places

    def warmed_up(self, window: Window) -> None:
        """Keep the first transfer's time, which made the connection, and where the time of the others goes."""
        self.checked_bytes += window.checked_bytes
        timing = window.timing
        self.phases_ns["first_transfer"] = timing["durations_ns"][0]
        self.fields["warm_up"] = WarmUp(
            posted_ns=timing["posted_ns"][:_KEPT],
            durations_ns=timing["durations_ns"][:_KEPT],
            notified_ns=max(0, timing["delivered_ns"] - sum(timing["durations_ns"])),
        )

    def window(self, window: Window) -> None:
        """Take one timed window."""
        self.checked_bytes += window.checked_bytes
        self.durations_ns += window.timing["durations_ns"]
        self.delivered_ns.append(window.timing["delivered_ns"])
        self.network.append(window.network)
        self.tcp_bytes.append(window.tcp_bytes)
        self.usage.append(window.usage)
        self.around.append(window.around)
        if window.cached_before is not None and window.cached_after is not None:
            self.cached_before.append(window.cached_before)
            self.cached_after.append(window.cached_after)

    def closed(self, told: Mapping[str, Any]) -> None:
        """Take the phases of the initiator, and the evidence of whoever posted."""
        self.phases_ns.update(told["phases_ns"])
        found = [Evidence.model_validate(one) for one in told["evidence"]]
        evidence = _of_both_sides(*found) if two_sided(self.planned.point.transport) else _joined(found)
        self.fields["evidence"] = evidence
        self.issues += contradictions(
            self.planned.point,
            evidence,
            tls=self.tls,
            window_bytes=self.fields["wire_bytes"] * self.planned.samples,
            network=self.network,
            tcp_bytes=self.tcp_bytes,
        )
        if not self.emulated:
            self.issues += above_limit(
                self.planned.point,
                window_bytes=self.fields["wire_bytes"] * self.planned.samples,
                delivered_ns=self.delivered_ns,
                network=self.network,
                window_ns=[window.get("window_ns", 0) for window in self.around],
                line_rates=line_rates(),
            )
        if evidence.wire == "unknown":
            self.issues.append(issue("wire-unknown", f"no proof of the wire: {evidence.reason}"))

    def measured(self) -> PointRecord:
        """Return the record of a good point."""
        if self.planned.point.pattern == "hot":
            self.issues.append(_HOT)
        if (storage := self._storage()) and (cached := max([*storage.cached_before, *storage.cached_after, 0])):
            self.issues.append(_page_cache(storage, cached))
        return self.record("measured", verified=True)

    def failed(self, failed: WorkerFailed) -> PointRecord:
        """Return the record of a lost point."""
        reason, detail = failed.reason[:200], failed.detail[:20_000]  # a worker gone mad may say anything
        failure = Failure(role=failed.role, phase=failed.phase, reason=reason, detail=detail)
        return self.record("failed", failure=failure)

    def _storage(self) -> Storage | None:
        point = self.planned.point
        if not through_file(point.op) or not self.filesystem:
            return None
        return Storage(
            filesystem=self.filesystem,
            io=ours(point.settings).io,
            cached_before=self.cached_before,
            cached_after=self.cached_after,
        )

    def record(self, status: str, *, verified: bool = False, failure: Failure | None = None) -> PointRecord:
        """Return the record as it stands."""
        return PointRecord.model_validate(
            {
                "logical_bytes": 0,
                "padded_bytes": 0,
                "wire_bytes": 0,
                "posted_descriptors": 0,
                "working_set_bytes": 0,
                "allocation": "unknown",
                **self.fields,
                "schema": 1,
                "launch": self.launch,
                "position": self.position,
                "setup": setup_of(self.planned.point, emulated=self.emulated).name,
                "network_bytes": [dict(window) for window in self.network],
                "tcp_bytes": self.tcp_bytes,
                "usage": _usage(self.usage, roles_of(self.planned.point.op)),
                "around": _around(self.around),
                "emulated": self.emulated,
                "storage": self._storage(),
                "point": self.planned.point,
                "status": status,
                "failure": failure,
                "durations_ns": self.durations_ns,
                "delivered_ns": self.delivered_ns,
                "window_samples": self.planned.samples,
                "verified": verified,
                "verified_bytes": self.checked_bytes,
                "phases_ns": self.phases_ns,
                "progress": _progress(self.planned),
                "cores": {role: list(self.cores[role]) for role in roles_of(self.planned.point.op)},
                "issues": self.issues,
                "load_average": machine.load_average(),
                "started_at": self.started_at,
            }
        )


def lost(launch: int, position: int, planned: PlannedPoint, failure: Failure) -> PointRecord:
    """Return the record of a point that was not even tried."""
    return Draft(launch, position, planned).record("failed", failure=failure)


def _usage(windows: Sequence[Mapping[str, Mapping[str, int | None]]], roles: Sequence[str]) -> dict[str, Usage]:
    """Return what each worker used, window by window; nothing of one that did not tell it of every window."""
    found = {}
    for role in roles:
        told = [window[role] for window in windows if role in window]
        if told and len(told) == len(windows):
            columns = {name: [one[name] for one in told] for name in told[0]}
            known = {name: [max(0, value) for value in column if value is not None] for name, column in columns.items()}
            found[role] = Usage(**known)
    return found


def _around(windows: Sequence[Mapping[str, int]]) -> Around | None:
    if not windows or not all(windows):
        return None
    columns = {name: [window[name] for window in windows] for name in windows[0]}
    return Around(cpus=len(os.sched_getaffinity(0)), **columns)


def _page_cache(storage: Storage, cached: int) -> Issue:
    told = f"up to {format_bytes(cached)} of the file on {storage.filesystem} were in the page cache"
    opened = "with O_DIRECT" if storage.io == "direct" else "without O_DIRECT"
    return issue("page-cache", f"{told} (it was opened {opened}).")


def _of_both_sides(sent: Evidence, received: Evidence) -> Evidence:
    """Return what fetched the data, if the receiver did; the sender's word is a plan then, and else the only account."""
    if received.wire == "unknown":
        return sent
    if sent.detail == received.detail:
        return received
    told = f"{received.detail}; the sender: {sent.detail or sent.reason}"
    return received.model_copy(update={"detail": told[:20_000]})


def _joined(evidence: Sequence[Evidence]) -> Evidence:
    """Return one piece of evidence for a point of which both workers posted a half."""
    first, *others = evidence
    if all(other == first for other in others):
        return first
    wires = dict.fromkeys(one.wire for one in evidence)
    details = "; ".join(f"{one.operation}: {one.detail or one.reason}" for one in evidence)
    known = "unknown" not in wires
    return first.model_copy(
        update={
            "wire": ", then ".join(wires)[:200] if known else "unknown",
            "operation": " + ".join(one.operation for one in evidence),
            "detail": details[:20_000],
            "count": sum(one.count for one in evidence),
            "reason": "" if known else details[:20_000],
        }
    )


def _progress(planned: PlannedPoint) -> dict[str, str]:
    """Return who drives each worker's side of the transfer."""
    drivers = base.load(planned.point.transport).traits.progress
    op = planned.point.op
    return {role: drivers.get("initiator" if role == INITIATOR[op] else "target", "unknown") for role in roles_of(op)}
