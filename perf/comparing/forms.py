"""A comparison for programs, for a pull request and for the test view of a CI."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from perf.comparing import wording
from perf.comparing.line import junit as as_junit
from perf.comparing.line import markdown_table
from perf.markdown_text import text

if TYPE_CHECKING:
    from collections.abc import Collection

    from perf.comparing.comparison import Comparison, Row
    from perf.summary import Interval, PointSummary


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
    lines += [f"- differs: {text(changed)}" for changed in wording.changed(found)] + [""]
    lines += markdown_table(wording.HEADS, [wording.in_words(row) for row in found.rows], failing)
    return "\n".join(lines) + "\n"


def junit(found: Comparison, failing: Collection[int]) -> str:
    """Return a comparison as JUnit XML."""
    return as_junit("kvgauge compare", wording.HEADS, [wording.in_words(row) for row in found.rows], failing)
