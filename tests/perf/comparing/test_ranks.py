"""The exact test beside scipy's, and what scipy leaves out: ties."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, mannwhitneyu

from perf.comparing.ranks import at_most, exact_p, false_discovery, launches_needed, smallest_p

few = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=18, unique=True), st.data())
def test_without_ties_it_is_scipys_exact_test(values, data):
    cut = data.draw(st.integers(1, len(values) - 1))
    one, other = values[:cut], values[cut:]
    assert exact_p(one, other) == pytest.approx(mannwhitneyu(one, other, method="exact").pvalue, abs=1e-12)


@given(few, few)
def test_with_ties_it_counts_every_way_to_share_the_values_out(one, other):
    pooled = one + other
    ranks = [
        fmean(place + 1 for place, sorted_value in enumerate(sorted(pooled)) if sorted_value == value)
        for value in pooled
    ]
    middle = len(one) * (len(pooled) + 1) / 2
    off = abs(sum(ranks[: len(one)]) - middle)
    ways = [abs(sum(chosen) - middle) >= off - 1e-9 for chosen in combinations(ranks, len(one))]
    assert exact_p(one, other) == pytest.approx(fmean(ways))


@given(few, few)
def test_it_is_the_same_from_either_side_and_in_any_unit(one, other):
    assert exact_p(one, other) == pytest.approx(exact_p(other, one))
    assert exact_p([8 * value for value in one], [8 * value for value in other]) == exact_p(one, other)


def test_equal_launches_and_no_launches_show_nothing():
    assert exact_p([5.0] * 9, [5.0] * 9) == 1.0
    assert exact_p([], [5.0]) == 1.0


@pytest.mark.parametrize(("launches", "least"), [(3, 0.1), (4, 0.0286), (5, 0.00794), (6, 0.00216), (9, 4.11e-5)])
def test_few_launches_cannot_reach_a_small_p(launches, least):
    apart = [float(value) for value in range(launches)]
    assert smallest_p(launches, launches) == pytest.approx(least, rel=1e-2)
    assert exact_p(apart, [value + 100 for value in apart]) == pytest.approx(smallest_p(launches, launches))


@pytest.mark.parametrize(("tests", "needed"), [(1, 4), (6, 5), (7, 6), (23, 6), (24, 7), (1215, 9)])
def test_how_many_launches_a_sweep_of_points_needs(tests, needed):
    assert launches_needed(tests, 0.05) == needed


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_false_discovery_adjustment_is_scipys(p_values):
    assert false_discovery(p_values) == pytest.approx(false_discovery_control(p_values))


def test_very_many_launches_are_thinned_evenly_to_both_ends():
    kept = at_most([float(value) for value in range(1_000)])
    assert len(kept) == 49
    assert (kept[0], kept[-1]) == (0.0, 999.0)
    assert kept == sorted(kept)
