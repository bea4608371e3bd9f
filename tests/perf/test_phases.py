"""Phases: once per point, or shared out over every transfer that they add up over."""

from __future__ import annotations

from dataclasses import replace

from perf.percentiles import Range
from perf.phases import phases
from perf.repetition import repetition


def reps(record, *seen):
    return [repetition(record(launch, phases_ns=found)) for launch, found in enumerate(seen)]


def test_setup_is_once_and_in_the_order_of_a_point_s_life(record):
    found = phases(reps(record, {"close": 1, "prepare": 4, "open": 9}, {"open": 11, "close": 3, "prepare": 6}))
    assert list(found.setup) == ["open", "prepare", "close"]
    assert found.setup["open"] == Range(10.0, 9.0, 11.0, 2)
    assert found.setup_ns == 10 + 5 + 2


def test_a_transfer_s_phases_are_shared_out_over_all_its_posts(record):
    """Two windows and a warm-up of four samples: twelve posts."""
    found = phases(reps(record, {"send": 1_200, "gather": 2_400, "scatter": 12}))
    assert list(found.transfer) == ["gather", "send", "scatter"]
    assert (found.transfer["gather"].median, found.transfer["send"].median, found.transfer["scatter"].median) == (
        200,
        100,
        1,
    )


def test_what_is_not_there_is_not_zero(record):
    found = phases(reps(record, {"open": 5}))
    assert list(found.setup) == ["open"]
    assert found.transfer == {}
    assert found.first_transfer is None
    assert phases([]).setup == {}


def test_a_phase_that_some_launches_have_is_told_by_those(record):
    found = phases(reps(record, {"open": 5}, {"open": 7, "connect": 3}))
    assert found.setup["connect"] == Range(3.0, 3.0, 3.0, 1)


def test_the_first_transfer_is_no_setup_and_no_average(record):
    found = phases(reps(record, {"first_transfer": 900, "open": 1}))
    assert found.first_transfer == Range(900.0, 900.0, 900.0, 1)
    assert found.setup_ns == 1
    assert found.transfer == {}


def test_a_stranger_s_phase_comes_last(record):
    found = phases(reps(record, {"warp": 120, "gather": 12}))
    assert list(found.transfer) == ["gather", "warp"]
    assert found.transfer["warp"].median == 10


def test_a_launch_without_posts_has_no_share(record):
    [one] = reps(record, {"gather": 12})
    assert phases([replace(one, posts=0)]).transfer == {}


def test_the_first_transfer_is_compared_with_its_own_launch(record):
    """12 ms is the median of both launches; medians of all launches would hide which first met which machine."""
    found = phases(reps(record, {"first_transfer": 24_000_000}, {"first_transfer": 36_000_000}))
    assert found.first_times.median == 2.5
    assert phases(reps(record, {"open": 1})).first_times is None


def test_where_the_time_of_a_transfer_goes_is_a_median_over_launches(record):
    found = phases(
        [replace(one, split_ns={"post": 1.0 + one.launch, "notification": 4.0}) for one in reps(record, {}, {})]
    )
    assert list(found.split) == ["post", "notification"]
    assert found.split["post"] == Range(1.5, 1.0, 2.0, 2)
