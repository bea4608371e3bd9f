"""Run folders in, one file out: the report of one run, or a comparison of several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perf.outside.formats import read_file
from perf.verdict import verdict
from reports.formats.choice import HTML
from reports.recorded import load_run
from suite.errors import BadInput, Missing
from suite.run.folder import MANIFEST, RUNS, write_whole
from suite.run.manifest import selected_transports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.data import ReportData
    from reports.exports.choice import Export
    from reports.formats.choice import Format
    from reports.recorded import Run

COMPARISON = Path("comparison.html")
FEWEST_RUNS, MOST_RUNS = 2, 8  # side by side: as many as there are colours, and as a table can hold
_HEAD = 4096


def write_report(path: Path, out: Path | None = None, form: Format = HTML, outside: Sequence[Path] = ()) -> Path:
    """Write the report of the run in `path` to `out`, by default a file in its folder, and return where it is.

    `outside` are files of what other tools printed, to stand beside it.
    """
    if out:
        check_replaceable(out, form)
    text = form.render(read_report(path, outside))
    return _written(out or path / form.file, text)


def read_report(path: Path, outside: Sequence[Path] = ()) -> ReportData:
    """Return what the report of the run in `path` says; raises `BadInput` for what is no readable run."""
    from reports.data import report_data
    from reports.sections.conformance import matrix
    from reports.sections.transfer import transfer

    run = load_run(path)
    results = [result for file in outside for result in read_file(file)]
    return report_data(
        run.manifest,
        run.summaries,
        _sentences(run),
        run.notes,
        run=run.name,
        conformance=None if run.cases is None else matrix(run.cases, run.outcomes),
        limits=run.limits,
        testimonies=run.testimonies,
        launches=run.launches,
        cases=run.cases or (),
        transfer=None if run.requests is None else transfer(run.manifest, run.requests),
        time=run.time,
        outside=results,
        against=run.against,
    )


def _sentences(run: Run) -> list[str]:
    """Return what a run says; first of all what became of B, if it has one."""
    compared = list(run.against.sentences) if run.against else []
    swept = run.measured and (bool(run.summaries) or not run.against)
    return [*compared, *(verdict(run.summaries, selected_transports(run.manifest)) if swept else [])]


def write_comparison(paths: Sequence[Path], out: Path = COMPARISON) -> Path:
    """Write a page of 2 to 8 runs side by side, the first being what others are compared with; return where it is.

    Raises `BadInput` for a folder named twice, one that is no readable run or one of
    transfers, and a file at `out` that is not ours.
    """
    if not FEWEST_RUNS <= len(paths) <= MOST_RUNS:
        raise BadInput(
            "too-many-runs", f"{len(paths)} runs: a comparison shows {FEWEST_RUNS} to {MOST_RUNS}", "name fewer"
        )
    _check_distinct(paths)
    check_replaceable(out)
    runs = [load_run(path, name) for path, name in zip(paths, labels(paths), strict=True)]
    if alone := [run.name for run in runs if run.requests is not None and not run.measured and run.cases is None]:
        message = f"{alone[0]} is a run of kvgauge transfer, which is not compared with others"
        raise BadInput("not-compared", message, f"kvgauge report {alone[0]}")

    from reports.comparison.data import comparison
    from reports.comparison.page import render

    return _written(out, render(comparison(runs)))


def write_export(paths: Sequence[Path], out: Path | None, export: Export) -> tuple[str, tuple[str, ...]]:
    """Return the runs in `paths` for another program, and notes; write it to `out` if there is one."""
    _check_distinct(paths)
    if out:
        check_replaceable(out, export)
    runs = [load_run(path, name) for path, name in zip(paths, labels(paths), strict=True)]
    text, notes = export.render(runs)
    if out:
        _written(out, text)
    return text, notes


def labels(paths: Sequence[Path]) -> list[str]:
    """Name each run by its folder, with as many of the folders above as tell it from the others."""
    parts = [path.resolve().parts for path in paths]
    depth = 1
    while len({one[-depth:] for one in parts}) < len(parts) and depth < max(map(len, parts)):
        depth += 1
    same = [sum(one[-1:] == other[-1:] for other in parts) > 1 for one in parts]
    return ["/".join(one[-depth:] if twice else one[-1:]) for one, twice in zip(parts, same, strict=True)]


def check_replaceable(out: Path, form: Format | Export = HTML) -> None:
    """Raise `BadInput` where `out` is something that no report may be written over."""
    try:
        if not out.exists():
            return
        if not out.is_file():
            raise BadInput("not-a-file", f"{out} is there and is no file", "name a file with --out")
        with out.open("rb") as file:
            ours = form.mark in file.read(_HEAD)
    except OSError as error:
        raise BadInput("unreadable-out", f"{out}: {error.strerror}", "choose another file with --out") from error
    if not ours:
        raise BadInput("not-ours", f"{out} is there and is no report of kvgauge", "choose another file with --out")


def newest() -> Path:
    """Return the newest run in `runs/`."""
    runs = sorted(RUNS.glob(f"*/{MANIFEST}"), key=lambda file: file.stat().st_mtime)
    if not runs:
        raise BadInput("no-runs", f"no run in {RUNS}/", "make one with kvgauge run, or name its folder")
    return runs[-1].parent


def _check_distinct(paths: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for path in paths:
        where = path.resolve()
        if where in seen:
            raise BadInput("same-run", f"{path} is named twice", "name each run once")
        seen.add(where)


def _written(path: Path, page: str) -> Path:
    try:
        write_whole(path, page)
    except OSError as error:
        raise Missing("not-written", f"cannot write {path}: {error.strerror}", "choose a file with --out") from error
    return path
