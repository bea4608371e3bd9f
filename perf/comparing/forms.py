"""A comparison for programs, for a pull request and for the test view of a CI."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from perf.comparing import wording
from perf.comparing.reasons import reason
from perf.markdown_text import table, text
from perf.words import plain

if TYPE_CHECKING:
    from collections.abc import Collection

    from perf.comparing.comparison import Comparison, Row
    from perf.summary import Interval, PointSummary

_HEADS = ("what", "transport", "verdict", "BASE GB/s", "NEW GB/s", "NEW / BASE")
_ROWS = 200  # of a table in a comment; the rest is counted
_MESSAGE = 500


def as_json(found: Comparison, failing: Collection[int]) -> dict[str, object]:
    """Return a comparison as plain JSON values; `failing` are numbers of points."""
    return {
        "schema": 1,
        "base": found.base,
        "new": found.new,
        "band": found.band,
        "band_source": found.band_source,
        "sentences": list(found.sentences),
        "notes": list(found.notes),
        "differences": [asdict(one) for one in found.differences],
        "points": [_point(row) for row in found.rows],
        "failing": sorted(failing),
    }


def _point(row: Row) -> dict[str, object]:
    judged = row.judgement
    return {
        "point": row.point.model_dump(),
        "new_point": row.new.point.model_dump() if row.new else None,
        "verdict": row.verdict,
        "refused": row.refused or None,
        "remarks": list(row.remarks),
        "judgement": asdict(judged) if judged else None,
        "base_gb_per_s": _rate(row.base) if judged else None,
        "new_gb_per_s": _rate(row.new) if judged else None,
    }


def _rate(one: PointSummary | None) -> float | None:
    interval: Interval | None = one.throughput if one else None
    return interval.median if interval and math.isfinite(interval.median) else None


def markdown(found: Comparison, failing: Collection[int]) -> str:
    """Return a comparison as Markdown; foreign text in it can only be read."""
    lines = [f"### kvgauge compare: {text(found.base)} \N{RIGHTWARDS ARROW} {text(found.new)}", ""]
    lines += [f"{text(sentence, 500)}\n" for sentence in (*found.sentences, *found.notes)]
    lines += [f"- differs: {text(line)}" for line in wording.changed(found)] + [""]
    marked = [_cells(row, fails=number in failing) for number, row in enumerate(found.rows[:_ROWS])]
    lines += table(_HEADS, marked, 3)
    left = len(found.rows) - _ROWS
    lines += [f"\nand {left} more points, in `--json`"] if left > 0 else []
    return "\n".join(lines) + "\n"


def _cells(row: Row, *, fails: bool) -> list[str]:
    verdict = f"**{row.verdict}** (fails)" if fails else row.verdict
    return [
        text(wording.name(row.point)),
        text(wording.by(row)),
        f"{verdict}: {text(reason(row))}",
        *wording.rates(row),
        text(wording.ratio(row)),
    ]


def junit(found: Comparison, failing: Collection[int]) -> str:
    """Return a comparison as JUnit XML: a point that the gate names fails, one that decides nothing is skipped."""
    open_ones = [number for number, row in enumerate(found.rows) if row.verdict in {"inconclusive", "not compared"}]
    skipped = set(open_ones).difference(failing)
    counts = {"tests": len(found.rows), "failures": len(failing), "errors": 0, "skipped": len(skipped)}
    numbers = {key: str(value) for key, value in counts.items()}
    root = ET.Element("testsuites", {key: numbers[key] for key in ("tests", "failures", "errors")})
    suite = ET.SubElement(root, "testsuite", {"name": "kvgauge compare", **numbers})
    for number, row in enumerate(found.rows):
        case = ET.SubElement(
            suite, "testcase", {"classname": plain(wording.by(row)), "name": plain(wording.name(row.point))}
        )
        told = {"message": plain(f"{row.verdict}: {reason(row)}", _MESSAGE)}
        if number in failing:
            ET.SubElement(case, "failure", {"type": row.verdict, **told})
        elif number in skipped:
            ET.SubElement(case, "skipped", told)
        ET.SubElement(case, "system-out").text = plain(f"NEW / BASE {wording.ratio(row)}: {reason(row)}")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
