"""What may be claimed of two runs apart. Rates are drawn; the seeds are fixed, so no test can fail by chance."""

from __future__ import annotations

import numpy as np
import pytest

from perf.comparing.judge import judge

BAND = 0.21
OPPOSITE = {"faster": "slower", "slower": "faster"}


def run(random, points=8, launches=9, noise=0.05, speed=1.0):
    return [(speed * random.lognormal(0, noise, launches)).tolist() for _ in range(points)]


def apart(random, *, speed=1.0, shift=BAND, **shape):
    """Return two runs whose machine was up to `shift` faster in one than in the other."""
    one, other = np.exp(random.uniform(0, np.log(1 + shift), 2))
    return list(zip(run(random, speed=one, **shape), run(random, speed=other * speed, **shape), strict=True))


def verdicts(points, band=BAND):
    return [one.verdict for one in judge(points, band)]


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
@pytest.mark.deep
def test_runs_of_the_same_code_raise_an_alarm_in_at_most_one_comparison_of_a_hundred(noise):
    random = np.random.default_rng(1)
    alarms = [bool({"faster", "slower"} & set(verdicts(apart(random, noise=noise)))) for _ in range(200)]
    assert sum(alarms) <= 2


def test_the_worst_machine_within_its_band_raises_none_either():
    random = np.random.default_rng(2)
    found = [verdicts(list(zip(run(random), run(random, speed=1 / (1 + BAND)), strict=True))) for _ in range(100)]
    assert sum("slower" in one for one in found) <= 1


def test_a_planted_slowdown_of_30_percent_is_found():
    random = np.random.default_rng(3)
    found = [verdicts(list(zip(run(random), run(random, speed=0.7), strict=True))) for _ in range(50)]
    assert sum(one.count("slower") for one in found) >= 0.9 * 50 * 8
    assert not any("faster" in one for one in found)


def test_one_slow_point_among_many_equal_ones_is_found():
    random = np.random.default_rng(4)
    base, new = run(random, points=40, noise=0.02), run(random, points=40, noise=0.02)
    new[17] = [0.6 * rate for rate in new[17]]
    told = verdicts(list(zip(base, new, strict=True)))
    assert told[17] == "slower"
    assert set(told[:17] + told[18:]) <= {"same", "within noise"}


@pytest.mark.parametrize("launches", [1, 2, 3, 4])
def test_too_few_launches_are_never_a_claim_however_far_apart(launches):
    base = [10.0 + 0.01 * launch for launch in range(launches)]
    [one] = judge([(base, [rate / 5 for rate in base])], BAND)
    assert one.verdict == "inconclusive"
    assert one.interval is None
    assert "needs 5" in one.why
    assert one.decide.startswith("5 launches a side")


def test_one_side_with_too_few_is_too_few():
    [one] = judge([([10.0] * 9, [1.0] * 4)], BAND)
    assert one.verdict == "inconclusive"


def test_enough_launches_for_a_point_are_too_few_for_a_point_among_many():
    """Five a side reach p = 0.008: below 0.01 alone, not after an adjustment over a hundred points."""
    slow = ([10.0, 10.1, 10.2, 10.3, 10.4], [1.0, 1.1, 1.2, 1.3, 1.4])
    alike = ([10.0, 10.2, 10.4, 10.6, 10.8], [10.1, 10.3, 10.5, 10.7, 10.9])
    assert verdicts([slow]) == ["slower"]
    first, *_ = judge([slow, *[alike] * 99], BAND)
    assert first.verdict == "inconclusive"
    assert "too few launches show it" in first.why
    assert first.decide == "about 9 launches a side"


def test_a_difference_within_the_band_is_noise_even_if_every_launch_shows_it():
    base = [10.0, 10.01, 10.02, 10.03, 10.04, 10.05, 10.06, 10.07, 10.08]
    [one] = judge([(base, [0.9 * rate for rate in base])], BAND)
    assert one.verdict == "within noise"
    assert one.q < 0.001
    assert "interleaved" in one.decide
    assert verdicts([(base, [0.9 * rate for rate in base])], band=0.02) == ["slower"]


def test_same_needs_an_interval_within_the_band():
    narrow = [10.0, 10.1, 9.9, 10.2, 9.8, 10.3, 9.7, 10.4, 9.6]
    assert verdicts([(narrow, narrow[::-1])]) == ["same"]
    wide = [4.0, 25.0, 6.0, 16.0, 5.0, 20.0, 10.0, 8.0, 12.0]
    [one] = judge([(wide, wide[::-1])], BAND)
    assert one.verdict == "inconclusive"
    assert one.interval.low < 1 / (1 + BAND) < 1 + BAND < one.interval.high
    assert "not excluded" in one.why
    assert one.decide


def test_the_test_alone_is_no_claim_where_the_interval_reaches_into_the_band():
    """Two in five launches of NEW are nearly as fast as BASE, so a resample's median may be."""
    base = [10 + 0.1 * launch for launch in range(30)]
    new = [5 + 0.001 * launch for launch in range(18)] + [9.8 + 0.001 * launch for launch in range(12)]
    [one] = judge([(base, new)], BAND)
    assert one.beyond_q < 0.01
    assert 1 / (1 + BAND) < one.interval.high < 1
    assert one.verdict == "within noise"


def test_among_many_points_one_that_differs_by_chance_is_the_same():
    base = [10.0, 10.01, 10.02, 10.03, 10.04, 10.05, 10.06, 10.07, 10.08]
    alike = (base, base[::-1])
    chance = (base, [rate - 0.045 for rate in base])
    assert verdicts([chance]) == ["within noise"]
    first, *others = judge([chance, *[alike] * 19], BAND)
    assert first.p < 0.05 < first.q
    assert {first.verdict, *(one.verdict for one in others)} == {"same"}


@pytest.mark.parametrize("seed", range(20))
def test_exchanging_the_runs_exchanges_the_verdicts(seed):
    random = np.random.default_rng(seed)
    points = apart(random, speed=random.uniform(0.4, 2.5), noise=0.1)
    there, back = judge(points, BAND), judge([(new, base) for base, new in points], BAND)
    assert [OPPOSITE.get(one.verdict, one.verdict) for one in there] == [one.verdict for one in back]
    assert [one.ratio for one in there] == pytest.approx([1 / one.ratio for one in back])


@pytest.mark.parametrize("seed", range(5))
def test_neither_order_of_launches_nor_unit_changes_a_verdict(seed):
    random = np.random.default_rng(seed)
    points = apart(random, speed=0.7)
    moved = [([4 * rate for rate in base[::-1]], [4 * rate for rate in new[::-1]]) for base, new in points]
    assert judge(moved, BAND) == judge(points, BAND)


def test_no_points_no_judgement():
    assert judge([], BAND) == []


def test_a_thousand_launches_are_judged_in_no_time():
    random = np.random.default_rng(5)
    points = apart(random, points=2, launches=1_000, speed=0.5)
    assert verdicts(points) == ["slower", "slower"]
