"""A against B for programs, for a pull request and for the test view of a CI."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from perf.ab import wording
from perf.comparing.reasons import reason
from perf.markdown_text import table, text
from perf.words import plain

if TYPE_CHECKING:
    from collections.abc import Collection

    from perf.ab.against import Against, Row

SCHEMA = 1
_HEADS = ("what", "by", "verdict", "A GB/s", "B GB/s", "B / A")
_ROWS = 200  # of a table in a comment; the rest is counted
_MESSAGE = 500
_OPEN = frozenset({"inconclusive", "not compared"})


def as_json(found: Against, failing: Collection[int] = ()) -> dict[str, object]:
    """Return a comparison as plain JSON values (`perf.ab.schema`); `failing` are numbers of points."""
    return {
        "schema": SCHEMA,
        "run": found.run,
        "a": asdict(found.a),
        "b": asdict(found.b),
        "smallest": found.matters,
        "sentences": list(found.sentences),
        "notes": list(found.notes),
        "points": [_point(row) for row in found.rows],
        "failing": sorted(failing),
    }


def _point(row: Row) -> dict[str, object]:
    return {
        "what": row.what,
        "by": row.by,
        "point": row.point.model_dump(mode="json", exclude={"variant"}) if row.point else None,
        "verdict": row.verdict,
        "refused": row.refused or None,
        "remarks": list(row.remarks),
        "judgement": asdict(row.judgement) if row.judgement else None,
        "a_gb_per_s": row.a_gb_per_s,
        "b_gb_per_s": row.b_gb_per_s,
        "ratios": list(row.ratios),
    }


def markdown(found: Against, failing: Collection[int]) -> str:
    """Return a comparison as Markdown; foreign text in it can only be read."""
    lines = [f"### kvgauge: {text(wording.title(found))}", ""]
    lines += [f"- {text(wording.side(one), 500)}" for one in (found.a, found.b)] + [""]
    lines += [f"{text(sentence, 500)}\n" for sentence in (*found.sentences, *found.notes)]
    lines += table(_HEADS, [_cells(row, fails=at in failing) for at, row in enumerate(found.rows[:_ROWS])], 3)
    left = len(found.rows) - _ROWS
    lines += [f"\nand {left} more points, in `--json`"] if left > 0 else []
    return "\n".join(lines) + "\n"


def _cells(row: Row, *, fails: bool) -> list[str]:
    verdict = f"**{row.verdict}** (fails)" if fails else row.verdict
    return [
        text(row.what),
        text(row.by),
        f"{verdict}: {text(reason(row))}",
        wording.rate(row.a_gb_per_s),
        wording.rate(row.b_gb_per_s),
        wording.ratio(row),
    ]


def junit(found: Against, failing: Collection[int]) -> str:
    """Return a comparison as JUnit XML: a point that the gate names fails, one that decides nothing is skipped."""
    skipped = {number for number, row in enumerate(found.rows) if row.verdict in _OPEN}.difference(failing)
    counts = {"tests": len(found.rows), "failures": len(failing), "errors": 0, "skipped": len(skipped)}
    numbers = {key: str(value) for key, value in counts.items()}
    root = ET.Element("testsuites", {key: numbers[key] for key in ("tests", "failures", "errors")})
    suite = ET.SubElement(root, "testsuite", {"name": "kvgauge A/B", **numbers})
    for number, row in enumerate(found.rows):
        case = ET.SubElement(suite, "testcase", {"classname": plain(row.by), "name": plain(row.what)})
        told = {"message": plain(f"{row.verdict}: {reason(row)}", _MESSAGE)}
        if number in failing:
            ET.SubElement(case, "failure", {"type": row.verdict, **told})
        elif number in skipped:
            ET.SubElement(case, "skipped", told)
        ET.SubElement(case, "system-out").text = plain(f"B / A {wording.ratio(row)}: {reason(row)}")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
