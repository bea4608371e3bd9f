"""One point against another: paired by launch, never by chance of order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perf.analysis import summarise
from perf.ratio import apart, band, ratio


def pair(launches, ours, theirs):
    """Return two points whose launch k takes the k-th of `ours` and `theirs` ms."""
    records = [
        record.model_copy(update={"launch": launch})
        for name, times in (("nixl:UCX", ours), ("copy", theirs))
        for launch, took in enumerate(times)
        for record in launches(1, took, transport=name)
    ]
    found = {one.point.transport: one for one in summarise(records)}
    return found["nixl:UCX"], found["copy"]


def test_launches_are_paired_by_their_number(launches):
    """The machine was ten times slower in half of the launches: the medians differ wildly, the ratio not at all."""
    one, other = pair(launches, [10, 100, 10, 100, 10, 100], [20, 200, 20, 200, 20, 200])
    found = ratio(one, other)
    assert (found.median, found.low, found.high) == (pytest.approx(2), pytest.approx(2), pytest.approx(2))
    assert found.launches == 6
    assert found.confidence == pytest.approx(0.969, abs=1e-3)


def test_the_order_of_records_changes_nothing(launches):
    one, other = pair(launches, [10, 20, 30], [30, 20, 10])
    shuffled = replace(other, repetitions=other.repetitions[::-1])
    assert ratio(one, shuffled) == ratio(one, other)
    assert ratio(one, other).median == pytest.approx(1.0)


def test_launches_that_only_one_has_are_no_pairs(launches):
    one, other = pair(launches, [10] * 6, [10, 20])
    assert ratio(one, other).launches == 2
    assert ratio(one, other).low is None


def test_without_a_pair_the_medians_are_divided_and_no_interval_is_given(launches):
    one, other = pair(launches, [10], [30])
    bare = ratio(replace(one, repetitions=()), other)
    assert (bare.median, bare.low, bare.launches) == (pytest.approx(3.0), None, 0)
    assert ratio(replace(one, throughput=None, repetitions=()), other) is None
    assert ratio(one, replace(other, throughput=None, repetitions=())) is None


def test_a_band_is_where_the_launches_lay(launches):
    _, other = pair(launches, [10] * 3, [8, 10, 16])
    least, most = band(other)
    assert (least, most) == (pytest.approx(10 / 16), pytest.approx(10 / 8))
    assert band(replace(other, repetitions=other.repetitions[:1])) is None


def test_intervals_must_exist_and_not_touch_to_be_apart(launches):
    one, other = pair(launches, [10] * 6, [20] * 6)
    assert apart(other, one)
    assert not apart(one, other)
    assert not apart(one, one)
    few, fewer = pair(launches, [10] * 3, [20] * 3)
    assert not apart(fewer, few)
