"""A sweep: launch after launch of fresh workers, every point appended to disk when it ends."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from perf.ab.interleaving import in_turns, orders, side_by_side, twin
from perf.ab.restored import restored
from perf.beside import beside
from perf.budget import Budget, not_reached
from perf.draft import lost
from perf.identity import companions_key, point_key
from perf.launch import SERVER, LaunchPlan, PointFailed, launched
from perf.reading import read_records, read_run
from perf.record import Failure, PointRecord
from perf.resources import prepared
from perf.roles import through_file
from perf.settings import ours
from perf.setups import by_setup
from perf.sharing import within
from perf.spec import check_spec
from perf.spent import Clocked, Stopwatch
from perf.together import measure_together
from perf.witness import key_of
from suite.errors import BadInput, KvgaugeError
from suite.run import manifest
from suite.run.folder import RunFolder, reopen
from suite.run.scratch import scratch
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from perf.ab.variants import Variant
    from perf.asides import CeilingRecord, WitnessRecord
    from perf.beside import Beside
    from perf.planning import PlannedPoint
    from perf.resources import Resources
    from perf.setups import Setup
    from perf.spec import SweepSpec

    Record = PointRecord | CeilingRecord | WitnessRecord
    Step = Callable[[], Iterable[Record]]

DEADLINE_S = 30.0
_STARTS = 3  # in a row that may fail before the sweep gives up: one may have been killed by chance
_LOSSES = 2  # a point that has cost so many launches is not tried again


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
    emulated_gpus: int = 0
    budget_s: float | None = None  # of this invocation; None: until all is measured
    scratch: Path | None = None  # where the file of stores and fetches is made; None: in the run folder
    variants: tuple[Variant, ...] = ()  # A and B, measured side by side; none: as the spec says


def measure(spec: SweepSpec, folder: RunFolder, options: Options, watcher: Watcher) -> None:
    """Measure `spec` into `folder`; whatever happens, what was measured and the manifest stay.

    Points of launches that `folder` already has are not measured again.
    """
    clocked, budget = Clocked(folder.path), Budget(options.budget_s)
    resources = prepared(spec, folder.logs, emulated_gpus=options.emulated_gpus, variants=options.variants)
    planned = resources.planned
    started = manifest.begin(
        seed=options.seed,
        spec=spec.model_dump(mode="json", by_alias=True),
        settings={**options.settings, "emulated_gpus": options.emulated_gpus, **resources.as_json()},
    )
    folder.write_manifest(started)
    for note in resources.notes:
        watcher.note(note)
    left = _left(planned, spec.launches, options.seed, folder)
    watcher.started(spec.launches, len(planned), done=spec.launches * len(planned) - sum(map(len, left.values())))
    complete = False
    thinned: set[int] = set()  # launches that measure some points only, so that there are enough of them
    try:
        within_it = within(budget, left, planned, spec.launches, note=watcher.note, thinned=thinned)
        asides = beside(spec, resources, folder.logs, watcher.note)
        with closing(
            _records(resources, within_it, folder, options, asides, stopwatch=clocked.stopwatch, thinned=thinned)
        ) as records:  # no worker is left
            for record in records:
                folder.append(record.model_dump(mode="json", by_alias=True))
                clocked.note(record.launch)
                if isinstance(record, PointRecord):
                    watcher.measured(record)
                if budget.over:
                    break
        missing = _left(planned, spec.launches, options.seed, folder)
        complete = not missing
        for note in not_reached(missing, planned, spec.launches, folder.path):
            watcher.note(note)
    finally:
        folder.write_manifest({**manifest.end(started, complete=complete), **clocked.over()})


def resumed(path: Path, given: Sequence[Variant] = ()) -> tuple[SweepSpec, Options, RunFolder]:
    """Return what a run folder's manifest says was asked for, and the folder, to go on with it; `given` is --ab, said again."""
    asked = manifest.read(RunFolder(path).manifest)
    spec = check_spec(asked.get("spec"), source=f"{path}/manifest.json, spec")
    seed, settings = asked.get("seed"), asked.get("settings")
    if not isinstance(seed, int) or not isinstance(settings, dict):
        raise BadInput("bad-manifest", f"{path}/manifest.json has no seed or no settings", "start a new run")
    gpus = settings.get("emulated_gpus", 0)
    if not isinstance(gpus, int):
        raise BadInput("bad-manifest", f"{path}/manifest.json: emulated_gpus is no number", "start a new run")
    variants = restored(settings, f"{path}/manifest.json", given)
    return spec, Options(seed=seed, settings=settings, emulated_gpus=gpus, variants=variants), reopen(path)


