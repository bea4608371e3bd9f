"""Verdicts of A/B: what is claimed, what is not, and what would decide."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.ab.judge import judge, launches_for

JITTER = (-0.004, 0.003, -0.001, 0.002, 0.0, -0.003, 0.004, 0.001, -0.002, 0.0015, -0.0015, 0.0025)


def pairs(ratio, spread=1.0, launches=12, drift=0.5):
    """Return launches of a machine that becomes faster all the time: A and B share it, and differ by `ratio`."""
    places = [(1 + drift * launch, JITTER[launch % 12] * spread) for launch in range(launches)]
    return [(speed, speed * ratio * (1 + jitter)) for speed, jitter in places]


def told(*points, **options):
    return [one.verdict for one in judge(points, **options)]


def test_a_small_difference_is_claimed_although_the_machine_changed_sixfold():
    [one] = judge([pairs(0.95)])
    assert one.verdict == "slower"
    assert one.ratio == pytest.approx(0.95, rel=0.002)
    assert one.low < 0.95 < one.high
    assert one.decide == ""
    assert told(pairs(1.05)) == ["faster"]


def test_within_what_matters_it_is_the_same_even_if_it_is_shown():
    [one] = judge([pairs(0.99)])
    assert (one.verdict, one.decide) == ("same", "")
    assert one.q < 0.01
    assert told(pairs(0.99), matters=0.003) == ["slower"]


def test_a_thing_against_itself_is_the_same_or_within_noise():
    assert told(pairs(1.0)) == ["same"]
    [noisy] = judge([pairs(1.0, spread=30)])
    assert noisy.verdict == "within noise"
    assert "up to" in noisy.why
    assert re.fullmatch(r"about \d+ launches|more than 200 launches.*", noisy.decide)


def test_what_leans_without_being_shown_is_inconclusive_and_says_how_many_launches_would_show_it():
    [one] = judge([pairs(0.93, spread=60)])
    assert one.verdict == "inconclusive"
    assert "slower" in one.why
    needed = int(re.search(r"about (\d+)", one.decide)[1])
    assert 12 < needed < 200
    assert told(pairs(0.93, spread=60, launches=2 * needed)) == ["slower"]


@pytest.mark.parametrize("launches", range(1, 8))
def test_fewer_than_eight_launches_claim_nothing_and_say_how_many_are_needed(launches):
    one, *_ = judge([pairs(0.1, launches=launches)] * 3)
    assert one.verdict == "inconclusive"
    assert "fewer than 8" in one.why
    assert one.decide == "10 launches: with them one point among 3 can be found to differ"


def test_one_point_of_many_needs_more_launches_than_one_alone():
    same = pairs(1.0, spread=20)
    assert told(pairs(0.5, launches=8)) == ["slower"]
    assert told(pairs(0.5, launches=8), *[same] * 30)[0] == "inconclusive"
    enough = launches_for(31)
    assert told(pairs(0.5, launches=enough), *[same] * 30)[0] == "slower"


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=20))
def test_swapping_a_and_b_inverts_everything(launches):
    opposite = {"faster": "slower", "slower": "faster"}
    [one], [other] = judge([launches]), judge([[(b, a) for a, b in launches]])
    assert other.verdict == opposite.get(one.verdict, one.verdict)
    assert other.ratio == pytest.approx(1 / one.ratio)
    if one.low is not None:
        assert (other.low, other.high) == pytest.approx((1 / one.high, 1 / one.low))
    assert other.q == pytest.approx(one.q)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=1, max_size=20),
    st.integers(-10, 10),
    st.randoms(),
)
def test_neither_the_unit_nor_the_order_of_launches_matters(launches, power, random):
    scaled = [(a * 2.0**power, b * 2.0**power) for a, b in random.sample(launches, len(launches))]
    one, other = judge([launches]) + judge([scaled])
    assert (one.verdict, one.launches) == (other.verdict, other.launches)
    assert (one.ratio, one.p) == pytest.approx((other.ratio, other.p))


def test_a_thing_against_itself_raises_an_alarm_in_at_most_one_of_a_hundred_comparisons():
    """200 comparisons of 8 points, whose launches share half of their noise; three are allowed by chance."""
    random = np.random.default_rng(20261124)
    alarms = 0
    for _ in range(200):
        shared = random.lognormal(0, 0.1, (1, 12, 2))
        own = random.lognormal(0, 0.1, (8, 12, 2))
        alarms += bool({"faster", "slower"} & set(told(*(shared * own).tolist())))
    assert alarms <= 3


def test_an_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(7)
    found = [
        judge([np.stack([np.ones(12), 0.9 * random.lognormal(0, 0.05, 12)], axis=1).tolist()])[0] for _ in range(400)
    ]
    assert 0.92 < np.mean([one.low <= 0.9 <= one.high for one in found]) < 0.99
