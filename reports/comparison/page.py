"""A comparison as one HTML file, with the head, the style and the rules of every report."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from perf.summary import as_json
from reports.comparison.differences import ABSENT
from reports.comparison.sentences import RUNS_APART
from reports.figures.lines import draw
from reports.formats.html import FIGURES_MOST, FIGURES_OPEN, page_environment

if TYPE_CHECKING:
    from reports.comparison.data import Cell, Comparison

SECTIONS = (
    ("verdict", "Verdict"),
    ("runs", "The runs"),
    ("conformance", "Conformance, and what changed"),
    ("throughput", "Throughput, a line for each run"),
    ("points", "All points, side by side"),
    ("alone", "Points of one run alone"),
    ("differs", "What differs"),
    ("reading", "How to read this"),
)


def render(data: Comparison) -> str:
    """Return the page."""
    shown = {
        "conformance": data.conformance is not None,
        "throughput": bool(data.charts),
        "points": data.measured,
        "alone": bool(data.alone),
    }
    return (
        page_environment()
        .get_template("comparison.html.j2")
        .render(
            data=data,
            sections=[(name, title) for name, title in SECTIONS if shown.get(name, True)],
            draw=draw,
            figures_open=FIGURES_OPEN,
            figures_most=FIGURES_MOST,
            runs_apart=RUNS_APART,
            absent=ABSENT,
            embedded=embedded(data),
        )
    )


def embedded(data: Comparison) -> dict[str, object]:
    """Return what a program may want to read from the page; JSON, without a number that is not true."""
    groups = [*data.groups, *(group for alone in data.alone for group in alone.groups)]
    return {
        "kvgauge": list(data.versions),
        "runs": [asdict(column) for column in data.columns],
        "unlike": [" ".join(banner) for banner in data.banners],
        "verdict": list(data.sentences),
        "points": [
            {"what": f"{group.heading}, {row.what}", "runs": [_cell(cell) for cell in row.cells]}
            for group in groups
            for row in group.rows
        ],
        "differs": [
            {"part": group.title, "name": entry.name, "values": list(entry.values)}
            for group in data.differences
            for entry in group.differing
        ],
        "conformance": asdict(data.conformance) if data.conformance else None,
    }


def _cell(cell: Cell | None) -> dict[str, object] | None:
    if cell is None:
        return None
    beside = cell.ratio
    told = {"value": beside.value, "relation": beside.relation, "refused": beside.refused} if beside else None
    return {"summary": as_json(cell.summary), "ratio_to_first": told, "remarks": list(cell.remarks)}
