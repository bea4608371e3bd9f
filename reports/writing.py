"""A run folder in, its `report.html` out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.record import FILE, read_cases
from perf.analysis import summarise
from perf.limits import limits
from perf.reading import RunRecords, read_run
from perf.testimony import compared
from perf.verdict import verdict
from suite.errors import BadInput
from suite.run.folder import MANIFEST, RUNS, RunFolder, write_whole
from suite.run.manifest import read as read_manifest
from suite.run.manifest import selected_transports

if TYPE_CHECKING:
    from pathlib import Path


def write_report(path: Path) -> Path:
    """Write the report of the run in `path` and return where it is."""
    from reports.conformance import matrix
    from reports.data import report_data
    from reports.html import render

    folder = RunFolder(path)
    manifest = read_manifest(folder.manifest)
    tested = matrix(read_cases(path / FILE)) if (path / FILE).exists() else None
    measured = folder.samples.exists() or tested is None
    found = read_run(folder.samples) if measured else RunRecords()
    summaries = summarise(found.points, found.ceilings)
    sentences = verdict(summaries, selected_transports(manifest)) if measured else []
    data = report_data(
        manifest,
        summaries,
        sentences,
        found.notes,
        run=path.resolve().name,
        conformance=tested,
        limits=limits(found.ceilings),
        testimonies=compared(found.points, found.witnesses),
    )
    write_whole(folder.report, render(data))
    return folder.report


def newest() -> Path:
    """Return the newest run in `runs/`."""
    runs = sorted(RUNS.glob(f"*/{MANIFEST}"), key=lambda file: file.stat().st_mtime)
    if not runs:
        raise BadInput("no-runs", f"no run in {RUNS}/", "make one with kvgauge run, or name its folder")
    return runs[-1].parent
