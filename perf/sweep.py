"""A sweep: launch after launch of fresh workers, every point appended to disk when it ends."""

from __future__ import annotations

import os
import random
from collections import Counter, deque
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from perf.draft import lost
from perf.identity import CEILING, point_key
from perf.launch import SERVER, LaunchPlan, PointFailed, launched, region_size, required_environment
from perf.reading import read_records
from perf.record import Failure
from perf.spec import check_spec, points, schedule
from suite.errors import BadInput, KvgaugeError, Missing
from suite.run import machine, manifest
from suite.run.folder import RunFolder, reopen
from suite.transports import base
from suite.units import format_bytes
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from perf.record import PointRecord
    from perf.spec import PlannedPoint, SweepSpec

DEADLINE_S = 30.0
_LOSSES = 2  # a point that has cost so many launches is not tried again
_PROCESS_BYTES = 150 << 20  # Python, numpy and NIXL in one worker


class Watcher(Protocol):
    """Who is told how a sweep gets on; never inside a timed region."""

    def started(self, launches: int, points: int, *, done: int = 0) -> None:
        """Take how much there is, and how many points of it an earlier run has done."""

    def measured(self, record: PointRecord) -> None:
        """Take a point that ended, well or not."""

    def note(self, text: str) -> None:
        """Something a reader should know."""


@dataclass(frozen=True)
class Options:
    """What a sweep is told beside its spec."""

    seed: int = field(default_factory=lambda: random.SystemRandom().randrange(1 << 31))
    deadline_s: float = DEADLINE_S
    settings: Mapping[str, object] = field(default_factory=dict)  # what was selected and why, for the manifest
    server: str = SERVER


def measure(spec: SweepSpec, folder: RunFolder, options: Options, watcher: Watcher) -> None:
    """Measure `spec` into `folder`; whatever happens, what was measured and the manifest stay.

    Points of launches that `folder` already has are not measured again.
    """
    planned, notes = _runnable(points(spec))
    started = manifest.begin(
        seed=options.seed,
        spec=spec.model_dump(mode="json", by_alias=True),
        settings={**options.settings, "notes": notes, "worker_environment": required_environment(planned)},
    )
    folder.write_manifest(started)
    for note in notes:
        watcher.note(note)
    left = _left(planned, spec.launches, options.seed, folder)
    watcher.started(spec.launches, len(planned), done=spec.launches * len(planned) - sum(map(len, left.values())))
    complete = False
    try:
        with closing(_records(planned, left, folder, options)) as records:  # whatever happens, no worker is left
            for record in records:
                folder.append(record.model_dump(mode="json", by_alias=True))
                watcher.measured(record)
        complete = True
    finally:
        folder.write_manifest(manifest.end(started, complete=complete))


def resumed(path: Path) -> tuple[SweepSpec, Options, RunFolder]:
    """Return what a run folder's manifest says was asked for, and the folder, to go on with it."""
    asked = manifest.read(RunFolder(path).manifest)
    spec = check_spec(asked.get("spec"), source=f"{path}/manifest.json, spec")
    seed, settings = asked.get("seed"), asked.get("settings")
    if not isinstance(seed, int) or not isinstance(settings, dict):
        raise BadInput("bad-manifest", f"{path}/manifest.json has no seed or no settings", "start a new run")
    return spec, Options(seed=seed, settings=settings), reopen(path)


def _left(
    planned: Sequence[PlannedPoint], launches: int, seed: int, folder: RunFolder
) -> dict[int, list[tuple[int, int]]]:
    """Return launch -> (position, index) of the points that `folder` has no record of; finished launches are left out."""
    done = {(record.launch, point_key(record.point)) for record in read_records(folder.samples)[0]}
    left = {
        launch: [
            (position, index)
            for position, index in enumerate(order)
            if (launch, point_key(planned[index].point)) not in done
        ]
        for launch, order in enumerate(schedule(planned, launches, seed))
    }
    return {launch: points for launch, points in left.items() if points}


def _records(
    planned: Sequence[PlannedPoint], left: Mapping[int, Sequence[tuple[int, int]]], folder: RunFolder, options: Options
) -> Generator[PointRecord]:
    size = region_size(planned)
    _require_memory(2 * (size + _PROCESS_BYTES))
    environment = {**os.environ, **required_environment(planned)}
    losses: Counter[int] = Counter()
    for launch, order in left.items():
        plan = LaunchPlan(
            launch=launch,
            environment=environment,
            logs=folder.logs,
            seed=options.seed,
            region_bytes=size,
            deadline_s=options.deadline_s,
            server=options.server,
        )
        yield from _launch(plan, planned, deque(order), losses)


def _launch(
    plan: LaunchPlan, planned: Sequence[PlannedPoint], left: deque[tuple[int, int]], losses: Counter[int]
) -> Generator[PointRecord]:
    """Yield the records of one launch; after a lost point, fresh workers measure the points that are left."""
    attempt = 0
    while left:
        try:
            with launched(plan, attempt) as launch:
                while left:
                    position, index = left.popleft()
                    if losses[index] >= _LOSSES:
                        yield lost(plan.launch, position, planned[index], _given_up())
                        continue
                    try:
                        record = launch.measure(index, position, planned[index])
                    except PointFailed as failed:
                        launch.group.kill()  # it may still be writing
                        losses[index] += 1
                        yield failed.record
                        break
                    yield record
        except WorkerFailed as failed:
            raise KvgaugeError(
                "workers-do-not-start", f"workers do not start: {failed}", f"{failed.detail}\nlogs: {plan.logs}"
            ) from failed
        attempt += 1


def _given_up() -> Failure:
    detail = f"it has failed in {_LOSSES} launches"
    return Failure(role="supervisor", phase="plan", reason="not tried again", detail=detail)


def _runnable(planned: Sequence[PlannedPoint]) -> tuple[list[PlannedPoint], list[str]]:
    """Return the points that can run here; only the ceiling may be left out, and then with a note."""
    notes: list[str] = []
    lacking: dict[str, str] = {}
    for name in sorted({one.point.transport for one in planned}):
        if missing := base.load(name).missing():
            if name != CEILING:
                raise Missing("transport-missing", f"{name} cannot run here: {missing}")
            lacking[name] = missing
            notes.append(f"no ceiling: {name} cannot run here: {missing}")
    return [one for one in planned if one.point.transport not in lacking], notes


def _require_memory(nbytes: int) -> None:
    available = machine.available_bytes()
    if nbytes > available:
        raise Missing(
            "no-memory",
            f"this sweep needs {format_bytes(nbytes)} of memory, {format_bytes(available)} can be had",
            "use fewer tokens or samples in the spec",
        )
