"""The script that tells how often compare errs: its runs are what it says, and its counts are right."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from perf.bench.gate_errors import counted, main, simulated, spreads

POINTS = spreads(None, 4)


def test_runs_of_the_same_code_are_at_most_the_shift_apart_and_all_points_share_it():
    random = np.random.default_rng(1)
    steady = [[1.0, 1.0, 1.0]] * 4
    shifts = []
    for _ in range(100):
        ratios = {float(new[0] / base[0]) for base, new in simulated(random, steady, 9, shift=0.21, speed=1.0)}
        assert max(ratios) == pytest.approx(min(ratios))
        shifts.append(ratios.pop())
    assert 1 / 1.2101 < min(shifts) < 0.9
    assert 1.1 < max(shifts) < 1.2101


def test_a_planted_slowdown_is_planted():
    random = np.random.default_rng(1)
    [(base, new)] = simulated(random, [[1.0]], 9, shift=0.0, speed=0.7)
    assert new[0] / base[0] == pytest.approx(0.7)


def test_it_counts_points_and_comparisons_with_a_claim():
    same = counted(POINTS, 20, 9, shift=0.21, band=0.21, speed=1.0)
    assert same["any"] == same["slower"] == same["faster"] == 0
    halved = counted(POINTS, 20, 9, shift=0.21, band=0.21, speed=0.5)
    assert (halved["any"], halved["slower"]) == (20, 80)


def test_a_machine_beyond_its_band_raises_alarms_and_the_script_shows_it():
    assert counted(POINTS, 20, 9, shift=3.0, band=0.21, speed=1.0)["any"] > 5


def test_it_prints_a_line_for_each_slowdown(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gate_errors", "--comparisons", "3", "--points", "2"])
    main()
    told = capsys.readouterr().out
    assert "same code: a claim in 0 of 3" in told
    assert "10 % slower" in told


def test_launches_of_a_run_are_taken_by_their_points_median(made, sampled):
    [point] = spreads(made("real", sampled(50)), 0)
    assert sorted(point)[4] == pytest.approx(1.0)
    assert len(point) == 9
