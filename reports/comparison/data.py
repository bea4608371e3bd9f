"""Several runs side by side as data: columns are runs, rows are points, every cell is ready to be read.

The first run is what others are compared with. What is not alike is named, and gets
no ratio where a ratio would say something else than it seems to.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from perf.comparing.likeness import held
from perf.comparing.pairing import pairs
from perf.identity import CEILING
from perf.rows import row
from perf.words import between, between_hosts, carrier, pieces, workload
from reports.comparison.charts import charts
from reports.comparison.conformance import side_by_side
from reports.comparison.differences import differences, machine
from reports.comparison.ratio import ratio
from reports.comparison.sentences import verdict
from reports.sections.storage import page_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perf.comparing.pairing import Pair
    from perf.rows import Row as PointRow
    from perf.summary import PointSummary
    from reports.comparison.conformance import SideBySide
    from reports.comparison.differences import Group as Differences
    from reports.comparison.ratio import Ratio
    from reports.recorded import Run
    from reports.sections.charts import Chart

LOCALITY = "Each run used one machine: these are same-host figures, no network was crossed."
OTHER_MACHINE = "other machine"
_LABEL = 40  # characters of a run's name at the head of a column


@dataclass(frozen=True)
class Column:
    """One run."""

    label: str
    started: str
    version: str
    complete: bool
    points: int
    emulated: int  # of them
    invalid: int
    failed: int
    machine: str  # empty, or how the machine is another one than the first run's
    measured: bool


@dataclass(frozen=True)
class Cell:
    """One point in one run, and how it stands to the first run's."""

    summary: PointSummary
    row: PointRow  # the point in words
    carrier: str  # transport and settings, where the runs of this row differ in it
    held: str  # working set and pages
    file: str  # what a store, fetch or handoff went through; empty without
    ratio: Ratio | None  # None in the first run
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One point over all runs; a cell is None where the run did not measure it."""

    what: str
    carrier: str  # empty where cells name their own
    ceiling: bool
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Group:
    """Rows of one op and workload."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Alone:
    """Points that one run alone has."""

    label: str
    groups: tuple[Group, ...]
    count: int


@dataclass(frozen=True)
class Comparison:
    """Everything that the page shows; it computes nothing."""

    title: str
    versions: tuple[str, ...]
    columns: tuple[Column, ...]
    banners: tuple[tuple[str, str], ...]  # what is unlike, before anything else: a few words, then a sentence
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    locality: str
    groups: tuple[Group, ...]
    alone: tuple[Alone, ...]
    charts: tuple[Chart, ...]
    conformance: SideBySide | None
    differences: tuple[Differences, ...]
    measured: bool


def comparison(runs: Sequence[Run]) -> Comparison:
    """Return the comparison of two or more runs, the first being what the others are compared with."""
    names = labels([run.name for run in runs])
    columns = tuple(_column(run, runs[0], name) for run, name in zip(runs, names, strict=True))
    every = pairs([run.summaries for run in runs])
    together = [pair for pair in every if len(pair.present) > 1]
    tested = side_by_side(runs, names)
    elsewhere = [number for number, column in enumerate(columns) if column.machine]
    told = verdict(together, every, names, elsewhere) if any(run.summaries for run in runs) else []
    return Comparison(
        title=f"{len(runs)} runs side by side: {', '.join(names)}",
        versions=tuple(sorted({column.version for column in columns if column.version})),
        columns=columns,
        banners=tuple(_banners(runs, columns)),
        sentences=(*told, *(tested.sentences if tested else ())),
        notes=tuple(_notes(runs, names)),
        locality=LOCALITY if any(run.summaries for run in runs) and all(machine(run.manifest) for run in runs) else "",
        groups=_groups(together, columns),
        alone=tuple(_alone(every, columns)),
        charts=tuple(charts(together, names)),
        conformance=tested,
        differences=differences([run.manifest for run in runs]),
        measured=any(run.measured for run in runs),
    )


def labels(names: Sequence[str]) -> list[str]:
    """Return the names cut to what fits a column, no two alike."""
    found: list[str] = []
    for name in names:
        line = " ".join(name.split()) or "run"
        short = line if len(line) <= _LABEL else f"{line[: _LABEL - 1]}…"
        number, label = 1, short
        while label in found:
            number += 1
            label = f"{short} ({number})"
        found.append(label)
    return found


