"""The conformance matrix as data: requirements down, implementations across, evidence in every cell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.faults.table import HEADS, Line, lines
from conformance.record import by_requirement
from conformance.requirement import registry
from conformance.verdict import GLYPHS, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.faults.outcome import Outcome
    from conformance.record import Case


@dataclass(frozen=True)
class Cell:
    """One requirement on one implementation."""

    verdict: str
    glyph: str
    expected: bool
    what: str
    example: str  # JSON; empty if nothing is broken
    reproduce: str  # a shell line; empty as well


@dataclass(frozen=True)
class Row:
    """One requirement; a cell is None where it does not concern the implementation."""

    id: str
    level: str
    sentence: str
    source: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Faults:
    """What one transport made of faults, a line each."""

    implementation: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Matrix:
    """All of it, with one sentence for each implementation; those with fewest problems come first."""

    implementations: tuple[str, ...]
    rows: tuple[Row, ...]
    sentences: tuple[str, ...]
    faults: tuple[Faults, ...] = ()  # of transports, where any were tried


def matrix(cases: Sequence[Case], outcomes: Sequence[Outcome] = ()) -> Matrix:
    """Return the matrix of a record's cases; requirements that this kvgauge does not know keep their id."""
    found = by_requirement(list(cases))
    cells = {key: _cell(verdict, group) for key, (verdict, group) in found.items()}
    names = sorted({name for _, name in cells}, key=lambda name: (_problems(cells, name), name))
    rows = tuple(_row(identity, names, cells) for identity in sorted({identity for identity, _ in cells}))
    notes = {case.implementation: case.note for case in cases}
    told = [_sentence(rows, column, name) + _in_brackets(notes[name]) for column, name in enumerate(names)]
    faults = tuple(Faults(name, HEADS, tuple(found)) for name, found in lines(outcomes).items())
    return Matrix(tuple(names), rows, tuple(told), faults)


def _cell(verdict: Verdict, group: Sequence[Case]) -> Cell:
    told = [case for case in group if case.verdict == verdict]
    first = told[0]
    what = "; ".join(dict.fromkeys(case.what for case in told if case.what)) if verdict is Verdict.INFO else first.what
    example = json.dumps(first.example, ensure_ascii=True, sort_keys=True) if first.example else ""
    expected = verdict in {Verdict.FAIL, Verdict.WARN} and all(case.expected for case in told)
    return Cell(verdict.value, GLYPHS[verdict], expected, what, example, first.reproduce)


def _row(identity: str, names: Sequence[str], cells: dict[tuple[str, str], Cell]) -> Row:
    known = registry().get(identity)
    level, sentence, source = (known.level, known.sentence, known.source) if known else ("", "unknown requirement", "")
    return Row(identity, level, sentence, source, tuple(cells.get((identity, name)) for name in names))


def _problems(cells: dict[tuple[str, str], Cell], name: str) -> tuple[int, ...]:
    verdicts = [cell.verdict for (_, one), cell in cells.items() if one == name]
    return tuple(verdicts.count(bad) for bad in (Verdict.ERROR, Verdict.FAIL, Verdict.WARN))


def _sentence(rows: Sequence[Row], column: int, name: str) -> str:
    told = []
    for verdict, word in ((Verdict.FAIL, "breaks a MUST"), (Verdict.WARN, "breaks a SHOULD"), (Verdict.ERROR, "broke")):
        ids = [row.id for row in rows if (cell := row.cells[column]) is not None and cell.verdict == verdict]
        if ids:
            told.append(f"{word} in {', '.join(ids)}")
    tested = sum(row.cells[column] is not None for row in rows)
    return f"{name}: {'; '.join(told)}." if told else f"{name} keeps all that was tested: {tested} requirements."


def _in_brackets(note: str) -> str:
    return f" ({note[0].upper()}{note[1:]}.)" if note else ""
