"""One launch, as its supervisor sees it: points through a fresh group of workers, records out."""

from __future__ import annotations

import os
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from perf.identity import transfer_key
from perf.record import WRONG_BYTES, Evidence, Failure, Issue, PointRecord
from perf.workload import Work, region_bytes
from suite.run import machine
from suite.transports import base
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from perf.spec import PlannedPoint

SERVER = "perf.server:PointServer"
ROLES = ("prefill", "decode")
INITIATOR = {"push": "prefill", "pull": "decode"}
WARM_UP_WINDOWS = 1
_EPOCHS = 1 << 20  # what a stamp can tell apart


@dataclass(frozen=True)
class LaunchPlan:
    """What every group of a launch has in common."""

    launch: int
    setup: str
    environment: Mapping[str, str]
    logs: Path
    seed: int
    region_bytes: int
    pages: str = "huge"
    deadline_s: float = 30.0  # for each phase of a point
    server: str = SERVER


class PointFailed(Exception):
    """A point was lost; `record` says to whom, where and why. The group must not be used again."""

    def __init__(self, record: PointRecord) -> None:
        super().__init__(record.failure)
        self.record = record


def region_size(points: Sequence[PlannedPoint]) -> int:
    """Return the bytes of a region that any of `points` fits into."""
    return max(region_bytes(planned) for planned in points)