def _left(
    planned: Sequence[PlannedPoint], launches: int, seed: int, folder: RunFolder
) -> dict[int, list[tuple[int, int]]]:
    """Return launch -> (position, index) of the points that `folder` has no record of; finished launches are left out."""
    done = {(record.launch, point_key(record.point)) for record in read_records(folder.samples)[0]}
    ordered = orders(planned, launches, seed)
    keys = [point_key(one.point) for one in planned]
    left = {}
    for launch, order in enumerate(ordered):
        missing = {index for index in order if (launch, keys[index]) not in done}
        # of points that transfer at the same time, one that is missing has all of them measured again
        torn = {companions_key(planned[index].point) for index in missing if planned[index].point.flows > 1}
        again = missing | {index for index in order if companions_key(planned[index].point) in torn}
        again |= {other for index in again if (other := twin(planned, index)) is not None}
        left[launch] = [(position, index) for position, index in enumerate(order) if index in again]
    return {launch: points for launch, points in left.items() if points}


def _records(
    resources: Resources,
    launches: Iterable[tuple[int, Sequence[tuple[int, int]]]],
    folder: RunFolder,
    options: Options,
    asides: Beside,
    *,
    stopwatch: Stopwatch,
    thinned: Collection[int],
) -> Generator[Record]:
    losses: Counter[int] = Counter()
    done = _asides_done(folder)
    with _file(resources, options.scratch or folder.path) as file:
        plan = LaunchPlan(
            launch=0,
            environment=resources.environment,
            logs=folder.logs,
            seed=options.seed,
            region_bytes=resources.region_bytes,
            deadline_s=options.deadline_s,
            server=options.server,
            file=file,
            devices=resources.devices,
            emulated=resources.emulated,
            stopwatch=stopwatch,
        )
        for launch, order in launches:
            steps = _steps(replace(plan, launch=launch), resources, order, losses)
            known = done[launch] | ({"ceiling"} if launch in thinned else set())  # the first launch has had them
            others = asides.steps(launch, known, volume=file.parent if file else None)
            others = [partial(stopwatch.each, "beside", step) for step in others]
            for step in _mixed(steps, others, (options.seed, launch)):
                yield from step()


def _steps(
    plan: LaunchPlan, resources: Resources, order: Sequence[tuple[int, int]], losses: Counter[int]
) -> list[Step]:
    """Return a step for each setup of a launch: its points, in workers of their own; those of A and B are one step."""
    groups = by_setup(resources.planned, order, emulated=resources.emulated)
    return [
        partial(_setup, plan, f"{number}.", resources, together, losses)
        for number, together in enumerate(side_by_side(groups))
    ]


def _setup(
    plan: LaunchPlan,
    label: str,
    resources: Resources,
    together: Sequence[tuple[Setup, Sequence[tuple[int, int]]]],
    losses: Counter[int],
) -> Iterable[PointRecord]:
    planned = resources.planned
    measuring = {}
    for chosen, points in together:
        transports = sorted({planned[index].point.transport for _, index in points})
        own = replace(plan, environment=chosen.environment(resources.environment, transports))
        if side := resources.sides.get(chosen.variant):
            own = replace(own, environment=side.environment(own.environment), python=side.python)
        measuring[chosen.variant] = _launch(own, f"{label}{chosen.variant}", planned, deque(points), losses)
    turns = sorted(one for _, points in together for one in points)
    return in_turns(measuring, [planned[index].point.variant for _, index in turns])


