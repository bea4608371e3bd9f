"""The wide form that Apache Otava (formerly Hunter) reads: a row for each run, a column for each point; and its test configuration.

Its CSV importer takes a header, a time column, attributes as they are, and metrics that
must be numbers in every row (apache/otava, `otava/importer.py`, CsvImporter; `docs/CSV.md`):
so a point that one of the runs lacks is left out of all. A run is one value of a point,
the median over its launches, because its launches are not one after the other in history.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from perf.identity import point_key, reading_order
from perf.words import between, between_hosts, carrier, piece, plain
from reports.csv_text import csv_lines
from reports.exports.points_csv import oldest_first, started, version
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.identity import PointKey
    from perf.record import Point
    from perf.summary import PointSummary
    from reports.recorded import Run

UNIT = " [GB/s]"
FILE = "kvgauge.csv"  # what the configuration calls the other file
_PLAIN = str.maketrans({",": " ", '"': " ", "'": " ", "\N{MULTIPLICATION SIGN}": "x"})


def render(runs: Sequence[Run]) -> tuple[str, tuple[str, ...]]:
    """Return the runs as rows, oldest first, and what was left out."""
    ordered = oldest_first(runs)
    names, notes = _columns(ordered)
    rows = [
        {"time": started(run), "run": run.name, "version": version(run)}
        | {name: _median(rates[key]) for key, name in names.items()}
        for run, rates in zip(ordered, map(_rates, ordered), strict=True)
    ]
    return "".join(csv_lines(rows)), notes


def render_config(runs: Sequence[Run]) -> tuple[str, tuple[str, ...]]:
    """Return the tests of an `otava.yaml` for the file that `render` makes of the same runs."""
    names, notes = _columns(oldest_first(runs))
    metrics = [line for name in names.values() for line in _metric(name)]
    head = [
        "# kvgauge: tests for Apache Otava; a higher GB/s is better",
        "tests:",
        "  kvgauge:",
        "    type: csv",
        f"    file: {FILE}",
        "    time_column: time",
        "    attributes: [run, version]",
        "    csv_options:",
        "      delimiter: ','",
        "      quote_char: '\"'",
        "    metrics:",
    ]
    return "\n".join([*head, *metrics]) + "\n", notes


def _metric(column: str) -> list[str]:
    """Return a metric of the configuration; it is called as its column, in one word and without the unit."""
    name = column.replace(UNIT, "").replace(" ", "_")
    return [
        f"      {json.dumps(name)}:",
        f"        column: {json.dumps(column)}",
        "        direction: 1",
        "        scale: 1",
    ]


def _median(one: PointSummary) -> float | None:
    return one.throughput.median if one.throughput else None


def _rates(run: Run) -> dict[PointKey, PointSummary]:
    """Return the points of a run that have a rate which counts, `copy` among them: it tells of the machine."""
    return {
        point_key(one.point): one
        for one in run.summaries
        if one.throughput and not one.emulated and not one.invalid and one.launches and one.verified
    }


def _columns(ordered: Sequence[Run]) -> tuple[dict[PointKey, str], tuple[str, ...]]:
    """Return the points that every run has, with the names of their columns, and what was left out."""
    every = [_rates(run) for run in ordered]
    seen = {key: one.point for rates in every for key, one in rates.items()}
    common = sorted(
        (key for key in seen if all(key in rates for rates in every)), key=lambda key: reading_order(seen[key])
    )
    if not common:
        raise BadInput(
            "nothing-to-export",
            "there is no point of which every run has a rate that counts",
            "give runs of one spec; emulated points have no rate",
        )
    left = len(seen) - len(common)
    notes = (f"{left} points are left out: not every run has a rate of them",) if left else ()
    names: dict[PointKey, str] = {}
    for key in common:
        name, same = _name(seen[key]), sum(one.startswith(_name(seen[key])) for one in names.values())
        names[key] = f"{name} #{same + 1}" if same else name  # settings may differ in a comma only
    return names, notes


def _name(point: Point) -> str:
    """Return a point as one column: without a comma or a quote, whatever its settings say."""
    place = "" if between(point) == between_hosts() else f" {between(point)}"
    flows = f" flows={point.flows}" if point.flows > 1 else ""
    told = f"{carrier(point)} {point.op} {point.workload} {piece(point)} x{point.descriptors}{place}{flows}{UNIT}"
    return plain(told.translate(_PLAIN))
