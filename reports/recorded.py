"""A run folder as it is read for a page: from anywhere, checked, or a message."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.record import FILE, read_cases, read_outcomes
from perf.ab.against import compared as compared_ab
from perf.ab.restored import is_ab
from perf.analysis import summarise
from perf.limits import limits
from perf.reading import RunRecords, read_run
from perf.spent import read_times, spent
from perf.testimony import compared
from reports.launches import launch_row
from reports.requests import read_requests
from suite.errors import BadInput
from suite.run.folder import REQUESTS, TIMES, RunFolder
from suite.run.manifest import SCHEMA
from suite.run.manifest import read as read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from conformance.faults.outcome import Outcome
    from conformance.record import Case
    from perf.ab.against import Against
    from perf.limits import Limit
    from perf.spent import Spent
    from perf.summary import PointSummary
    from perf.testimony import Witnessed
    from suite.transfer.record import RequestRecord


@dataclass(frozen=True)
class Run:
    """One run, whatever it did; `measured` is False for one of conformance or of transfers alone."""

    name: str
    manifest: Mapping[str, object]
    summaries: tuple[PointSummary, ...] = ()
    cases: tuple[Case, ...] | None = None
    notes: tuple[str, ...] = ()  # what a reader must know of the files
    measured: bool = True
    limits: tuple[Limit, ...] = ()  # its ceilings
    testimonies: tuple[Witnessed, ...] = ()  # of ucx_perftest
    launches: tuple[Mapping[str, object], ...] = ()  # `launch_row` of every record
    requests: tuple[RequestRecord, ...] | None = None  # of `kvgauge transfer`
    time: Spent | None = None  # where the wall time of a sweep went
    against: Against | None = None  # of `kvgauge sweep --ab`
    outcomes: tuple[Outcome, ...] = ()  # of faults


def load_run(path: Path, name: str = "") -> Run:
    """Return the run in `path`; raises `BadInput` for what is no run, damaged, or newer than this kvgauge."""
    folder = RunFolder(path)
    manifest = read_manifest(folder.manifest)
    schema = manifest.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        message = f"{folder.manifest}: schema {schema} is newer than this kvgauge, which reads {SCHEMA}"
        raise BadInput("newer-schema", message, "read it with the kvgauge that wrote it, or a newer one")
    cases = tuple(read_cases(path / FILE)) if (path / FILE).exists() else None
    notes: list[str] = []
    requests = read_requests(path / REQUESTS, notes) if (path / REQUESTS).exists() else None
    measured = folder.samples.exists() or (cases is None and requests is None)
    found = read_run(folder.samples) if measured else RunRecords()
    called = name or path.resolve().name
    return Run(
        name=called,
        manifest=manifest,
        summaries=tuple(summarise(found.points, found.ceilings)),
        cases=cases,
        outcomes=() if cases is None else tuple(read_outcomes(path / FILE)),
        # a page says the same wherever the run lies, and tells nobody where that is
        notes=tuple(note.replace(f"{path}{os.sep}", "") for note in (*found.notes, *notes)),
        measured=measured,
        limits=tuple(limits(found.ceilings)),
        testimonies=tuple(compared(found.points, found.witnesses)),
        launches=tuple(map(launch_row, found.points)),
        requests=requests,
        time=spent(read_times(path / TIMES)),
        against=compared_ab(called, manifest, found) if is_ab(manifest.get("settings")) else None,
    )
