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
