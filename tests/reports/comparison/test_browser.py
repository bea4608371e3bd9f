"""Pages with many columns in a real browser: the tables scroll, the page does not, and the first column stays."""

from __future__ import annotations

import pytest

from reports.comparison.data import comparison
from reports.comparison.page import render
from reports.data import report_data
from reports.formats.html import render as render_report
from reports.sections.conformance import matrix

pytestmark = pytest.mark.deep

# of every table: scroll it to its end, and see whether a row's heading is still at the left edge of its box
MEASURES = """() => {
  document.querySelectorAll("details").forEach(one => one.open = true);
  const moved = [];
  for (const box of document.querySelectorAll(".scroll")) {
    const heading = box.querySelector(".beside th[scope=row], .matrix th[scope=row], .differs th[scope=row]");
    if (!heading || box.scrollWidth <= box.clientWidth) continue;
    box.scrollLeft = box.scrollWidth;
    moved.push(Math.abs(heading.getBoundingClientRect().left - box.getBoundingClientRect().left) < 2);
  }
  return [document.documentElement.scrollWidth, innerWidth, moved];
}"""


@pytest.fixture
def pages(made, summaries, case, tmp_path):
    """Return a comparison of eight runs and a matrix of eight implementations, as files."""
    implementations = [f"an-implementation-{number}" for number in range(8)]
    cases = tuple(
        case(f"ENV-00{number}", "fail" if number % 2 else "pass", name)
        for name in implementations
        for number in range(4)
    )
    few = [one for one in summaries if one.point.op == "push" and one.point.pattern == "scattered"]
    runs = [made(f"run-{number}", few, cases, environment={"A": f"{number}" * 60}) for number in range(8)]
    found = {
        "comparison": render(comparison(runs)),
        "conformance": render_report(report_data({}, [], [], conformance=matrix(cases))),
    }
    for name, html in found.items():
        (tmp_path / f"{name}.html").write_text(html, encoding="utf-8")
    return [tmp_path / f"{name}.html" for name in found]


@pytest.mark.parametrize("width", [390, 1200])
def test_eight_columns_scroll_in_their_own_box(visit, pages, width):
    for page in pages:
        with visit(page, viewport={"width": width, "height": 2000}) as opened:
            needed, there, stayed = opened.page.evaluate(MEASURES)
        assert needed <= there
        assert stayed
        assert all(stayed)
