"""Pages with many columns in a real browser: the tables scroll, the page does not, and the first column stays."""

from __future__ import annotations

import re

import pytest

from reports.comparison.data import comparison
from reports.comparison.page import render
from reports.conformance import matrix
from reports.data import report_data
from reports.html import render as render_report
from tests.reports.test_browser import chromium

pytestmark = pytest.mark.deep

# of every table: scroll it to its end, and see whether a row's heading is still at the left edge of its box
MEASURES = """<script>
const root = document.documentElement, moved = [];
for (const box of document.querySelectorAll(".scroll")) {
  const heading = box.querySelector(".beside th[scope=row], .matrix th[scope=row], .differs th[scope=row]");
  if (!heading || box.scrollWidth <= box.clientWidth) continue;
  box.scrollLeft = box.scrollWidth;
  moved.push(Math.abs(heading.getBoundingClientRect().left - box.getBoundingClientRect().left) < 2);
}
document.title = root.scrollWidth + " of " + root.clientWidth + ", " + moved.length + " moved, all " + moved.every(Boolean);
</script>"""


@pytest.mark.parametrize("width", [400, 1200])
def test_eight_columns_scroll_in_their_own_box(made, summaries, case, tmp_path, width):
    implementations = [f"an-implementation-{number}" for number in range(8)]
    cases = tuple(
        case(f"ENV-00{number}", "fail" if number % 2 else "pass", name)
        for name in implementations
        for number in range(4)
    )
    few = [one for one in summaries if one.point.op == "push" and one.point.pattern == "scattered"]
    runs = [made(f"run-{number}", few, cases, environment={"A": f"{number}" * 60}) for number in range(8)]
    pages = {
        "comparison": render(comparison(runs)),
        "conformance": render_report(report_data({}, [], [], conformance=matrix(cases))),
    }
    for name, html in pages.items():
        text = html.replace("default-src 'none'; ", "").replace("<details>", "<details open>")
        page = tmp_path / f"{name}.html"
        page.write_text(text.replace("</body>", f"{MEASURES}</body>"), encoding="utf-8")
        document = chromium(page, "--dump-dom", f"--window-size={width},2000")
        found = re.search(r"<title>(\d+) of (\d+), (\d+) moved, all (\w+)</title>", document)
        assert found, document[:2000]
        assert found[1] == found[2]
        assert int(found[3]) >= 1
        assert found[4] == "true"
