"""Conformance of several runs side by side: requirement x (implementation, run), with what changed.

An implementation that several runs tested is compared with the first of them. Where
no run shares an implementation with another, the implementations are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reports.sections.conformance import matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reports.recorded import Run
    from reports.sections.conformance import Cell, Matrix
    from reports.sections.conformance import Row as OneRow

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
    ids = [row.id for row in everything.rows]
    told = [_history(name, found, ids) for name in everything.implementations]
    told.sort(key=lambda one: not one.changed)  # else by fewest problems, as they are
    columns = [column for one in told for column in one.columns]
    shown = _fitting(told)
    shared = any(len(one.columns) > 1 for one in shown)
    rows = [_row(row, [cell for one in shown for cell in one.cells[row.id]], shared=shared) for row in everything.rows]
    return SideBySide(
        columns=tuple(column for one in shown for column in one.columns),
        heads=tuple((one.columns[0].implementation, len(one.columns)) for one in shown),
        differing=tuple(row for row in rows if row.differs),
        equal=tuple(row for row in rows if not row.differs),
        sentences=tuple(_sentences(told)),
        shared=shared,
        left_out=len(columns) - sum(len(one.columns) for one in shown),
    )


@dataclass(frozen=True)
class _History:
    """One implementation over the runs that tested it."""

    columns: tuple[Column, ...]
    cells: Mapping[str, tuple[Compared, ...]]  # by requirement

    @property
    def changed(self) -> bool:
        return any(cell.change not in {"", "same"} for cells in self.cells.values() for cell in cells)


def _history(implementation: str, found: Sequence[tuple[str, Matrix]], ids: Sequence[str]) -> _History:
    tested = [(name, _cells(one, implementation)) for name, one in found if implementation in one.implementations]
    columns = tuple(Column(implementation, name, place == 0) for place, (name, _) in enumerate(tested))
    verdicts = {identity: [cells.get(identity) for _, cells in tested] for identity in ids}
    return _History(
        columns,
        {
            identity: (Compared(cells[0], "", ""), *(_compared(cells[0], cell) for cell in cells[1:]))
            for identity, cells in verdicts.items()
        },
    )


def _cells(one: Matrix, implementation: str) -> dict[str, Cell | None]:
    place = one.implementations.index(implementation)
    return {row.id: row.cells[place] for row in one.rows}


def _fitting(told: Sequence[_History]) -> list[_History]:
    shown: list[_History] = []
    for one in told:
        if sum(len(other.columns) for other in (*shown, one)) > MOST_COLUMNS:
            break
        shown.append(one)
    return shown


def _row(row: OneRow, cells: Sequence[Compared], *, shared: bool) -> Row:
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


_TOLD: tuple[tuple[Change, str], ...] = (
    ("new", "newly broken"),
    ("fixed", "fixed"),
    ("changed", "otherwise changed"),
    ("not tested before", "not tested before"),
    ("no longer tested", "no longer tested"),
)


def _sentences(told: Sequence[_History]) -> Iterator[str]:
    unchanged = [one.columns[0].implementation for one in told if len(one.columns) > 1 and not one.changed]
    for one in (one for one in told if one.changed):
        for place, column in enumerate(one.columns[1:], 1):
            yield f"{column.implementation}, {column.run} beside {one.columns[0].run}: {_changes(one, place)}."
    if unchanged:
        yield f"No verdict changed from run to run: {', '.join(unchanged)}."
    if not any(len(one.columns) > 1 for one in told):
        yield "No implementation was tested in two of these runs: implementations stand side by side, without a change."


def _changes(one: _History, place: int) -> str:
    found = {identity: cells[place] for identity, cells in one.cells.items()}
    ids = {change: [identity for identity, cell in found.items() if cell.change == change] for change, _ in _TOLD}
    told = [f"{word}: {', '.join(ids[change])}" for change, word in _TOLD if ids[change]]
    same = sum(cell.change == "same" and cell.cell is not None for cell in found.values())
    return "; ".join([*told, f"{same} verdicts the same"])
