"""`samples.jsonl` -> records. The file may come from anywhere, and its writer may have been killed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from perf.asides import CeilingRecord, WitnessRecord
from perf.complaint import complaint, shown
from perf.record import SCHEMA, PointRecord
from suite.errors import BadInput
from suite.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Model = TypeVar("_Model", bound=BaseModel)
MAX_LINE_BYTES = 64 << 20
MAX_FILE_BYTES = 2 << 30


@dataclass(frozen=True)
class RunRecords:
    """What `samples.jsonl` holds, and notes for the reader, e.g. that a torn last line was dropped."""

    points: list[PointRecord] = field(default_factory=list)
    ceilings: list[CeilingRecord] = field(default_factory=list)
    witnesses: list[WitnessRecord] = field(default_factory=list)
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
    return found


def read_lines(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield each line of a JSONL file as (`file:line`, object); append to `notes` if the last one was torn.

    A writer ends each line with a newline, so only a last line without one can be torn.
    """
    try:
        with path.open("rb") as file:
            read = number = 0
            while data := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                read += len(data)
                source = f"{path}:{number}"
                if len(data) > MAX_LINE_BYTES:
                    raise BadInput("line-too-long", f"{source}: longer than {format_bytes(MAX_LINE_BYTES)}")
                if read > MAX_FILE_BYTES:
                    raise BadInput("file-too-large", f"{path} is larger than {format_bytes(MAX_FILE_BYTES)}")
                value = _parse(data)
                if isinstance(value, dict):
                    yield source, value
                elif not data.endswith(b"\n"):
                    notes.append(f"{source}: the last line was torn when its writer stopped, and is left out")
                else:
                    raise BadInput("broken-line", f"{source}: not a JSON object", "the file was changed or damaged")
    except FileNotFoundError:
        raise BadInput("no-such-file", f"{path}: no such file", "name a run folder that kvgauge sweep wrote") from None
    except OSError as error:
        raise BadInput("unreadable-file", f"{path}: {error.strerror}") from None


def _parse(data: bytes) -> object:
    """Return the JSON value of a line, or None for whatever is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):  # ValueError: not JSON, not UTF-8, or an integer of more than 4300 digits
        return None


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
