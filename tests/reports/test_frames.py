"""A run in a notebook: samples one by one; and what importing `reports` costs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import reports
from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEAVY = ("pandas", "matplotlib", "numpy", "jinja2", "pydantic", "click")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import reports, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_package_has_two_functions_and_no_others() -> None:
    assert reports.load.__module__ == reports.load_samples.__module__ == "reports.frames"
    with pytest.raises(AttributeError, match="module 'reports' has no attribute 'lode'"):
        _ = reports.lode


def test_every_sample_is_a_row(line: Callable[..., dict[str, Any]], run_folder: Callable[..., Path]) -> None:
    run = run_folder([
        line(0, durations_ns=[1, 2, 3, 4, 5, 6], delivered_ns=[9, 9, 9], settings={"UCX_TLS": "tcp"}),
        line(1, status="failed", durations_ns=[7], delivered_ns=[]),
        line(1, op="pull", durations_ns=[8, 9], delivered_ns=[20], verified=False),
    ])  # fmt: skip
    found = reports.load_samples(str(run))
    assert found["duration_ns"].tolist() == [1, 2, 3, 4, 5, 6, 8, 9]
    assert found["window"].tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    assert found["sample"].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert found["launch"].tolist() == [0] * 6 + [1] * 2
    assert found["counts"].tolist() == [True] * 6 + [False] * 2
    assert found["op"].tolist() == ["push"] * 6 + ["pull"] * 2
    assert found["setting.UCX_TLS"].tolist()[:6] == ["tcp"] * 6
    assert found.index.tolist() == list(range(8))


def test_emulated_samples_are_refused_or_left_out(
    line: Callable[..., dict[str, Any]], run_folder: Callable[..., Path]
) -> None:
    with pytest.raises(BadInput, match="emulated GPUs, where durations mean nothing"):
        reports.load_samples(run_folder([line(0, emulated=True)]))
    mixed = run_folder([line(0, emulated=True), line(0, op="pull")], "mixed")
    assert set(reports.load_samples(mixed)["op"]) == {"pull"}


def test_a_run_without_samples_is_an_empty_frame(run_folder: Callable[..., Path]) -> None:
    assert reports.load_samples(run_folder([]))["duration_ns"].tolist() == []
