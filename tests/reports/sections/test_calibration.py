"""The section that says how wrong the tool is: from a run's manifest, which may come from anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from perf.calibration.told import told
from reports.data import report_data
from reports.figures.errors import draw_errors
from reports.formats.html import page_environment, render
from reports.sections.calibration import calibration

MADE = {"created_at": "2025-12-31T05:00:00+00:00", "kvgauge": "0.1.0", "kernel": "6.1.0", "load_average": 0.1, "quick": False,
        "costs": [], "band": None, "known": []}  # fmt: skip
TCP = {"what": "raw TCP, 1 Gbit/s", "kind": "tool", "unit": "GB/s", "known": 0.1196, "measured": 0.1194, "low": 0.119,
       "high": 0.1195, "launches": 3, "tolerated": 0.02, "detail": "wire: tcp"}  # fmt: skip
UCX = TCP | {
    "what": "nixl:UCX, 1 Gbit/s",
    "kind": "protocol",
    "measured": 0.06,
    "low": 0.05,
    "high": 0.07,
    "tolerated": None,
}
COST = {"what": "clock, one read", "unit": "ns", "value": 60.0, "low": 50.0, "high": 70.0, "detail": "perf_counter_ns"}


def made(**changes: Any) -> dict[str, Any]:
    link = MADE | {"known": [TCP, UCX]} | changes
    return {"schema": 1, "machine": {"cpu": "A"}, "parts": {"link": link, "overheads": MADE | {"costs": [COST]}}}


def page(manifest, summaries, found) -> str:
    return render(report_data(manifest | {"calibration": found}, summaries, ["It is so."]))


def section_of(manifest, found) -> str:
    """Return the section alone: a page takes long to draw."""
    told_of = calibration(told(manifest | {"calibration": found}))
    template = page_environment().get_template("sections/calibration.html.j2")
    return template.render(calibration=told_of, draw_errors=draw_errors)


def test_errors_of_the_tool_are_drawn_and_what_protocols_cost_is_only_told(manifest, summary):
    section = calibration(told(manifest | {"calibration": made()}))
    assert section is not None
    assert section.figure is not None
    assert [mark.label for mark in section.figure.marks] == ["raw TCP, 1 Gbit/s"]
    assert [row.verdict for row in section.rows] == ["good", "its protocol"]
    assert "protocol" in " ".join(section.sentences)
    html = page(manifest, [summary()], made())
    assert '<section id="calibration"' in html
    assert 'id="calibration-error-title"' in html
    assert "0.1194 GB/s" in html
    assert "60 ns [50 ns, 70 ns]" in html
    assert section_of(manifest, made()) == section_of(manifest, made())


def test_a_run_without_one_has_no_section(manifest, summary):
    assert '<section id="calibration"' not in page(manifest, [summary()], None)


def test_emulated_points_have_none(manifest, summary):
    assert '<section id="calibration"' not in page(manifest, [summary(emulated=True)], made())


def test_one_that_is_refused_says_why_and_what_to_do(manifest):
    html = section_of(manifest, {"refused": "it is of another machine: cores 64, here 2"})
    assert "cores 64, here 2" in html
    assert "kvgauge calibrate" in html
    assert "calibration-error" not in html


def test_what_is_beyond_and_what_is_old_stands_out(manifest):
    off = TCP | {"measured": 0.1, "low": 0.1, "high": 0.1}
    html = section_of(manifest, made(known=[off], created_at="2025-06-01T00:00:00+00:00"))
    assert "beyond what is tolerated" in html
    assert "215 days old" in html


@pytest.mark.parametrize("attack", ["</script><script>alert(1)</script>", "\x1b[31m", "{{ 7000*7 }}", "$x^2$"])
def test_foreign_words_stay_words(manifest, attack):
    html = section_of(manifest, made(known=[TCP | {"what": attack, "detail": attack}], kernel=attack))
    assert "<script>alert" not in html
    assert "\x1b" not in html
    assert "49000" not in html


@pytest.mark.parametrize(("known", "measured"), [(1e-12, 1e12), (1e12, 1e-12)])
def test_an_impossible_error_is_told_and_breaks_no_figure(manifest, known, measured):
    html = section_of(
        manifest,
        made(known=[TCP | {"known": known, "measured": measured, "low": measured, "high": measured}]),
    )
    assert "beyond what is tolerated" in html


def test_the_figure_is_named_described_and_holds_no_foreign_text(manifest):
    section = calibration(told(manifest | {"calibration": made(known=[TCP | {"what": "XYZZY"}])}))
    assert section is not None
    assert section.figure is not None
    svg = str(draw_errors(section.figure))
    assert svg.count("XYZZY") == 1  # in its description
    assert "<title" in svg
    assert json.dumps(svg)
