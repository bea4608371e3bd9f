"""What is fixed before the first worker of a sweep starts: its environment, the devices, what this machine can run.

A supervisor loads no CUDA and no transport's library: devices are asked of a
worker, what is missing is judged by files.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from perf import witness
from perf.ab.sides import doubled, sides
from perf.identity import CEILING, companions_key
from perf.memory import HOST, kind_of, two_sided
from perf.planning import points
from perf.roles import FILE
from perf.setups import required_environment
from perf.workload import region_bytes
from suite.errors import Missing
from suite.memory.devices import Device
from suite.run import machine
from suite.transports import base
from suite.transports.libraries import with_libraries
from suite.units import format_bytes
from suite.world.supervisor import Group, WorkerFailed, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from perf.ab.sides import Side
    from perf.ab.variants import Variant
    from perf.identity import PointKey
    from perf.planning import PlannedPoint
    from perf.spec import SweepSpec

PROBE = "suite.memory.devices:Probe"
_PROBE_S = 60.0
_PROBES = 3  # one may be killed by chance, and has then said nothing about devices
_PROCESS_BYTES = 150 << 20  # Python, numpy and NIXL in one worker
_EMULATED_DEVICE_BYTES = 8 << 30


@dataclass(frozen=True)
class Resources:
    """What every worker of a sweep is given, and what can be measured with it."""

    planned: Sequence[PlannedPoint]
    environment: Mapping[str, str]
    required: Mapping[str, str]  # what the transports ask for, of that environment
    devices: Mapping[str, Device] = field(default_factory=dict)  # by name of memory: cuda:0
    emulated: bool = False
    notes: Sequence[str] = ()
    sides: Mapping[str, Side] = field(default_factory=dict)  # of an A/B, by name

    @property
    def groups(self) -> int:
        """How many groups of workers there are at the same time, each with its regions: those of A and of B."""
        return len(self.sides) or 1

    @property
    def region_bytes(self) -> int:
        """Bytes of a region that any point fits into."""
        return max(map(region_bytes, self.planned))

    def as_json(self) -> dict[str, Any]:
        """Return what a manifest keeps of it."""
        devices = {name: asdict(device) for name, device in self.devices.items()}
        told = {"worker_environment": dict(self.required), "devices": devices, "notes": list(self.notes)}
        return told | ({"ab": {name: side.as_json() for name, side in self.sides.items()}} if self.sides else {})


def prepared(spec: SweepSpec, logs: Path, *, emulated_gpus: int = 0, variants: Sequence[Variant] = ()) -> Resources:
    """Return what `spec` is measured with here, every point once for each of `variants`; what is lacking is a `Missing`.

    Only the ceiling, and what the spec calls optional, may be left out, and then with a note.
    """
    environment = _environment(logs, emulated_gpus)
    devices = _devices(environment, logs) if emulated_gpus or _wants_devices(spec) else {}
    planned = points(spec, [device.ordinal for device in devices.values()]) if devices else points(spec)
    compared = sides(variants, planned, logs, emulated=bool(emulated_gpus))
    environment_here = library_environment(emulated_gpus)
    runnable, notes = _runnable(planned, environment_here, spec.optional, list(compared.values()))
    if spec.witness and (lacking := witness.missing(environment)):
        notes.append(f"no witness: {lacking}")
    required = required_environment(sorted({one.point.transport for one in runnable}))
    runnable = doubled(runnable, compared.values()) if compared else runnable
    resources = Resources(runnable, environment, required, devices, bool(emulated_gpus), notes, compared)
    _require_devices(resources)
    _require_memory(resources)
    return resources


def library_environment(emulated_gpus: int = 0) -> dict[str, str]:
    """Return the caller's environment with the folders in which a worker's loader will look."""
    found = with_libraries(os.environ)
    if emulated_gpus:
        from suite.cuda_emulator.build import library_folder

        found["LD_LIBRARY_PATH"] = ":".join(filter(None, [str(library_folder()), found.get("LD_LIBRARY_PATH")]))
    return found


def _environment(logs: Path, emulated_gpus: int) -> dict[str, str]:
    """Return the caller's environment, with the folders of CUDA's libraries, or of the emulated driver."""
    if not emulated_gpus:
        return library_environment()
    from suite.cuda_emulator.environment import environment

    caller = dict(os.environ)
    return caller | environment(emulated_gpus, base=caller, logs=logs, memory_bytes=_EMULATED_DEVICE_BYTES)


def _wants_devices(spec: SweepSpec) -> bool:
    pairs = [*(pair for kv in spec.kv for pair in kv.memory), *(pair for one in spec.messages for pair in one.memory)]
    return any("cuda:" in pair for pair in pairs)


def _devices(environment: Mapping[str, str], logs: Path) -> dict[str, Device]:
    """Return the devices by name of memory, as a worker sees them."""
    probe = WorkerSpec("probe", PROBE, environment, machine.separate_cpus(1), logs / "probe.log")
    for left in reversed(range(_PROBES)):
        try:
            found = _probed(probe)
            break
        except WorkerFailed as failed:
            if not failed.died:
                raise Missing("no-device", f"no CUDA device: {failed.reason}", failed.detail) from failed
            if not left:
                what = f"a worker that asks the CUDA driver for its devices was lost {_PROBES} times: {failed.reason}"
                raise Missing("probe-lost", what, f"{failed.detail}\nlog: {probe.log}") from failed
    return {f"cuda:{one['ordinal']}": Device(**one | {"cpus": tuple(one["cpus"])}) for one in found}


def _probed(probe: WorkerSpec) -> list[dict[str, Any]]:
    with Group([probe]) as group:
        found: list[dict[str, Any]] = group.ask("probe", {"probe": ("devices", {})}, _PROBE_S)["probe"]
    return found


def _runnable(
    planned: Sequence[PlannedPoint],
    environment: Mapping[str, str],
    optional: Collection[str] = (),
    sides: Sequence[Side] = (),
) -> tuple[list[PlannedPoint], list[str]]:
    """Return the points that can run here, on all `sides` if there are any, and notes on what was left out.

    That is the ceiling, and what is `optional`.
    """
    notes: list[str] = []
    lacking: dict[str, str] = {}
    for name in sorted({one.point.transport for one in planned}):
        answers = [side.lacks(name, environment) for side in sides] or [base.load(name).missing(environment)]
        if missing := next(filter(None, answers), None):
            if name != CEILING and name not in optional:
                raise Missing("transport-missing", f"{name} cannot run here: {missing}")
            lacking[name] = missing
            what = "no ceiling" if name == CEILING else "left out, as the spec allows"
            notes.append(f"{what}: {name} cannot run here: {missing}")
    runnable = [one for one in planned if one.point.transport not in lacking]
    if not runnable:
        raise Missing("transport-missing", "; ".join(notes))
    return runnable, notes


def _require_devices(resources: Resources) -> None:
    """Refuse a device that is not there, or too small for the regions that two workers make on it."""
    for name in _memories(resources.planned):
        if kind_of(name) != "cuda":
            continue
        if name not in resources.devices:
            there = ", ".join(resources.devices) or "none"
            raise Missing("no-such-device", f"there is no {name}", f"devices here: {there}; see memory in the spec")
        device, count = resources.devices[name], 2 * resources.groups + _at_once(resources.planned, name)
        needed = count * resources.region_bytes + _staged_bytes(resources.planned, name)
        if device.total_bytes < needed:
            raise Missing(
                "device-memory",
                f"{name} has {format_bytes(device.total_bytes)}, its regions and staging buffers need {format_bytes(needed)}",
                "use fewer tokens or samples in the spec",
            )


def _require_memory(resources: Resources) -> None:
    """Refuse a sweep that host memory cannot hold: its own regions, and those of emulated devices."""
    in_host_memory = [name for name in _memories(resources.planned) if name == HOST or resources.emulated]
    regions = sum(2 * resources.groups + _at_once(resources.planned, name) for name in in_host_memory)
    workers = 2 * resources.groups + 2 * max(
        (one.point.flows for one in resources.planned if one.point.flows > 1), default=0
    )
    staged = sum(_staged_bytes(resources.planned, name) for name in in_host_memory)
    needed = regions * resources.region_bytes + staged + workers * _PROCESS_BYTES
    available = machine.available_bytes()
    if needed > available:
        raise Missing(
            "no-memory",
            f"this sweep needs {format_bytes(needed)} of memory, {format_bytes(available)} can be had",
            "use fewer tokens or samples in the spec",
        )


def _at_once(planned: Iterable[PlannedPoint], name: str) -> int:
    """Return how many regions in the memory `name` the pairs that transfer at once have, beside the usual two."""
    sides: Counter[PointKey] = Counter()
    for one in planned:
        if one.point.flows > 1:
            sides[companions_key(one.point)] += (one.point.source, one.point.destination).count(name)
    return max(sides.values(), default=0)


def _staged_bytes(planned: Iterable[PlannedPoint], name: str) -> int:
    """Return what senders and receivers of whole messages stage in the memory `name`: a window's bytes again, at most."""
    return max(
        (
            one.pool_bytes * (one.point.source, one.point.destination).count(name)
            for one in planned
            if one.point.descriptors > 1 and two_sided(one.point.transport)
        ),
        default=0,
    )


def _memories(planned: Iterable[PlannedPoint]) -> list[str]:
    """Return every memory that a worker makes a region in."""
    sides = {side for one in planned for side in (one.point.source, one.point.destination)}
    return sorted(side for side in sides if kind_of(side) != FILE)
