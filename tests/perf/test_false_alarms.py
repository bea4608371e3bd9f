"""How often clean points are doubted: simulated with fixed seeds; docs/validity.md states the same with more points."""

from __future__ import annotations

import pytest

from perf.bench.doubts import PLANTED, counted


@pytest.mark.parametrize(("launches", "most"), [(9, 0.015), (6, 0.015), (3, 0.04)])
def test_clean_points_are_seldom_doubted(launches, most):
    """Noise of 5 % between launches and between transfers."""
    told = counted(200, launches, 0.05)
    assert told["any"] <= most * 200, told


@pytest.mark.parametrize("code", [code for code in PLANTED if code != "trend"])
def test_a_planted_fault_is_found(code):
    assert counted(50, 9, 0.05, code)[code] >= 48


def test_a_planted_trend_is_found_where_launches_are_steady():
    """An exact test at 1 % needs them to be: with 5 % noise it sees a third of such trends."""
    assert counted(50, 9, 0.02, "trend")["trend"] >= 45