def _column(run: Run, first: Run, label: str) -> Column:
    return Column(
        label=label,
        started=_text(run.manifest.get("started_at")),
        version=_text(run.manifest.get("kvgauge")),
        complete=run.manifest.get("complete") is True,
        points=len(run.summaries),
        emulated=sum(one.emulated for one in run.summaries),
        invalid=sum(one.invalid for one in run.summaries),
        failed=sum(one.failed > 0 for one in run.summaries),
        machine=_other_machine(run, first),
        measured=run.measured,
    )


def _other_machine(run: Run, first: Run) -> str:
    here, there = machine(run.manifest), machine(first.manifest)
    if run is first or not (run.summaries and first.summaries):
        return ""
    if not here or not there:
        return "its machine is not recorded" if not here else "the machine of the first run is not recorded"
    both = {name for name in here.keys() & there.keys() if here[name] != there[name]}
    return "; ".join(f"{name} {here[name]}, not {there[name]}" for name in here if name in both)


def _banners(runs: Sequence[Run], columns: Sequence[Column]) -> Iterable[tuple[str, str]]:
    if open_ones := [column.label for column in columns if not column.complete]:
        yield "Not complete:", f"{', '.join(open_ones)}. What follows is what had been measured until then."
    for column in columns:
        if column.machine:
            yield (
                "Another machine:",
                f"{column.label} beside {columns[0].label}: {column.machine}. Ratios between them say"
                " nothing about software alone.",
            )
    if emulated := [_emulated(column) for column in columns if column.emulated]:
        yield (
            "Emulated GPUs:",
            f"{'; '.join(emulated)}. Which bytes arrived, and by which wire, is true; times mean nothing there, so"
            " emulated points have no rate and no ratio, beside each other or beside real ones.",
        )
    for same in _same_measurement(runs, columns):
        yield (
            "The same measurement:",
            f"{' and '.join(same)} started at the same time with the same seed: copies of one run.",
        )


def _emulated(column: Column) -> str:
    if column.emulated == column.points:
        return (
            f"the only point of {column.label}"
            if column.points == 1
            else f"all {column.points} points of {column.label}"
        )
    return f"{column.emulated} of {column.points} points of {column.label}"


def _same_measurement(runs: Sequence[Run], columns: Sequence[Column]) -> Iterable[list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for run, column in zip(runs, columns, strict=True):
        if column.started:
            found.setdefault((column.started, _text(run.manifest.get("seed"))), []).append(column.label)
    return [names for names in found.values() if len(names) > 1]


def _notes(runs: Sequence[Run], names: Sequence[str]) -> Iterable[str]:
    yield from (f"{name}: {note}" for run, name in zip(runs, names, strict=True) for note in run.notes)
    tested = [name for run, name in zip(runs, names, strict=True) if run.cases]
    if len(tested) == 1:
        yield f"Only {tested[0]} tested conformance: its verdicts are in its own report."


def _groups(rows: Sequence[Pair], columns: Sequence[Column]) -> tuple[Group, ...]:
    headed = groupby(rows, key=lambda pair: (pair.point.op, pair.point.workload))
    return tuple(
        Group(f"{op}, {workload(name)}", tuple(_row(pair, columns) for pair in group)) for (op, name), group in headed
    )


def _alone(every: Sequence[Pair], columns: Sequence[Column]) -> Iterable[Alone]:
    for number, column in enumerate(columns):
        own = [pair for pair in every if len(pair.present) == 1 and pair.members[number] is not None]
        if own:
            yield Alone(column.label, _groups(own, columns), len(own))


def _row(pair: Pair, columns: Sequence[Column]) -> Row:
    point = pair.point
    cells = tuple(
        None if one is None else _cell(one, pair, column, columns[0])
        for one, column in zip(pair.members, columns, strict=True)
    )
    place = "" if between(point) == between_hosts() else f", {between(point)}"
    return Row(f"{pieces(point)}{place}", pair.carrier, point.transport == CEILING, cells)


def _cell(one: PointSummary, pair: Pair, column: Column, first: Column) -> Cell:
    beside = None if column is first else ratio(pair.members[0], one, first.label)
    remarks = beside.remarks if beside else ()
    if column.machine and beside and beside.value is not None:
        remarks = (OTHER_MACHINE, *remarks)
    return Cell(
        summary=one,
        row=row(one),
        carrier="" if pair.carrier else carrier(one.point),
        held=held(one),
        file=_file(one),
        ratio=beside,
        remarks=remarks,
    )


def _file(one: PointSummary) -> str:
    if one.storage is None:
        return ""
    io = "O_DIRECT" if one.storage.io == "direct" else "buffered"
    return f"{one.storage.filesystem}, {io}; {page_cache(one.point.op, one.storage)}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
