"""The supervisor's half: starts a worker for each rank, and moves the requests of each op through them.

One request after the other; of one request all initiating ranks post at the same
time. It is complete when every rank of both sides says so; when one of them
fails it has failed for all, and the group is not used again, because what is
left of it may still be writing.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.transfer.batch import Batch, failure_of
from suite.transfer.record import RequestRecord
from suite.transfer.resources import batches
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from suite.transfer.metrics import RankRecord
    from suite.transfer.record import Failure, Op
    from suite.transfer.resources import Requested, Resources
    from suite.transfer.serving.files import Files
    from suite.transfer.serving.manner import Manner
    from suite.transfer.task import Task

SERVER = "suite.transfer.workers:RankServer"


@dataclass(frozen=True)
class Plan:
    """What all ops of an invocation have in common."""

    task: Task
    transport: str
    resources: Resources
    logs: Path
    seed: int
    deadline_s: float  # for each phase of a request
    server: str = SERVER
    manner: Manner | None = None  # of two servers; None: one request after the other
    files: Files | None = None  # of a handoff


@dataclass
class OpResult:
    """What one op came to."""

    op: Op
    records: list[RequestRecord] = field(default_factory=list)
    register_ns: list[int] = field(default_factory=list)  # of each rank
    metadata_ns: list[int] = field(default_factory=list)  # of each rank, connecting included
    check_ns: list[int] = field(default_factory=list)  # of the slowest rank in each batch
    checked_bytes: int = 0
    ranks: list[RankRecord] = field(default_factory=list)  # one for each request and rank
    stray: list[str] = field(default_factory=list)  # wrong bytes of no request
    evidence: list[dict[str, Any]] = field(default_factory=list)  # of each rank that posted
    files: dict[str, Any] | None = None  # of a handoff: how they were opened, and why so
    failure: Failure | None = None
    lost: list[str] = field(default_factory=list)  # ranks whose server was started again

    @property
    def good(self) -> bool:
        """Whether every request was moved and every byte was right."""
        moved = bool(self.records) and all(record.status == "good" for record in self.records)
        return moved and self.failure is None and not self.stray

    @property
    def wire(self) -> str:
        """The wires of all ranks, each once: `cma`."""
        return ", ".join(sorted({str(one["wire"]) for one in self.evidence}))


class Ranks:
    """The workers of all ranks."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._cores = sorted(os.sched_getaffinity(0))
        self._epoch = count(1)
        self._addresses: dict[str, int] = {}
        self.group = Group([self._worker(role) for role in plan.task.roles()])

    def begin(self) -> None:
        """Have every rank make its region."""
        task, devices = self._plan.task.as_json(), self._plan.resources.devices
        told = {role: {"task": task, "device": devices.get(role)} for role in self._plan.task.roles()}
        self._addresses = {role: answer["address"] for role, answer in self.ask("begin", told).items()}

    def ask(self, phase: str, arguments: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Ask each role in `arguments`; the verb is the phase's name."""
        questions = {role: (phase, told) for role, told in arguments.items()}
        return self.group.ask(phase, questions, self._plan.deadline_s)

    def connect(self, op: Op, result: OpResult) -> None:
        """Open every rank's endpoint, and introduce those to each other that talk."""
        roles = self._plan.task.roles()
        agents = {role: f"{op}-{role}" for role in roles}
        told = {role: {"agent": agents[role], "transport": self._plan.transport, "op": op} for role in roles}
        opened = self.ask("open", told)
        known = {
            role: {"agent": agents[role], "metadata": opened[role]["metadata"], "address": self._addresses[role]}
            for role in roles
        }
        peers: dict[str, dict[str, Any]] = {role: {} for role in roles}
        for way in self._plan.task.every_way():
            peers[way.source][way.destination] = known[way.destination]
            peers[way.destination][way.source] = known[way.source]
        answers = self.ask("connect", {role: {"peers": told} for role, told in peers.items()})
        result.register_ns = [answer["register_ns"] for answer in answers.values()]
        result.metadata_ns = [answer["metadata_ns"] for answer in answers.values()]

    def next_epoch(self) -> int:
        """Return an epoch that no content has carried."""
        return next(self._epoch)

    def close(self) -> list[dict[str, Any]]:
        """Close every rank's endpoint; return the evidence of those that posted."""
        answers = self.ask("close", {role: {} for role in self._plan.task.roles()})
        return [answer["evidence"] for answer in answers.values() if answer["evidence"]]

    def _worker(self, role: str) -> WorkerSpec:
        stem = str((self._plan.logs / role).absolute())
        environment = {**self._plan.resources.environment, "UCX_LOG_FILE": f"{stem}.ucx.log"}
        return WorkerSpec(role, self._plan.server, environment, self._cores, Path(f"{stem}.log"))


@contextmanager
def launched(plan: Plan) -> Iterator[Ranks]:
    """Start a worker for every rank and leave none behind; `WorkerFailed` if one cannot make its region."""
    ranks = Ranks(plan)
    with ranks.group:
        ranks.begin()
        yield ranks


def run_op(ranks: Ranks, plan: Plan, op: Op, say: Callable[[RequestRecord], None]) -> OpResult:
    """Move all requests; `say` gets each record when its batch is over. A lost worker ends the op: `OpResult.failure`."""
    result = OpResult(op)
    waiting = batches(plan.task)
    try:
        ranks.connect(op, result)
        while waiting:
            _run_batch(ranks, plan, waiting.pop(0), result, say)
        result.evidence = ranks.close()
    except WorkerFailed as failed:
        result.failure = failure_of(failed)
        result.records += _never_run(plan, op, waiting)
    result.records = [record.model_copy(update={"wire": result.wire[:200]}) for record in result.records]
    return result


def _run_batch(
    ranks: Ranks, plan: Plan, requested: Requested, result: OpResult, say: Callable[[RequestRecord], None]
) -> None:
    batch = Batch(ranks, plan.task, result.op, requested, seed=plan.seed)
    try:
        batch.run()
        result.check_ns.append(batch.check_ns)
        result.checked_bytes += batch.checked_bytes
        result.stray += batch.stray
    finally:
        result.ranks += batch.ranks(plan.transport, emulated=plan.resources.emulated)
        for record in batch.records(plan.transport, emulated=plan.resources.emulated):
            result.records.append(record)
            say(record)


def _never_run(plan: Plan, op: Op, waiting: Sequence[Requested]) -> Iterator[RequestRecord]:
    for requested in waiting:
        for request in requested.requests:
            yield RequestRecord(
                schema=1,
                op=op,
                request=request,
                batch=requested.batch,
                status="not-run",
                transport=plan.transport,
                emulated=plan.resources.emulated,
            )
