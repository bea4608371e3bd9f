"""A against B in the report: shown where there is one, the first thing that is said, nothing of what has no rate."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from perf.ab.against import Against, Row, Side
from perf.ab.judge import judge
from perf.ab.schema import Against as Schema
from perf.words import NONE
from reports.data import report_data
from reports.figures.against import draw_against
from reports.formats.html import render
from reports.formats.json_report import summary
from reports.sections.against import MOST_MARKS, section
from reports.writing import read_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

JITTER = (-0.004, 0.003, -0.001, 0.002, 0.0, -0.003, 0.004, 0.001, -0.002, 0.0015, -0.0015, 0.0025)


def row(ratio: float | None = 0.9, what: str = "push a-model, block", refused: str = "", jitter: float = 1.0) -> Row:
    if ratio is None:
        return Row(what, "nixl:UCX", None, None, (), None, refused, (), control=False, point=None)
    ratios = tuple(ratio * (1 + jitter * one) for one in JITTER)
    [judged] = judge([[(1.0, one) for one in ratios]])
    return Row(
        what, "nixl:UCX", 5.0, 5.0 * ratio, ratios, judged, "", ("other wire: cma in A",), control=False, point=None
    )


def found(*rows: Row, **changes: Any) -> Against:
    sides = Side("A", "as the spec says", ()), Side("B", "venv:new", ("nixl-cu12 1.5.1",))
    fields = {"sentences": ("B against A, 1 point: 1 slower.",), "notes": ("a note",)} | changes
    return Against("run", *sides, 0.02, rows, **fields)


def page(*rows: Row, **changes: Any) -> str:
    against = found(*rows, **changes)
    return render(report_data({}, [], against.sentences, against=against))


def test_a_row_says_what_became_of_b_and_why() -> None:
    shown = section(found(row(), row(None, refused="emulated: no rate")))
    assert shown is not None
    assert shown.sides == ("A: as the spec says", "B: venv:new (nixl-cu12 1.5.1)")
    first, second = shown.lines
    assert (first.number, first.verdict, first.a, first.b, first.ratio) == (
        1,
        "slower",
        "5",
        "4.5",
        "0.900 [0.899, 0.902]",
    )
    assert "12 launches" in first.why
    assert "other wire: cma in A" in first.why
    assert (second.verdict, second.a, second.b, second.ratio, second.why) == (
        "not compared",
        NONE,
        NONE,
        NONE,
        "emulated: no rate",
    )
    [mark] = shown.marks
    assert (mark.number, mark.verdict, len(mark.launches)) == (1, "slower", 12)
    assert "1: 0.900 [0.899, 0.902] slower" in shown.description


def test_the_page_has_the_section_first_and_answers_with_it() -> None:
    text = page(row(), row(1.0, "pull a-model, block"))
    assert re.search(r'<section id="ab"', text)
    assert text.index('id="ab"') < text.index('id="tested"')
    assert "Is B faster than A, and by how much?" in text
    assert "push a-model, block, nixl:UCX: B is slower, 0.900 [0.899, 0.902] times the rate of A." in text
    assert "No point was measured." not in text
    assert "a note" in text


def test_without_a_claim_the_answer_is_that_none_is_shown() -> None:
    assert "No difference between A and B is shown." in page(row(1.0))


def test_a_run_without_a_and_b_has_no_section() -> None:
    assert section(None) is None
    assert 'id="ab"' not in render(report_data({}, [], []))
    assert 'id="ab"' not in page()


def test_what_has_no_ratio_is_not_drawn_and_many_points_are_a_table() -> None:
    assert "<figcaption>Numbers are those" not in page(row(None, refused="only in A"))
    many = section(found(*[row(0.9, f"point {number}") for number in range(MOST_MARKS + 3)]))
    assert many is not None
    assert (len(many.lines), len(many.marks), many.left_out) == (MOST_MARKS + 3, MOST_MARKS, 3)


@pytest.mark.parametrize(("ratio", "jitter"), [(1e-3, 1.0), (0.97, 0.01), (1.0, 1.0), (900.0, 100.0)])
def test_any_ratio_is_drawn_with_a_name_and_the_same_bytes(ratio: float, jitter: float) -> None:
    shown = section(found(row(ratio, jitter=jitter)))
    assert shown is not None
    drawn = draw_against(shown)
    assert drawn == draw_against(shown)
    assert 'role="img"' in drawn
    assert "<title" in drawn
    assert "nan" not in drawn.lower()


def test_foreign_text_stays_text() -> None:
    evil = "<script>alert(1)</script>\x1b[31m"
    text = page(row(what=evil), sentences=(evil,), notes=(evil,))
    assert "<script>alert" not in text
    assert "\x1b" not in text


def test_the_json_of_a_report_has_it_by_the_schema() -> None:
    against = found(row())
    Schema.model_validate(summary(report_data({}, [], [], against=against))["ab"])
    assert summary(report_data({}, [], []))["ab"] is None


def test_a_run_of_a_and_b_is_read_from_its_folder(run_folder: Callable[..., Path], line: Callable[..., Any]) -> None:
    lines = []
    for launch in range(12):
        for variant, took in (("A", 6_000_000), ("B", 6_600_000 + 1_000 * launch)):
            one = line(launch, delivered_ns=[took] * 2)
            lines.append(one | {"point": one["point"] | {"variant": variant}})
    path = run_folder(lines)
    manifest = json.loads((path / "manifest.json").read_text())
    sides = {
        "A": {"given": "default", "label": "as the spec says"},
        "B": {"given": "UCX_TLS=tcp", "label": "UCX_TLS=tcp"},
    }
    manifest["settings"] = {"ab": sides}
    (path / "manifest.json").write_text(json.dumps(manifest))
    data = read_report(path)
    assert data.sentences[0] == "B against A, 1 point: 1 slower."
    text = render(data)
    assert "B: UCX_TLS=tcp" in text
    assert "nixl:UCX (B)" in text
