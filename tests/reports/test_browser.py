"""The report in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from reports.data import report_data
from reports.html import render

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or "chromium"
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]

pytestmark = pytest.mark.deep


SHOWS_WIDTH = """<script>
const root = document.documentElement;
document.title = root.scrollWidth + " of " + root.clientWidth;
</script>"""


@pytest.fixture
def page(summary, grid, beside, timed, tmp_path):
    sizes = [(unit, size) for unit, size in (("head", 8 << 10), ("page", 64 << 10), ("block", 4 << 20))]
    summaries = [
        summary(transport=name, unit=unit, descriptor_bytes=size, descriptors=(64 << 20) // size)
        for name in ("nixl:UCX", "copy")
        for unit, size in sizes
    ]
    summaries += [*grid(4), *grid(4, transport="copy"), *beside(), *beside("cuda:0", "host", emulated=True)]
    model = "llama-3.1-8b"
    shapes = [sizes[0], sizes[-1], ("bytes", 8), ("bytes", 4096)]
    summaries += [
        timed(transport=name, op="pull", workload="bytes" if unit == "bytes" else model, unit=unit, descriptor_bytes=size,
              descriptors=1 if unit == "bytes" else (64 << 20) // size, phases_ns={"open": 9_000_000, "gather": 8_000_000, "scatter": 70_000})
        for name in ("ucx", "copy")
        for unit, size in shapes
    ]  # fmt: skip
    spec = {"spec": {"kv": [{"model": model, "dtype": "bf16"}]}, "command": ["kvgauge", "run"], "machine": {"cpu": "x"}}
    path = tmp_path / "report.html"
    path.write_text(render(report_data(spec, summaries, ["A sentence."], run="run")), encoding="utf-8")
    return path


def chromium(page: Path, *options: str) -> str:
    profile = page.parent / "profile"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *QUIET, f"--user-data-dir={profile}", *options]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def test_the_page_is_whole_without_scripts(page):
    """The verdict, both kinds of figure and the table are in the document that a browser builds; CSP forbids scripts."""
    document = chromium(page, "--dump-dom")
    assert "default-src &#39;none&#39;" in document or "default-src 'none'" in document
    assert "A sentence." in document
    assert document.count("<svg") >= 2
    for section in ("points", "ratio", "costs", "fit", "recompute", "set", "answer-faster"):
        assert f'id="{section}"' in document


@pytest.mark.parametrize(("width", "dark"), [(1200, 0), (1200, 1), (400, 0)])
def test_it_has_a_picture_in_light_dark_and_on_a_phone(page, width, dark):
    shot = page.with_name("shot.png")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    chromium(page, f"--screenshot={shot}", f"--window-size={width},2000", scheme)
    assert shot.stat().st_size > 20_000


def test_wide_tables_scroll_in_their_own_box_and_not_the_page(page):
    """A script measures a copy of the page that allows scripts, with everything unfolded."""
    text = page.read_text(encoding="utf-8").replace("default-src 'none'; ", "")
    measured = page.with_name("measured.html")
    text = text.replace("<details>", "<details open>").replace("</body>", f"{SHOWS_WIDTH}</body>")
    measured.write_text(text, encoding="utf-8")
    # 400 asked for, 500 given: the narrowest window of a browser without a screen
    document = chromium(measured, "--dump-dom", "--window-size=400,2000")
    assert re.search(r"<title>(\d+) of \1</title>", document)
