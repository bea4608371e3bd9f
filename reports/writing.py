"""A run folder in, its report out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.record import FILE, read_cases
from perf.analysis import summarise
from perf.limits import limits
from perf.reading import RunRecords, read_run
from perf.testimony import compared
from perf.verdict import verdict
from reports.formats import HTML, Format
from suite.errors import BadInput, Missing
from suite.run.folder import MANIFEST, RUNS, RunFolder, write_whole
from suite.run.manifest import SCHEMA, selected_transports
from suite.run.manifest import read as read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from reports.data import ReportData


def write_report(path: Path) -> Path:
    """Write the report of the run in `path` to its `report.html` and return where it is."""
    return write(path, HTML, RunFolder(path).report)


def write(path: Path, form: Format, out: Path) -> Path:
    """Write the report of the run in `path` to `out`, which is either the whole report or what it was before."""
    text = form.render(read_report(path))
    try:
        write_whole(out, text)
    except OSError as error:
        raise Missing("not-written", f"cannot write {out}: {error.strerror}", "choose a file with --out") from error
    return out


def read_report(path: Path) -> ReportData:
    """Return what the report of the run in `path` says; raises `BadInput` for what is no readable run."""
    from reports.conformance import matrix
    from reports.data import report_data
    from reports.launches import launch_row

    folder = RunFolder(path)
    manifest = read_manifest(folder.manifest)
    schema = manifest.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        message = f"{folder.manifest}: schema {schema} is newer than this kvgauge, which reads {SCHEMA}"
        raise BadInput("newer-schema", message, "read it with the kvgauge that wrote it, or a newer one")
    cases = read_cases(path / FILE) if (path / FILE).exists() else None
    measured = folder.samples.exists() or cases is None
    found = read_run(folder.samples) if measured else RunRecords()
    summaries = summarise(found.points, found.ceilings)
    sentences = verdict(summaries, selected_transports(manifest)) if measured else []
    return report_data(
        manifest,
        summaries,
        sentences,
        found.notes,
        run=path.resolve().name,
        conformance=None if cases is None else matrix(cases),
        limits=limits(found.ceilings),
        testimonies=compared(found.points, found.witnesses),
        launches=[launch_row(record) for record in found.points],
        cases=cases or (),
    )


def newest() -> Path:
    """Return the newest run in `runs/`."""
    runs = sorted(RUNS.glob(f"*/{MANIFEST}"), key=lambda file: file.stat().st_mtime)
    if not runs:
        raise BadInput("no-runs", f"no run in {RUNS}/", "make one with kvgauge run, or name its folder")
    return runs[-1].parent
