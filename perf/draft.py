"""A record while its point is being measured: whatever happens, what is known is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perf.record import Evidence, Failure, Issue, PointRecord
from suite.run import machine
from suite.run.manifest import now
from suite.transports import base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perf.spec import PlannedPoint
    from suite.world.supervisor import WorkerFailed

ROLES = ("prefill", "decode")
SETUP = "default"  # the environment of the caller; other setups come with settings axes
INITIATOR = {"push": "prefill", "pull": "decode"}


@dataclass(frozen=True)
class Window:
    """One window: the initiator's timing (`durations_ns`, `delivered_ns`) and the bytes that were compared and right."""

    timing: Mapping[str, Any]
    checked_bytes: int


@dataclass
class Draft:
    """What is known so far of one point of one launch."""

    launch: int
    position: int
    planned: PlannedPoint
    started_at: str = field(default_factory=now)
    fields: dict[str, Any] = field(default_factory=dict)
    durations_ns: list[int] = field(default_factory=list)
    delivered_ns: list[int] = field(default_factory=list)
    phases_ns: dict[str, int] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    checked_bytes: int = 0

    def set(self, name: str, value: object) -> None:
        """Set a field of the record."""
        self.fields[name] = value

    def prepared(self, told: Mapping[str, int]) -> None:
        """Take the sizes that the initiator found when it prepared."""
        self.fields.update(told)
        self.fields["working_set_bytes"] = told["wire_bytes"] * self.planned.samples

    def warmed_up(self, window: Window) -> None:
        """Keep the first transfer's time: it made the connection."""
        self.checked_bytes += window.checked_bytes
        self.phases_ns["first_transfer"] = window.timing["durations_ns"][0]

    def window(self, window: Window) -> None:
        """Take one timed window."""
        self.checked_bytes += window.checked_bytes
        self.durations_ns += window.timing["durations_ns"]
        self.delivered_ns.append(window.timing["delivered_ns"])

    def closed(self, told: Mapping[str, Any]) -> None:
        """Take the phases of the initiator and its evidence."""
        self.phases_ns.update(told["phases_ns"])
        evidence = Evidence.model_validate(told["evidence"])
        self.fields["evidence"] = evidence
        if evidence.wire == "unknown":
            self.issues.append(
                Issue(level="OPEN", code="wire-unknown", message=f"no proof of the wire: {evidence.reason}")
            )

    def measured(self) -> PointRecord:
        """Return the record of a good point."""
        return self.record("measured", verified=True)

    def failed(self, failed: WorkerFailed) -> PointRecord:
        """Return the record of a lost point."""
        reason, detail = failed.reason[:200], failed.detail[:20_000]  # a worker gone mad may say anything
        failure = Failure(role=failed.role, phase=failed.phase, reason=reason, detail=detail)
        return self.record("failed", failure=failure)

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
                "setup": SETUP,
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
                "cores": {role: list(cores) for role, cores in cores_of_roles().items()},
                "issues": self.issues,
                "load_average": machine.load_average(),
                "started_at": self.started_at,
            }
        )


def lost(launch: int, position: int, planned: PlannedPoint, failure: Failure) -> PointRecord:
    """Return the record of a point that was not even tried."""
    return Draft(launch, position, planned).record("failed", failure=failure)


def _progress(planned: PlannedPoint) -> dict[str, str]:
    """Return who drives each worker's side of the transfer."""
    drivers = base.load(planned.point.transport).traits.progress
    initiator = INITIATOR[planned.point.op]
    return {role: drivers.get("initiator" if role == initiator else "target", "unknown") for role in ROLES}


def cores_of_roles() -> dict[str, list[int]]:
    """Return one CPU for each role, on cores of their own if there are two."""
    return {role: [cpu] for role, cpu in zip(ROLES, machine.separate_cpus(len(ROLES)), strict=True)}