def _mixed(steps: list[Step], asides: Sequence[Step], seed: tuple[int, int]) -> list[Step]:
    """Put each aside at a random place among the steps."""
    order = random.Random(repr(seed))  # noqa: S311  an order, no secret
    for aside in asides:
        steps.insert(order.randint(0, len(steps)), aside)
    return steps


def _asides_done(folder: RunFolder) -> defaultdict[int, set[object]]:
    """Return launch -> what `folder` has records of: "ceiling", and the keys of witnesses."""
    found = read_run(folder.samples)
    done: defaultdict[int, set[object]] = defaultdict(set)
    for ceiling in found.ceilings:
        done[ceiling.launch].add(ceiling.kind)
    for witness in found.witnesses:
        done[witness.launch].add(key_of(witness))
    return done


@contextmanager
def _file(resources: Resources, parent: Path) -> Iterator[Path | None]:
    """Make the file that stores and fetches go through, if any do; it is gone when we are."""
    through = [one for one in resources.planned if through_file(one.point.op)]
    if not through:
        yield None
        return
    from suite.memory.files import file_region

    with scratch(parent) as folder:
        path = folder / "kv-cache"
        wanted = [ours(one.point.settings) for one in through]
        direct = any(one.io == "direct" for one in wanted)
        for files in sorted({one.files for one in wanted}):  # reserved, and O_DIRECT tried, before any launch
            file_region(path, resources.region_bytes, files=files, direct=direct).close()
        yield path


def _launch(
    plan: LaunchPlan, label: str, planned: Sequence[PlannedPoint], left: deque[tuple[int, int]], losses: Counter[int]
) -> Generator[PointRecord]:
    """Yield the records of one launch in one setup; after a lost point, fresh workers measure the points that are left."""
    attempt = starts_lost = 0
    while left:
        try:
            with launched(plan, f"{label}{attempt}") as launch:
                starts_lost = 0
                while left:
                    position, index = left.popleft()
                    if losses[index] >= _LOSSES:
                        yield lost(plan.launch, position, planned[index], _given_up())
                    elif planned[index].point.flows > 1:
                        yield from _together(
                            plan, planned, [(position, index), *_companions(planned, left, index)], losses
                        )
                    else:
                        try:
                            record = launch.measure(index, position, planned[index])
                        except PointFailed as failed:
                            launch.group.kill()  # it may still be writing
                            losses[index] += 1
                            yield failed.record
                            break
                        yield record
        except WorkerFailed as failed:
            starts_lost += 1
            if starts_lost == _STARTS:
                raise KvgaugeError(
                    "workers-do-not-start", f"workers do not start: {failed}", f"{failed.detail}\nlogs: {plan.logs}"
                ) from failed
        attempt += 1


def _companions(planned: Sequence[PlannedPoint], left: deque[tuple[int, int]], index: int) -> list[tuple[int, int]]:
    """Take from `left` the points that transfer at the same time as point `index`."""
    key = companions_key(planned[index].point)
    found = [one for one in left if companions_key(planned[one[1]].point) == key]
    for one in found:
        left.remove(one)
    return found


def _together(
    plan: LaunchPlan, planned: Sequence[PlannedPoint], members: Sequence[tuple[int, int]], losses: Counter[int]
) -> Generator[PointRecord]:
    """Yield the records of points that transfer at the same time, measured by workers of their own."""
    chosen = [(index, place, planned[index]) for place, index in members]
    try:
        records = measure_together(plan, f"at{members[0][0]}.", chosen)
    except WorkerFailed as failed:
        why = Failure(role="supervisor", phase=failed.phase, reason="workers do not start", detail=str(failed))
        records = [lost(plan.launch, place, one, why) for _, place, one in chosen]
    for (_, index), record in zip(members, records, strict=True):
        losses[index] += record.status == "failed"
        yield record


def _given_up() -> Failure:
    detail = f"it has failed in {_LOSSES} launches"
    return Failure(role="supervisor", phase="plan", reason="not tried again", detail=detail)
