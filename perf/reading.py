"""`samples.jsonl` -> records. The file may come from anywhere, and its writer may have been killed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from perf.asides import CeilingRecord, CommandRecord, WitnessRecord
from perf.record import SCHEMA, PointRecord
from suite.errors import BadInput
from suite.run.complaint import complaint, shown
from suite.run.lines import read_lines as read_lines  # noqa: PLC0414  others may import it from here

if TYPE_CHECKING:
    from pathlib import Path

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class RunRecords:
    """What `samples.jsonl` holds, and notes for the reader, e.g. that a torn last line was dropped."""

    points: list[PointRecord] = field(default_factory=list)
    ceilings: list[CeilingRecord] = field(default_factory=list)
    witnesses: list[WitnessRecord] = field(default_factory=list)
    commands: list[CommandRecord] = field(default_factory=list)  # of an A/B of two commands
    notes: list[str] = field(default_factory=list)

    @property
    def asides(self) -> list[CeilingRecord | WitnessRecord]:
        """All that is no point."""
        return [*self.ceilings, *self.witnesses]


def read_records(path: Path) -> tuple[list[PointRecord], list[str]]:
    """Return the points of a `samples.jsonl` and notes for the reader; see `read_run`."""
    found = read_run(path)
    return found.points, found.notes


def read_run(path: Path) -> RunRecords:
    """Return the records of a `samples.jsonl`.

    Lines of unknown kinds are skipped. A broken line, or one of a newer schema, is a
    `BadInput` that names the file and the line: silently counting the rest would make
    numbers of a part look like those of the whole.
    """
    found = RunRecords()
    for source, line in read_lines(path, found.notes):
        schema = line.get("schema", SCHEMA)
        if isinstance(schema, int) and schema > SCHEMA:
            message = f"{source}: schema {shown(schema)} is newer than this kvgauge, which reads {SCHEMA}"
            raise BadInput("newer-schema", message, "read it with the kvgauge that wrote it, or a newer one")
        match line.get("kind", "point"):
            case "point":
                found.points.append(_point(line, source))
            case "ceiling":
                found.ceilings.append(_checked(CeilingRecord, line, source))
            case "witness":
                found.witnesses.append(_checked(WitnessRecord, line, source))
            case "command":
                found.commands.append(_checked(CommandRecord, line, source))
    return found


def _point(line: dict[str, object], source: str) -> PointRecord:
    record = _checked(PointRecord, line, source)
    if record.status == "measured":
        _check_counts(record, source)
    return record


def _checked(model: type[_Model], line: dict[str, object], source: str) -> _Model:
    try:
        return model.model_validate(line, strict=True)
    except ValidationError as error:
        raise complaint(error, source=source, model=model) from None


def _check_counts(record: PointRecord, source: str) -> None:
    """Refuse a measured record whose samples and windows do not agree: a rate is samples x bytes / time."""
    samples, windows = len(record.durations_ns), len(record.delivered_ns)
    if samples != record.window_samples * windows or not samples:
        message = (
            f"{source}: {samples} durations_ns in {windows} delivered_ns windows of {record.window_samples} samples"
        )
        raise BadInput("miscounted-samples", message, "a measured point has every sample of each of its windows")
    if not all(record.delivered_ns):
        raise BadInput("no-time", f"{source}: a window in delivered_ns took 0 ns", "no transfer takes no time")
