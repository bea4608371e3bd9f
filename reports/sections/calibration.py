"""How wrong the tool is on the machine of a run, as `kvgauge calibrate` found it there before. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf.calibration import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf.calibration.told import Told
    from suite.run.calibration import Calibration, Known, Part, PartName

_MOST_OFF = 10.0  # ten times what is known: more only shows that something is broken, and is told, not drawn


@dataclass(frozen=True)
class Mark:
    """One thing of known size in the figure: by which share it was measured wrong, and what is tolerated."""

    label: str
    off: float
    low: float
    high: float
    tolerated: float | None
    good: bool


@dataclass(frozen=True)
class Figure:
    """The errors of the tool itself; what protocols cost is not among them."""

    id: str
    title: str
    description: str
    caption: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Row:
    """One thing of known size, in words."""

    what: str
    known: str
    measured: str
    span: str
    off: str
    verdict: str
    detail: str


@dataclass(frozen=True)
class CostRow:
    """What the tool itself costs, in words."""

    what: str
    size: str
    detail: str


@dataclass(frozen=True)
class When:
    """When a part was made, and what makes it doubtful for this run."""

    part: str
    made: str
    load: str
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class CalibrationSection:
    """What the section shows."""

    refused: str
    sentences: tuple[str, ...]
    doubts: tuple[str, ...]
    figure: Figure | None
    rows: tuple[Row, ...]
    costs: tuple[CostRow, ...]
    when: tuple[When, ...]


def calibration(told: Told | None) -> CalibrationSection | None:
    """Return what a run's manifest tells of the error of its instrument; None where there is nothing."""
    if told is None:
        return None
    found = told.calibration
    if found is None:
        return CalibrationSection(told.refused, tuple(words.of_run(told)), (), None, (), (), ())
    parts = [(name, found.parts[name]) for name in words.in_order(found.parts)]
    known = [one for _, part in parts for one in part.known]
    return CalibrationSection(
        refused="",
        sentences=tuple(sentence for name, part in parts for sentence in words.of_part(name, part)),
        doubts=tuple(sorted({doubt for name, _ in parts for doubt in told.doubts(name)})),
        figure=_figure([one for one in known if one.kind == "tool"]),
        rows=tuple(map(_row, known)),
        costs=tuple(CostRow(one.what, words.cost(one), one.detail) for _, part in parts for one in part.costs),
        when=tuple(_when(told, found)),
    )


def _figure(ours: list[Known]) -> Figure | None:
    marks = tuple(
        Mark(one.what, one.error, one.low / one.known - 1, one.high / one.known - 1, one.tolerated, one.good)
        for one in ours
        if one.low / one.known - 1 <= one.error <= one.high / one.known - 1 < _MOST_OFF
    )
    if not marks:
        return None
    told = "; ".join(f"{number}: {mark.label} {words.percent(mark.off)}" for number, mark in enumerate(marks, 1))
    return Figure(
        "calibration-error",
        "Measured by known, less one",
        f"The error of the tool for {len(marks)} things of known size. {told}.",
        "The median of the launches, and the least and the greatest of them. Grey: what is tolerated."
        " Right of 0: measured as larger than it is.",
        marks,
    )


def _row(one: Known) -> Row:
    return Row(
        what=one.what,
        known=words.size(one.known, one.unit, words.DIGITS),
        measured=words.size(one.measured, one.unit, words.DIGITS),
        span=words.span(one.low, one.high, one.unit, words.DIGITS),
        off=words.percent(one.error),
        verdict=words.verdict(one),
        detail=one.detail,
    )


def _when(told: Told, found: Calibration) -> Iterator[When]:
    for name in words.in_order(found.parts):
        yield _made(told, name, found.parts[name])


def _made(told: Told, name: PartName, part: Part) -> When:
    age = told.age_days(name)
    ago = (
        "" if age is None or age < 0 else f", {age:.0f} days before" if age >= 1 else ", on the day before or the same"
    )
    quick = ", quickly" if part.quick else ""
    return When(
        words.TITLES[name], f"{part.created_at}{ago}{quick}", f"{part.load_average:.2f}", tuple(told.doubts(name))
    )
