"""The counted bootstrap: beside every resample there is, and beside drawn ones."""

from __future__ import annotations

from collections import Counter
from itertools import product
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.comparing.bootstrap import ratio_of_medians, resampled_medians
from perf.statistics import median_interval

rates = st.lists(st.floats(0.01, 100), min_size=1, max_size=9)


@pytest.mark.parametrize(
    "values", [[3.0], [1.0, 2.0], [1.0, 2.0, 5.0], [1.0, 2.0, 5.0, 5.0], [1.0, 2.0, 4.0, 7.0, 11.0]]
)
def test_it_counts_what_all_resamples_give(values):
    every = Counter(median(resample) for resample in product(values, repeat=len(values)))
    medians, chances = resampled_medians(values)
    found: Counter[float] = Counter()
    for value, chance in zip(medians, chances, strict=True):
        found[float(value)] += float(chance)
    assert found == pytest.approx({value: count / every.total() for value, count in every.items()})


@pytest.mark.parametrize("launches", [6, 9, 10])
def test_it_is_what_drawing_many_resamples_comes_to(launches):
    random = np.random.default_rng(7)
    base, new = random.lognormal(0, 0.1, launches), random.lognormal(0.2, 0.1, launches)
    drawn = np.median(random.choice(new, (40_000, launches)), axis=1) / np.median(
        random.choice(base, (40_000, launches)), axis=1
    )
    found = ratio_of_medians(new.tolist(), base.tolist())
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), rel=0.02)


@given(rates, rates)
def test_exchanging_the_runs_inverts_ratio_and_interval(one, other):
    there, back = ratio_of_medians(one, other), ratio_of_medians(other, one)
    assert (back.ratio, back.low, back.high) == pytest.approx((1 / there.ratio, 1 / there.high, 1 / there.low))


@given(rates, rates, st.sampled_from([0.25, 1024.0]))
def test_the_unit_of_a_rate_does_not_matter(one, other, factor):
    assert ratio_of_medians([factor * value for value in one], [factor * value for value in other]) == ratio_of_medians(
        one, other
    )


@given(rates, rates)
def test_the_interval_lies_within_what_launches_allow(one, other):
    found = ratio_of_medians(one, other)
    assert min(one) / max(other) <= found.low <= found.high <= max(one) / min(other)


def test_launches_that_are_all_alike_have_an_interval_of_one_value():
    found = ratio_of_medians([2.0] * 6, [4.0] * 6)
    assert (found.ratio, found.low, found.high) == (0.5, 0.5, 0.5)


def _ends(values: list[float]) -> tuple[float, float]:
    """Return between which values 95 % of the resampled medians lie."""
    medians, chances = resampled_medians(values)
    order = np.argsort(medians)
    medians, chances = medians[order], np.cumsum(chances[order])
    return float(medians[np.argmax(chances >= 0.025 - 1e-9)]), float(medians[np.argmax(chances >= 0.975 - 1e-9)])


@pytest.mark.parametrize("launches", [9, 15])
def test_of_one_median_the_order_statistics_are_the_bootstrap_s_ends(launches: int) -> None:
    """So throughput needs no bootstrap of its own; of a ratio there are no order statistics."""
    values = np.random.default_rng(1).lognormal(size=launches).tolist()
    interval = median_interval(values)
    assert _ends(values) == (interval.low, interval.high)


def test_with_seven_launches_the_bootstrap_is_too_narrow_and_the_order_statistics_are_not() -> None:
    """Why `perf.statistics` does without it: 88 % where 95 are said."""
    random = np.random.default_rng(2)
    samples = [random.lognormal(size=7).tolist() for _ in range(500)]
    boot = sum(low <= 1 <= high for low, high in map(_ends, samples))
    exact = sum(one.low <= 1 <= one.high for one in map(median_interval, samples))
    assert boot < 0.92 * 500
    assert exact >= 0.97 * 500
