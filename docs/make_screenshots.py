"""Make the pictures of the documentation from a run: what a new user sees, in Debian's Chromium.

By hand, after the report's look has changed, with the extra `[test]` installed:
    python docs/make_screenshots.py runs/quick
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import sync_playwright

from reports.writing import write_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 200 << 10
WIDE = {"viewport": {"width": 1160, "height": 760}, "device_scale_factor": 1.5}
FLAT = WIDE | {"viewport": {"width": 1160, "height": 615}}
PHONE = {"viewport": {"width": 390, "height": 720}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


def _nothing(page: Page) -> None:
    """Leave the page as it opens."""


def _at(section: str) -> Callable[[Page], None]:
    return lambda page: page.evaluate("id => document.getElementById(id).scrollIntoView()", section)


def _sorted_and_filtered(page: Page) -> None:
    page.get_by_role("button", name="Dark").click()
    page.locator("#points th button", has_text="Latency").click()
    page.locator("#points input").fill("scattered nixl")
    _at("points")(page)


@dataclass(frozen=True)
class Picture:
    """One picture: how the browser looks, and what its reader has done before."""

    name: str
    options: dict[str, Any] = field(default_factory=lambda: WIDE)
    prepare: Callable[[Page], None] = _nothing


PICTURES = (
    Picture("report-verdict"),
    Picture("report-throughput", FLAT, prepare=_at("throughput")),
    Picture("report-points", prepare=_sorted_and_filtered),
    Picture("report-phone", PHONE),
)


def main() -> None:
    """Write the report of a run, and its pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "run", type=Path, help="folder of a run with transports in host memory, as kvgauge run writes it"
    )
    parser.add_argument("--out", type=Path, default=IMAGES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    report = write_report(options.run).resolve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for picture in PICTURES:
            path = options.out / f"{picture.name}.png"
            path.write_bytes(_taken(browser, report, picture))
            print(f"{path}: {path.stat().st_size >> 10} KiB")
            if path.stat().st_size > MOST_BYTES:
                sys.exit(f"{path} is larger than {MOST_BYTES >> 10} KiB: show less of the page")


def _taken(browser: Browser, report: Path, picture: Picture) -> bytes:
    """Return one picture as PNG; 128 colours are enough for text and lines, and a third of the bytes."""
    context = browser.new_context(color_scheme="light", **picture.options)
    page = context.new_page()
    page.goto(report.as_uri())
    picture.prepare(page)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    context.close()
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
