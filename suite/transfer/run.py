"""One invocation into a run folder: `manifest.json`, and a line of `requests.jsonl` for each request and op."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suite.errors import Missing, TransferFailed
from suite.run import folder, manifest
from suite.run.folder import REQUESTS
from suite.transfer.driver import SERVER, Plan, launched, run_op
from suite.transfer.resources import capped, prepared
from suite.transfer.summary import summary
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from suite.run.folder import RunFolder
    from suite.transfer.driver import OpResult
    from suite.transfer.record import RequestRecord
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

    def spec(self) -> dict[str, Any]:
        """Return what a manifest keeps of it."""
        told = {"transfer": self.task.as_json(), "transport": self.transport, "ops": list(self.ops)}
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
    task = capped(asked.task, asked.transport, asked.memory_bytes)
    run_folder = folder.create(out, REQUESTS)
    resources = prepared(task, asked.transport, run_folder.logs, emulated_gpus=asked.emulated_gpus)
    plan = Plan(task, asked.transport, resources, run_folder.logs, asked.seed, asked.deadline_s, asked.server)
    settings = {"worker_environment": dict(resources.required), "devices": dict(resources.devices)}
    about = manifest.begin(seed=asked.seed, spec=asked.spec() | {"batch": task.batch}, settings=settings)
    run_folder.write_manifest(about)
    told = Told(run_folder.path, task)
    try:
        _run_ops(plan, asked, run_folder, told, progress)
    finally:
        complete = len(told.ops) == len(asked.ops)
        run_folder.write_manifest(manifest.end(about, complete=complete) | {"ops": told.ops})
    return told


def _run_ops(plan: Plan, asked: Asked, run_folder: RunFolder, told: Told, progress: Callable[[str, int], None]) -> None:
    over: Counter[str] = Counter()

    def say(record: RequestRecord) -> None:
        run_folder.append(record.as_json())
        over[record.op] += 1
        progress(record.op, over[record.op])

    results: list[OpResult] = []
    try:
        with launched(plan) as ranks:
            for op in asked.ops:
                results.append(run_op(ranks, plan, op, say))
                told.ops.append(summary(results[-1], emulated=plan.resources.emulated))
                if results[-1].failure:
                    break
    except WorkerFailed as failed:
        kind = Missing if failed.reason in _LACKING else TransferFailed
        raise kind("worker-lost", str(failed), failed.detail) from failed
    _rewrite(run_folder, [record for result in results for record in result.records])


def _rewrite(run_folder: RunFolder, records: Sequence[RequestRecord]) -> None:
    """Write all lines again, now that the wires are known: libraries tell them when an endpoint is closed."""
    lines = (json.dumps(record.as_json(), separators=(",", ":"), allow_nan=False) + "\n" for record in records)
    folder.write_whole(run_folder.path / REQUESTS, "".join(lines))
