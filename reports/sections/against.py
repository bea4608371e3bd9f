"""A against B: the verdicts of `kvgauge sweep --ab` as rows of a table, and the ratios to draw. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.ab import wording
from perf.comparing.reasons import reason
from perf.words import plain

if TYPE_CHECKING:
    from perf.ab.against import Against, Row

MOST_MARKS = 40  # of the figure; the table has all
_LARGEST = 1e4  # beyond it a ratio only shows a mistake


@dataclass(frozen=True)
class Line:
    """One point as the table shows it; `number` names it in the figure."""

    number: int
    what: str
    by: str
    verdict: str
    a: str
    b: str
    ratio: str
    why: str


@dataclass(frozen=True)
class Mark:
    """One point as the figure shows it; B by A."""

    number: int
    verdict: str
    ratio: float
    low: float | None
    high: float | None
    launches: tuple[float, ...]  # ratio of each launch


@dataclass(frozen=True)
class Section:
    """The section; `marks` are empty where no point has a ratio."""

    sides: tuple[str, ...]
    smallest: str  # "2 %"
    edges: tuple[float, float]  # ratios between which differences are called the same
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    left_out: int  # of the figure
    id: str = "ab-1"
    title: str = "B by A, throughput"
    description: str = ""
    caption: str = ""


def section(found: Against | None) -> Section | None:
    """Return the section of a run that has A and B."""
    if found is None:
        return None
    lines = tuple(_line(number, row) for number, row in enumerate(found.rows, 1))
    marks = [mark for number, row in enumerate(found.rows, 1) if (mark := _mark(number, row))]
    told = "; ".join(f"{mark.number}: {_told(mark)}" for mark in marks[:MOST_MARKS])
    smallest = f"{100 * found.matters:.2g} %"
    return Section(
        sides=tuple(wording.side(side) for side in (found.a, found.b)),
        smallest=smallest,
        edges=(1 / (1 + found.matters), 1 + found.matters),
        lines=lines,
        marks=tuple(marks[:MOST_MARKS]),
        left_out=max(0, len(marks) - MOST_MARKS),
        description=f"Throughput of B by that of A, by the numbers of the table. {told}.",
        caption=(
            "Numbers are those of the table. Dot: the middle of the launches' ratios (Hodges and Lehmann); bar: its 95 % confidence"
            " interval, which holds every ratio that the exact signed-rank test does not reject; ticks: single launches. Left of 1"
            f" B is slower. Grey: within {smallest}, called the same. It does not show how far runs apart would differ: within one run"
            " no such band is needed."
        ),
    )


def _line(number: int, row: Row) -> Line:
    return Line(
        number=number,
        what=row.what,
        by=row.by,
        verdict=row.verdict,
        a=wording.rate(row.a_gb_per_s),
        b=wording.rate(row.b_gb_per_s),
        ratio=wording.ratio(row),
        why=plain(reason(row)),
    )


def _mark(number: int, row: Row) -> Mark | None:
    judged = row.judgement
    if judged is None or not 1 / _LARGEST < judged.ratio < _LARGEST:
        return None
    sound = judged.low is not None and judged.high is not None and judged.high < _LARGEST
    low, high = (judged.low, judged.high) if sound else (None, None)
    return Mark(number, row.verdict, judged.ratio, low, high, tuple(ratio for ratio in row.ratios if ratio < _LARGEST))


def _told(mark: Mark) -> str:
    span = "" if mark.low is None or mark.high is None else f" [{mark.low:.3f}, {mark.high:.3f}]"
    return f"{mark.ratio:.3f}{span} {mark.verdict}"