class Launch:
    """A fresh prefill and decode worker, and the points that they measure one by one."""

    def __init__(self, plan: LaunchPlan, attempt: int) -> None:
        self._plan = plan
        self._epoch = count(1)
        self._cores = _cores()
        self._group = Group([self._worker(role, attempt) for role in ROLES])
        self._begun: dict[str, Any] = {}

    def begin(self) -> None:
        """Have the workers allocate their regions."""
        self._begun = self._same("begin", nbytes=self._plan.region_bytes, pages=self._plan.pages)

    @property
    def group(self) -> Group:
        """The workers."""
        return self._group

    def measure(self, index: int, position: int, planned: PlannedPoint) -> PointRecord:
        """Measure point number `index`; raises `PointFailed` when it is lost."""
        draft = _Draft(self._plan, position, planned, self._cores)
        draft.set("allocation", "+".join(sorted({told["allocation"] for told in self._begun.values()})))
        try:
            self._steps(index, planned, draft)
        except WorkerFailed as failed:
            raise PointFailed(draft.failed(failed)) from failed
        return draft.measured()

    def _steps(self, index: int, planned: PlannedPoint, draft: _Draft) -> None:
        initiator = INITIATOR[planned.point.op]
        target = next(role for role in ROLES if role != initiator)
        agents = {role: f"p{index}-{role}" for role in ROLES}
        opened = self._all(
            "open",
            {
                role: {
                    "agent": agents[role],
                    "transport": planned.point.transport,
                    "settings": {},
                    "posts": role == initiator,
                }
                for role in ROLES
            },
        )
        peers = dict(zip(ROLES, reversed(ROLES), strict=True))
        self._all(
            "connect",
            {role: {"peer": agents[peers[role]], "metadata": opened[peers[role]]["metadata"]} for role in ROLES},
        )
        work = Work.of(planned, seed=_window_seed(self._plan, planned))
        addresses = {role: told["address"] for role, told in self._begun.items()}
        prepared = self._same("prepare", work=work.as_json(), op=planned.point.op, addresses=addresses)
        draft.prepared(prepared[initiator])
        for number in range(WARM_UP_WINDOWS + planned.windows):
            self._window(draft, initiator, target, timed=number >= WARM_UP_WINDOWS)
        draft.closed(self._same("close")[initiator])

    def _window(self, draft: _Draft, initiator: str, target: str, *, timed: bool) -> None:
        epoch = next(self._epoch) % _EPOCHS
        self._same("stamp", epoch=epoch)
        questions: dict[str, tuple[str, dict[str, Any]]] = {initiator: ("post", {}), target: ("serve", {})}
        timing = self._group.ask("window", questions, self._plan.deadline_s)[initiator]
        draft.checked(self._same("check", epoch=epoch))
        if timed:
            draft.window(timing)
        else:
            draft.warmed_up(timing)

    def _all(self, verb: str, arguments: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        questions = {role: (verb, arguments[role]) for role in arguments}
        return self._group.ask(verb, questions, self._plan.deadline_s)

    def _same(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Put the same question to both workers."""
        return self._all(verb, dict.fromkeys(ROLES, arguments))

    def _worker(self, role: str, attempt: int) -> WorkerSpec:
        stem = self._plan.logs / f"launch-{self._plan.launch}-{attempt}-{role}"
        environment = {**self._plan.environment, "UCX_LOG_FILE": str(stem.with_suffix(".ucx.log").absolute())}
        return WorkerSpec(role, self._plan.server, environment, self._cores[role], stem.with_suffix(".log"))


@contextmanager
def launched(plan: LaunchPlan, attempt: int) -> Iterator[Launch]:
    """Start the workers of a launch (or of what is left of it) and leave none behind."""
    launch = Launch(plan, attempt)
    with launch.group:
        launch.begin()
        yield launch


def worker_environment(transports: Sequence[str]) -> dict[str, str]:
    """Return the caller's environment with what the transports' traits ask for."""
    environment = dict(os.environ)
    for name in transports:
        environment.update(base.load(name).traits.environment)
    return environment


def lost(plan: LaunchPlan, position: int, planned: PlannedPoint, failure: Failure) -> PointRecord:
    """Return the record of a point that was not even tried."""
    return _Draft(plan, position, planned, _cores()).record("failed", failure=failure)


@dataclass
class _Draft:
    """A record while its point is being measured: whatever happens, what is known is kept."""

    plan: LaunchPlan
    position: int
    planned: PlannedPoint
    cores: Mapping[str, Sequence[int]]
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
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

    def warmed_up(self, timing: Mapping[str, Any]) -> None:
        """Keep the first transfer's time: it made the connection."""
        self.phases_ns["first_transfer"] = timing["durations_ns"][0]

    def window(self, timing: Mapping[str, Any]) -> None:
        """Take one timed window."""
        self.durations_ns += timing["durations_ns"]
        self.delivered_ns.append(timing["delivered_ns"])

    def checked(self, told: Mapping[str, Mapping[str, Any]]) -> None:
        """Count the bytes that were right, or fail the point with what was wrong."""
        for role, answer in told.items():
            if answer["findings"]:
                raise WorkerFailed(role, "check", WRONG_BYTES, "\n".join(answer["findings"]))
            self.checked_bytes += answer["bytes"]

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
        failure = Failure(role=failed.role, phase=failed.phase, reason=failed.reason, detail=failed.detail[:20_000])
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
                "launch": self.plan.launch,
                "position": self.position,
                "setup": self.plan.setup,
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
                "cores": {role: list(cores) for role, cores in self.cores.items()},
                "issues": self.issues,
                "load_average": machine.load_average(),
                "started_at": self.started_at,
            }
        )


def _progress(planned: PlannedPoint) -> dict[str, str]:
    """Return who drives each worker's side of the transfer."""
    drivers = base.load(planned.point.transport).traits.progress
    initiator = INITIATOR[planned.point.op]
    return {role: drivers.get("initiator" if role == initiator else "target", "unknown") for role in ROLES}


def _cores() -> dict[str, list[int]]:
    """Return one core for each role, from those this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    return {role: [allowed[number % len(allowed)]] for number, role in enumerate(ROLES)}


def _window_seed(plan: LaunchPlan, planned: PlannedPoint) -> int:
    """Return the seed of a point's block tables: new in every launch, the same for every transport of one transfer."""
    return zlib.crc32(repr((plan.seed, plan.launch, transfer_key(planned.point))).encode())
