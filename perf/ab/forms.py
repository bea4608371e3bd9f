"""A against B for programs, for a pull request and for the test view of a CI."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from perf.ab import wording
from perf.comparing.line import junit as as_junit
from perf.comparing.line import markdown_table
from perf.markdown_text import text

if TYPE_CHECKING:
    from collections.abc import Collection

    from perf.ab.against import Against, Row

SCHEMA = 1


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
    lines += markdown_table(wording.HEADS, [wording.in_words(row) for row in found.rows], failing)
    return "\n".join(lines) + "\n"


def junit(found: Against, failing: Collection[int]) -> str:
    """Return a comparison as JUnit XML."""
    return as_junit("kvgauge A/B", wording.HEADS, [wording.in_words(row) for row in found.rows], failing)
