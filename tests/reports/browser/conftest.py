"""Reports of made-up data, one of each kind, as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.record import Case
from perf.record import Issue
from reports.comparison.data import comparison
from reports.comparison.page import render as render_comparison
from reports.data import report_data
from reports.formats.html import render
from reports.recorded import Run
from reports.sections.conformance import matrix
from reports.writing import read_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DOUBT = Issue(level="OPEN", code="unsteady", message="the launches' throughputs differ: they vary by 31 %")
COMMAND = "env DYN_KVBM_NIXL_BACKEND_UCX=y kvgauge conform first"
KINDS = ("measured", "emulated", "conformance", "comparison", "transfer")
MODEL = "llama-3.1-8b"
SIZES = [("head", 8 << 10), ("page", 64 << 10), ("block", 4 << 20)]


@pytest.fixture(scope="package")
def rendered() -> dict[str, str]:
    """Keep each page once it was rendered: the same data, the same bytes."""
    return {}


@pytest.fixture
def report(
    request: pytest.FixtureRequest, manifest: dict[str, Any], rendered: dict[str, str], tmp_path: Path
) -> Callable[[str], Path]:
    """Return what writes a report of one of `KINDS` and gives its path."""
    make = {
        "measured": _measured,
        "emulated": _emulated,
        "conformance": _conformance,
        "comparison": _comparison,
        "transfer": _transfer,
    }

    def write(kind: str) -> Path:
        path = tmp_path / f"{kind} report.html"
        rendered[kind] = rendered.get(kind) or make[kind](request.getfixturevalue, manifest)
        path.write_text(rendered[kind], encoding="utf-8")
        return path

    return write


def _points(fixture: Callable[[str], Any], faster: float = 1.0) -> list[Any]:
    """Return three transports and the ceiling, each with three sizes in two directions; one of them with a doubt."""
    summary, interval = fixture("summary"), fixture("interval")
    return [
        summary(
            transport=name, op=op, unit=unit, descriptor_bytes=size, descriptors=(64 << 20) // size,
            throughput=interval(faster * speed * (1 + size.bit_length() / 9)), issues=(DOUBT,) if name == "ucx" else (),
        )
        for name, speed in (("nixl:UCX", 4.0), ("ucx", 3.0), ("mooncake:tcp", 1.0), ("copy", 4.5))
        for op in ("push", "pull")
        for unit, size in SIZES
    ]  # fmt: skip


def _measured(fixture: Callable[[str], Any], manifest: dict[str, Any]) -> str:
    """Return a page with every section that a run on real devices can have."""
    timed, grid = fixture("timed"), fixture("grid")
    shapes = [SIZES[0], SIZES[-1], ("bytes", 8), ("bytes", 4096)]
    launches = [
        timed(
            transport=name, op="pull", workload="bytes" if unit == "bytes" else MODEL, unit=unit, descriptor_bytes=size,
            descriptors=1 if unit == "bytes" else (64 << 20) // size,
            phases_ns={"open": 9_000_000, "gather": 8_000_000, "scatter": 70_000},
        )
        for name in ("ucx", "copy")
        for unit, size in shapes
    ]  # fmt: skip
    points = [*_points(fixture), *launches, *grid(2), *grid(2, transport="copy"), *fixture("beside")()]
    spec = manifest["spec"] | {"kv": [{"model": MODEL, "dtype": "bf16"}]}
    return render(report_data(manifest | {"spec": spec}, points, ["nixl:UCX is the faster one."], run="monday"))


def _emulated(fixture: Callable[[str], Any], manifest: dict[str, Any]) -> str:
    points = [*fixture("grid")(4, emulated=True), *fixture("beside")(emulated=True)]
    return render(report_data(manifest, points, ["Every byte was right."], run="monday"))


def _transfer(fixture: Callable[[str], Any], _: dict[str, Any]) -> str:
    """Return a page of requests of two ops, one of them lost."""
    handed, lost = (
        fixture("handed"),
        {"role": "decode-1", "phase": "move", "reason": "killed by SIGKILL", "detail": "last words"},
    )
    lines = [handed(number, op=op) for op in ("push", "pull") for number in range(4)]
    lines[-1] |= {"status": "failed", "failure": lost, "transmission_ns": 0}
    return render(read_report(fixture("transfers")(lines)))


def _conformance(_: Callable[[str], Any], manifest: dict[str, Any]) -> str:
    return render(report_data(manifest, [], [], run="monday", conformance=matrix(_cases())))


def _comparison(fixture: Callable[[str], Any], manifest: dict[str, Any]) -> str:
    runs = [
        Run(name, manifest | {"started_at": f"2026-01-02, {name}", "seed": name}, tuple(_points(fixture, faster)), _cases())
        for name, faster in (("monday", 1.0), ("tuesday", 1.4))
    ]  # fmt: skip
    return render_comparison(comparison(runs))


def _cases() -> tuple[Case, ...]:
    names = [f"{word} parser" for word in ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")]
    verdicts = ("pass", "fail", "warn", "info", "skip", "error")
    return tuple(_case(f"ENV-{row:03}", name, verdicts[row * column % len(verdicts)])
                 for row in range(1, 7) for column, name in enumerate(names))  # fmt: skip


def _case(requirement: str, implementation: str, verdict: str) -> Case:
    broken = verdict in {"fail", "warn"}
    return Case(
        requirement, implementation, case="a case", verdict=verdict, expected=False, what="it took y for true" if broken else "",
        example={"environment": {"DYN_KVBM_NIXL_BACKEND_UCX": "y"}} if broken else None, reproduce=COMMAND if broken else "",
    )  # fmt: skip
