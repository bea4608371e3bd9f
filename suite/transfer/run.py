"""One invocation into a run folder: `manifest.json`, and a line of `requests.jsonl` for each request and op."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from suite.errors import Missing, TransferFailed
from suite.run import folder, manifest
from suite.run.folder import RANKS, REQUESTS
from suite.transfer.driver import SERVER, Plan, launched, run_op
from suite.transfer.resources import capped, prepared
from suite.transfer.selection import HANDOFF
from suite.transfer.serving.manner import Manner
from suite.transfer.serving.op import run_served
from suite.transfer.summary import summary
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from suite.run.folder import RunFolder
    from suite.transfer.driver import OpResult
    from suite.transfer.metrics import RankRecord
    from suite.transfer.record import Op, RequestRecord
    from suite.transfer.task import Task

_LACKING = (
    "error: no-memory",
    "error: device-memory",
    "error: no-driver",
    "error: no-device",
    "error: no-cuda-bindings",
)


@dataclass(frozen=True)
class Asked:
    """What is to be moved, and how."""

    task: Task  # all requests in one batch
    transport: str
    ops: Sequence[Any]  # push, pull
    seed: int
    deadline_s: float
    memory_bytes: int | None = None  # for the pools of all ranks; None: what is free
    emulated_gpus: int = 0
    server: str = SERVER
    then: Sequence[tuple[str, Sequence[Any]]] = ()  # methods that follow the first: a transport and its ops each
    settings: Mapping[str, Any] = field(default_factory=dict)  # what selected the methods, for the manifest
    manner: Manner | None = None  # of two servers; None: one request after the other

    @property
    def methods(self) -> list[tuple[str, Sequence[Any]]]:
        """Return every transport with its ops, in the order in which they run."""
        return [(self.transport, self.ops), *self.then]

    def spec(self) -> dict[str, Any]:
        """Return what a manifest keeps of it."""
        told: dict[str, Any] = {"transfer": self.task.as_json(), "transport": self.transport, "ops": list(self.ops)}
        if self.then:
            told["then"] = [{"transport": transport, "ops": list(ops)} for transport, ops in self.then]
        if self.manner is not None:
            told["serving"] = asdict(self.manner)
        return told | {"emulated_gpus": self.emulated_gpus, "deadline_s": self.deadline_s}


@dataclass(frozen=True)
class Told:
    """What came of it: `ops` are summaries."""

    folder: Path
    task: Task  # with the batches that were made
    ops: list[dict[str, Any]] = field(default_factory=list)


def run(asked: Asked, out: Path | None, progress: Callable[[str, int], None]) -> Told:
    """Move all requests of all ops; a lost worker ends the op in which it is lost, and what comes after it.

    `progress` is told the op and how many of its requests are over. Raises `Missing`
    for what this machine lacks, `TransferFailed` if the workers do not even start.
    """
    fitting = [capped(asked.task, transport, asked.memory_bytes) for transport, _ in asked.methods]
    task = min(fitting, key=lambda one: one.batch)
    run_folder = folder.create(out, REQUESTS)
    plans = [_plan(asked, task, number, run_folder) for number in range(len(asked.methods))]
    about = manifest.begin(
        seed=asked.seed, spec=asked.spec() | {"batch": task.batch}, settings={**_given(plans), **asked.settings}
    )
    run_folder.write_manifest(about)
    told = Told(run_folder.path, task)
    try:
        _run_methods(plans, asked, run_folder, told, progress)
    finally:
        complete = len(told.ops) == sum(len(ops) for _, ops in asked.methods)
        run_folder.write_manifest(manifest.end(about, complete=complete) | {"ops": told.ops})
    return told


def _plan(asked: Asked, task: Task, number: int, run_folder: RunFolder) -> Plan:
    """Return the plan of a method; each has workers of its own, so the later ones have a log folder of their own too."""
    transport, _ = asked.methods[number]
    logs = run_folder.logs / f"method-{number + 1}" if number else run_folder.logs
    logs.mkdir(exist_ok=True)
    resources = prepared(task, transport, logs, emulated_gpus=asked.emulated_gpus)
    return Plan(task, transport, resources, logs, asked.seed, asked.deadline_s, asked.server, asked.manner)


def _given(plans: Sequence[Plan]) -> dict[str, Any]:
    """Return what the workers were started with, of the first method and, where there are more, of each."""
    first, required = plans[0], {plan.transport: dict(plan.resources.required) for plan in plans}
    told = {"worker_environment": required[first.transport], "devices": dict(first.resources.devices)}
    return told | ({"worker_environments": required} if len(plans) > 1 else {})


def _run_methods(
    plans: Sequence[Plan], asked: Asked, run_folder: RunFolder, told: Told, progress: Callable[[str, int], None]
) -> None:
    """Run one method after the other, until one of them loses a worker."""
    results: list[OpResult] = []
    for plan, (_, ops) in zip(plans, asked.methods, strict=True):
        results += _run_ops(plan, ops, run_folder, told, progress)
        _rewrite(run_folder.path / REQUESTS, [record for result in results for record in result.records])
        _rewrite(run_folder.path / RANKS, [record for result in results for record in result.ranks])
        if results[-1].failure:
            break


def _run_ops(
    plan: Plan, ops: Sequence[Any], run_folder: RunFolder, told: Told, progress: Callable[[str, int], None]
) -> list[OpResult]:
    results: list[OpResult] = []
    over: Counter[str] = Counter()

    def say(record: RequestRecord) -> None:
        run_folder.append(record.as_json())
        over[record.op] += 1
        progress(record.op, over[record.op])

    try:
        with _moving(plan, served=HANDOFF in ops) as move:
            for op in ops:
                results.append(move(op, say))
                about = {"transport": plan.transport}
                told.ops.append(summary(results[-1], emulated=plan.resources.emulated) | about)
                if results[-1].failure:
                    break
    except WorkerFailed as failed:
        kind = Missing if failed.reason in _LACKING else TransferFailed
        raise kind("worker-lost", str(failed), failed.detail) from failed
    return results


@contextmanager
def _moving(plan: Plan, *, served: bool) -> Iterator[Callable[[Op, Callable[[RequestRecord], None]], OpResult]]:
    """Give what runs one op: one group of ranks for all ops, or two servers; only these do handoffs."""
    if plan.manner is None and not served:
        with launched(plan) as ranks:
            yield partial(run_op, ranks, plan)
        return
    manner, epochs = plan.manner or Manner(), count(1)
    yield lambda op, say: run_served(plan, op, manner, next(epochs), say)


def _rewrite(path: Path, records: Sequence[RequestRecord] | Sequence[RankRecord]) -> None:
    """Write all lines (again: libraries tell the wires when an endpoint is closed)."""
    lines = (json.dumps(record.as_json(), separators=(",", ":"), allow_nan=False) + "\n" for record in records)
    folder.write_whole(path, "".join(lines))
