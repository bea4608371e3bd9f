"""Reports of made-up data, opened in Debian's Chromium from a file, as a reader does."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from conformance.record import Case
from perf.record import Issue
from reports.conformance import matrix
from reports.data import report_data
from reports.html import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

DOUBT = Issue(level="OPEN", code="unsteady", message="the launches' throughputs differ: they vary by 31 %")
COMMAND = "env DYN_KVBM_NIXL_BACKEND_UCX=y kvgauge conform first"
KINDS = ("measured", "emulated", "conformance")


@dataclass
class Opened:
    """A page in the browser, and what it asked for and complained of since it was opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Return one browser for all tests of this folder; no other test may share its event loop."""
    from playwright.sync_api import sync_playwright  # not at the top: quick tests collect this folder too

    chromium = shutil.which("chromium")
    assert chromium, "Debian's package chromium is missing"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Callable[..., Any]:
    """Return what opens a file in a fresh context, with the options of one."""

    @contextmanager
    def opening(path: Path, **options: Any) -> Iterator[Opened]:
        context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | options))
        context.set_default_timeout(10_000)
        opened = Opened(context.new_page())
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("console", lambda said: opened.complaints.append(said.text))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.goto(path.as_uri())
        yield opened
        context.close()

    return opening


@pytest.fixture(scope="package")
def rendered() -> dict[str, str]:
    """Keep each page once it was rendered: the same data, the same bytes."""
    return {}


@pytest.fixture
def report(
    request: pytest.FixtureRequest, manifest: dict[str, object], rendered: dict[str, str], tmp_path: Path
) -> Any:
    """Return what writes a report of one of `KINDS` and gives its path."""
    summary, grid, beside, interval = map(request.getfixturevalue, ("summary", "grid", "beside", "interval"))

    def measured() -> list[Any]:
        sizes = [(unit, size) for unit, size in (("head", 8 << 10), ("page", 64 << 10), ("block", 4 << 20))]
        points = [
            summary(
                transport=name, op=op, unit=unit, descriptor_bytes=size, descriptors=(64 << 20) // size,
                throughput=interval(speed * (1 + size.bit_length() / 9)), issues=(DOUBT,) if name == "ucx" else (),
            )
            for name, speed in (("nixl:UCX", 4.0), ("ucx", 3.0), ("mooncake:tcp", 1.0), ("copy", 4.5))
            for op in ("push", "pull")
            for unit, size in sizes
        ]  # fmt: skip
        return [*points, *grid(2), *grid(2, transport="copy"), *beside()]

    def tested() -> Any:
        names = [
            f"{word} parser" for word in ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
        ]
        verdicts = ("pass", "fail", "warn", "info", "skip", "error")
        return matrix([_case(f"ENV-{row:03}", name, verdicts[(row * column) % 6])
                       for row in range(1, 7) for column, name in enumerate(names)])  # fmt: skip

    def page(kind: str) -> str:
        points = {"measured": measured, "emulated": lambda: [*grid(4, emulated=True), *beside(emulated=True)]}
        found = points[kind]() if kind in points else []
        table = tested() if kind == "conformance" else None
        sentences = ["nixl:UCX is the faster one."] if found else []
        return render(report_data(manifest, found, sentences, run="monday", conformance=table))

    def write(kind: str) -> Path:
        path = tmp_path / f"{kind} report.html"
        rendered[kind] = rendered.get(kind) or page(kind)
        path.write_text(rendered[kind], encoding="utf-8")
        return path

    return write


def _case(requirement: str, implementation: str, verdict: str) -> Case:
    broken = verdict in {"fail", "warn"}
    return Case(
        requirement, implementation, case="a case", verdict=verdict, expected=False, what="it took y for true" if broken else "",
        example={"environment": {"DYN_KVBM_NIXL_BACKEND_UCX": "y"}} if broken else None, reproduce=COMMAND if broken else "",
    )  # fmt: skip
