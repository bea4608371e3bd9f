"""Conformance of several runs side by side: requirement x (implementation, run), with what changed.

An implementation that several runs tested is compared with the first of them. Where
no run shares an implementation with another, the implementations are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reports.conformance import matrix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.conformance import Cell, Matrix
    from reports.conformance import Row as OneRow
    from reports.recorded import Run

MOST_COLUMNS = 40  # a hostile record may name thousands of implementations
_BROKEN = {"fail", "warn", "error"}
Change = Literal["", "same", "new", "fixed", "changed", "not tested before", "no longer tested"]


@dataclass(frozen=True)
class Column:
    """One implementation in one run."""

    implementation: str
    run: str
    first: bool  # what later runs of this implementation are compared with


@dataclass(frozen=True)
class Compared:
    """A verdict, or None where the requirement was not tested; and how it stands to the first run's."""

    cell: Cell | None
    change: Change
    word: str  # "new failure", "fixed", ...; empty where there is nothing to say


@dataclass(frozen=True)
class Row:
    """One requirement over all columns."""

    id: str
    level: str
    sentence: str
    source: str
    cells: tuple[Compared, ...]
    differs: bool


@dataclass(frozen=True)
class SideBySide:
    """All of it; implementations with fewest problems come first, runs of one stand side by side."""

    columns: tuple[Column, ...]
    heads: tuple[tuple[str, int], ...]  # implementation -> how many columns it has
    differing: tuple[Row, ...]
    equal: tuple[Row, ...]
    sentences: tuple[str, ...]
    shared: bool  # whether any implementation is in two runs
    left_out: int  # columns beyond the most that are shown


def side_by_side(runs: Sequence[Run], names: Sequence[str]) -> SideBySide | None:
    """Return the conformance of all runs that have any; None if fewer than two have. `names` are the labels of the runs."""
    found = [(name, matrix(run.cases)) for run, name in zip(runs, names, strict=True) if run.cases]
    if len(found) < 2:  # noqa: PLR2004  one has nothing beside it
        return None
    everything = matrix([case for run in runs for case in run.cases or ()])
    every = [
        (implementation, number)
        for implementation in everything.implementations
        for number, (_, one) in enumerate(found)
        if implementation in one.implementations
    ]
    shown = every[:MOST_COLUMNS]
    shared = len({implementation for implementation, _ in shown}) < len(shown)
    tables = [_cells(one) for _, one in found]
    rows = [_row(row, shown, tables, shared=shared) for row in everything.rows]
    columns = tuple(
        Column(implementation, found[number][0], implementation not in {name for name, _ in shown[:place]})
        for place, (implementation, number) in enumerate(shown)
    )
    return SideBySide(
        columns=columns,
        heads=tuple((name, sum(one == name for one, _ in shown)) for name in dict.fromkeys(one for one, _ in shown)),
        differing=tuple(row for row in rows if row.differs),
        equal=tuple(row for row in rows if not row.differs),
        sentences=tuple(_sentences(columns, rows)),
        shared=shared,
        left_out=len(every) - len(shown),
    )


def _cells(one: Matrix) -> Mapping[tuple[str, str], Cell]:
    return {
        (row.id, name): cell
        for row in one.rows
        for name, cell in zip(one.implementations, row.cells, strict=True)
        if cell is not None
    }


def _row(
    row: OneRow,
    columns: Sequence[tuple[str, int]],
    tables: Sequence[Mapping[tuple[str, str], Cell]],
    *,
    shared: bool,
) -> Row:
    firsts: dict[str, Cell | None] = {}
    cells = []
    for implementation, number in columns:
        cell = tables[number].get((row.id, implementation))
        if implementation in firsts:
            cells.append(_compared(firsts[implementation], cell))
        else:
            firsts[implementation] = cell
            cells.append(Compared(cell, "", ""))
    changed = any(one.change not in {"", "same"} for one in cells)
    unlike = len({one.cell and one.cell.verdict for one in cells}) > 1
    return Row(row.id, row.level, row.sentence, row.source, tuple(cells), changed if shared else unlike)


def _compared(before: Cell | None, now: Cell | None) -> Compared:
    if before is None or now is None:
        change: Change = "same" if now is before else "not tested before" if now else "no longer tested"
        return Compared(now, change, "" if change == "same" else change)
    if before.verdict == now.verdict:
        same = before.expected == now.expected
        return Compared(now, "same" if same else "changed", "" if same else _expectation(before))
    if now.verdict in _BROKEN and before.verdict not in _BROKEN:
        return Compared(now, "new", f"new: was {before.verdict}")
    if now.verdict == "pass" and before.verdict in _BROKEN:
        return Compared(now, "fixed", f"fixed: was {before.verdict}")
    return Compared(now, "changed", f"was {before.verdict}")


def _expectation(before: Cell) -> str:
    return "was expected" if before.expected else "was not expected"


def _sentences(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    told = []
    baseline = ""
    for place, column in enumerate(columns):
        if column.first:
            baseline = column.run
            continue
        changes = {
            word: [row.id for row in rows if row.cells[place].change == change]
            for change, word in (("new", "newly broken"), ("fixed", "fixed"), ("changed", "otherwise changed"),
                                 ("not tested before", "not tested before"), ("no longer tested", "no longer tested"))
        }  # fmt: skip
        found = "; ".join(f"{word}: {', '.join(ids)}" for word, ids in changes.items() if ids)
        same = sum(row.cells[place].change == "same" and row.cells[place].cell is not None for row in rows)
        said = f"{found}; {same} verdicts the same" if found else f"all {same} verdicts the same"
        told.append(f"{column.implementation}, {column.run} beside {baseline}: {said}.")
    return told
