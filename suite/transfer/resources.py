"""What a transfer needs of this machine: the transport, the environment of its workers, devices, memory."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from suite.errors import BadInput, Missing
from suite.run import machine
from suite.transfer.pools import placed, region_bytes, total_bytes
from suite.transfer.task import seat_of
from suite.transfer.workers import POSTED
from suite.transports import base
from suite.transports.libraries import with_libraries
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from suite.transfer.task import Task

_PROCESS_BYTES = 150 << 20  # Python, numpy and NIXL in one worker
_USED = 0.85  # of what is free: the rest is for pieces that are compared, and for everybody else
_SLACK_BYTES = 256 << 20  # of an emulated device, beside the region: what UCX stages in it
_OPS: Mapping[str, Sequence[str]] = MappingProxyType(
    {"push": ["push"], "pull": ["pull"], "both": ["push", "pull"], "handoff": ["handoff"]}
)


@dataclass(frozen=True)
class Resources:
    """What every worker is given."""

    environment: Mapping[str, str]
    required: Mapping[str, str]  # what the transport asks for, of that environment
    devices: Mapping[str, int]  # role -> CUDA ordinal; empty: host memory
    emulated: bool


def ops_of(transport: str, asked: str | None, *, on_devices: bool) -> list[str]:
    """Return the ops to run: what was asked for, or all that the transport can do between such memory."""
    traits = base.load(transport).traits
    kind = "cuda" if on_devices else "host"
    possible = [op for op in POSTED if _can(traits, op, kind)]
    wanted = _OPS[asked] if asked else possible
    if not wanted or set(wanted) - set(possible):
        lacking = " or ".join(op for op in wanted or POSTED if op not in possible)
        hint = f"{transport} can {' and '.join(possible)}" if possible else "take nixl:UCX, ucx or copy"
        raise BadInput("cannot-do-op", f"{transport} cannot {lacking} between {kind} memory of two ranks", hint)
    return list(wanted)


def _can(traits: base.Traits, op: str, kind: str) -> bool:
    if op == "handoff":
        return {base.Op.STORE, base.Op.FETCH} <= traits.ops and (kind, "file") in traits.memory
    return POSTED[op] in traits.ops and (kind, kind) in traits.memory


def capped(task: Task, transport: str, cap_bytes: int | None = None) -> Task:
    """Return the task with as many requests in a batch as memory holds; not one is a `Missing` with the sizes."""
    staged = _staged_bytes(task) if base.load(transport).traits.two_sided else 0
    processes = len(task.roles()) * _PROCESS_BYTES
    room = int((machine.available_bytes() - processes) * _USED)
    room = room if cap_bytes is None else min(room, cap_bytes)
    low, high = 0, task.requests  # of so many requests the pools fit, and of more they may not
    while low < high:
        middle = (low + high + 1) // 2
        fits = total_bytes(replace(task, batch=middle)) + staged <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    if not low:
        needed = format_bytes(total_bytes(replace(task, batch=1)) + staged)
        have = "--memory allows" if cap_bytes is not None and room == cap_bytes else "there are"
        raise Missing(
            "no-memory",
            f"one request needs {needed} for the pools of {len(task.roles())} ranks, {have} {format_bytes(max(0, room))} "
            f"beside {format_bytes(processes)} for the processes",
            "fewer --layers, a shorter --isl, or fewer ranks",
        )
    return replace(task, batch=low)


def _staged_bytes(task: Task) -> int:
    """Return what a transport that packs messages holds of one request on its way, on both sides."""
    return sum(side.held_bytes(task.model, task.tokens) for side in (task.prefill, task.decode))


def prepared(task: Task, transport: str, logs: Path, *, emulated_gpus: int) -> Resources:
    """Return what the workers of `task` are started with; what is lacking is a `Missing`."""
    chosen = base.load(transport)
    environment = _environment(task, logs, emulated_gpus)
    if lacking := chosen.missing(environment):
        no_driver = "libcuda" in lacking and not emulated_gpus
        hint = "--emulated-gpus N has a driver of its own, on any machine" if no_driver else ""
        raise Missing("transport-missing", f"{transport} cannot run here: {lacking}", hint)
    required = chosen.traits.environment
    devices = {role: index % emulated_gpus for index, role in enumerate(task.roles())} if emulated_gpus else {}
    return Resources({**environment, **required}, required, devices, bool(emulated_gpus))


def _environment(task: Task, logs: Path, emulated_gpus: int) -> dict[str, str]:
    caller = dict(os.environ)
    if not emulated_gpus:
        return with_libraries(caller)
    from suite.cuda_emulator.environment import environment

    largest = max(region_bytes(placed(task, *seat_of(role))) for role in task.roles())
    return caller | environment(emulated_gpus, base=caller, logs=logs, memory_bytes=2 * largest + _SLACK_BYTES)


class Requested(NamedTuple):
    """Which requests are moved together."""

    batch: int
    requests: range


def batches(task: Task) -> list[Requested]:
    """Return the requests, batch by batch."""
    starts = range(0, task.requests, task.batch)
    return [
        Requested(number, range(start, min(start + task.batch, task.requests))) for number, start in enumerate(starts)
    ]
