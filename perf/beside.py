"""What a launch measures beside its points: ceilings of this machine, and the witness.

Each is a step of the launch, at a random place among those of its points, so
that time since the start favours neither. A step that fails costs a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from perf import ceilings, witness
from perf.memory import kind_of
from perf.roles import through_file
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from perf.asides import CeilingRecord, WitnessRecord
    from perf.planning import PlannedPoint
    from perf.resources import Resources
    from perf.spec import SweepSpec

    Step = Callable[[], Iterable[CeilingRecord | WitnessRecord]]


@dataclass(frozen=True)
class Beside:
    """What is asked for, and where."""

    sizes: tuple[int, ...]  # working sets of ceilings, in bytes; without any there are none
    witnesses: tuple[witness.Wanted, ...]
    environment: Mapping[str, str]
    logs: Path
    note: Callable[[str], None]

    def steps(self, launch: int, done: Collection[object], *, volume: Path | None) -> list[Step]:
        """Return the steps of `launch`; `done` has what it has records of already: "ceiling", and keys of witnesses.

        `volume` is a folder of the volume that points of this sweep go through.
        """
        steps: list[Step] = []
        if self.sizes and "ceiling" not in done:
            steps.append(partial(self._ceilings, launch, volume))
        steps += [partial(self._witness, one, launch) for one in self.witnesses if one.key not in done]
        return steps

    def _ceilings(self, launch: int, volume: Path | None) -> Iterator[CeilingRecord]:
        notes: list[str] = []
        try:
            for one in ceilings.measure(self.environment, self.logs, volume, sizes=self.sizes, notes=notes):
                yield one.record(launch)
        except WorkerFailed as failed:
            notes.append(f"no ceilings in launch {launch + 1}: {failed}")
        for text in notes:
            self.note(text)

    def _witness(self, wanted: witness.Wanted, launch: int) -> Iterator[WitnessRecord]:
        record = witness.testify(wanted, self.environment, launch)
        if record.problem:
            self.note(f"{wanted.test} in launch {launch + 1}: {record.problem}")
        yield record


def beside(spec: SweepSpec, resources: Resources, logs: Path, note: Callable[[str], None]) -> Beside:
    """Return what `spec` asks for beside its points; on emulated devices there is nothing to ask."""
    planned = () if resources.emulated else resources.planned
    environment = resources.environment
    sizes = ceilings.sizes_beside(one.pool_bytes for one in planned if _has_ceiling(one)) if spec.ceilings else []
    asked = witness.all_wanted(planned) if spec.witness and not witness.missing(environment) else []
    return Beside(tuple(sizes), tuple(asked), environment, logs, note)


def _has_ceiling(planned: PlannedPoint) -> bool:
    """Return whether host memory or a file is at both ends: devices have no ceiling here."""
    point = planned.point
    return through_file(point.op) or "cuda" not in {kind_of(point.source), kind_of(point.destination)}
