"""The signed-rank test and its interval, against scipy, against plain enumeration, and by what must not matter."""

from __future__ import annotations

from itertools import product
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from perf.ab.signed_rank import exact_p, pairs_needed, shift, smallest_p

different = st.lists(st.integers(-(10**6), 10**6).filter(bool), min_size=1, max_size=20, unique_by=abs)
tied = st.lists(st.integers(-4, 4), min_size=1, max_size=9)


@settings(max_examples=25)
@given(different)
def test_without_ties_it_is_scipys_exact_test(values):
    assert exact_p(values) == pytest.approx(wilcoxon(values, method="exact").pvalue, abs=1e-12)


@settings(max_examples=25)
@given(tied)
def test_with_ties_and_zeros_it_counts_every_choice_of_signs(values):
    ranks = rankdata(np.abs(values))
    kept = [(rank, value > 0) for rank, value in zip(ranks, values, strict=True) if value]
    half = sum(rank for rank, _ in kept) / 2
    off = abs(sum(rank for rank, positive in kept if positive) - half)
    choices = product((0, 1), repeat=len(kept))
    far = [
        abs(sum(rank * sign for (rank, _), sign in zip(kept, signs, strict=True)) - half) >= off - 1e-9
        for signs in choices
    ]
    assert exact_p(values) == pytest.approx(fmean(far))


@settings(max_examples=25)
@given(tied, st.randoms())
def test_neither_order_nor_unit_nor_direction_matters(values, random):
    mixed = random.sample(values, len(values))
    assert exact_p(mixed) == exact_p(values)
    assert exact_p([3 * value for value in values]) == exact_p(values)
    assert exact_p([-value for value in values]) == pytest.approx(exact_p(values))


@settings(max_examples=25)
@given(st.lists(st.floats(-1, 1), min_size=6, max_size=30))
def test_swapping_the_sides_mirrors_the_shift_and_its_interval(values):
    one, other = shift(values), shift([-value for value in values])
    assert (one.middle, one.low, one.high) == pytest.approx((-other.middle, -other.high, -other.low))
    assert one.low <= one.middle <= one.high


@settings(max_examples=25)
@given(st.lists(st.floats(-1, 1), min_size=6, max_size=30), st.floats(-3, 3))
def test_what_all_pairs_differ_by_is_added(values, more):
    one, moved = shift(values), shift([value + more for value in values])
    assert (moved.middle, moved.low, moved.high) == pytest.approx((one.middle + more, one.low + more, one.high + more))


@settings(max_examples=25)
@given(st.lists(st.integers(-(10**6), 10**6), min_size=6, max_size=14, unique=True), st.integers(-(10**6), 10**6))
def test_the_interval_holds_exactly_the_shifts_that_the_test_does_not_reject(values, tried):
    """Where neither ties nor zeros blur it: that is what makes an interval and a p agree."""
    left = [2 * value - (2 * tried + 1) for value in values]  # odd: never zero
    if len({abs(value) for value in left}) < len(left):
        return
    found = shift([2 * value for value in values])
    inside = found.low < 2 * tried + 1 < found.high
    assert inside == (exact_p(left) > 1 - found.confidence + 1e-12) or 2 * tried + 1 in {found.low, found.high}


@pytest.mark.parametrize("pairs", range(6, 30))
def test_the_confidence_is_what_it_says_and_no_wider_than_needed(pairs):
    found = shift([float(value) for value in range(pairs)])
    assert 0.95 <= found.confidence < 0.99


@pytest.mark.parametrize("pairs", [1, 5])
def test_too_few_pairs_have_a_middle_and_no_interval(pairs):
    found = shift([0.25] * pairs)
    assert (found.middle, found.low, found.high, found.confidence) == (0.25, None, None, None)


def test_six_pairs_are_the_fewest_with_an_interval_and_it_is_all_they_span():
    found = shift([3.0, 1.0, 2.0, 6.0, 5.0, 4.0])
    assert (found.low, found.high, found.confidence) == (1.0, 6.0, 0.96875)


def test_without_a_difference_nothing_is_shown():
    assert exact_p([0.0] * 9) == 1.0


@pytest.mark.parametrize(("pairs", "least"), [(5, 0.0625), (8, 0.0078125), (12, 0.00048828125)])
def test_few_pairs_cannot_reach_a_small_p(pairs, least):
    assert smallest_p(pairs) == least == exact_p([1.0 + value for value in range(pairs)])


@pytest.mark.parametrize(("tests", "needed"), [(1, 8), (4, 10), (34, 13)])
def test_how_many_pairs_a_sweep_of_points_needs(tests, needed):
    assert pairs_needed(tests, 0.01) == needed


def test_many_launches_are_counted_too():
    values = np.random.default_rng(1).normal(0.1, 1, 250).tolist()
    assert exact_p(values) == pytest.approx(wilcoxon(values, method="approx").pvalue, rel=0.1)
    found = shift(values)
    assert found.low < 0.1 < found.high
