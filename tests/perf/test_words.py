from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from perf.summary import Interval
from perf.words import NONE, carrier, latency, rate, share, what

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf.summary import PointSummary


def test_an_interval_is_a_median_with_its_ends() -> None:
    assert str(rate(Interval(4.9, 4.7, 5.14, 0.961, 9))) == "4.9 [4.7, 5.14]"
    assert str(latency(Interval(1500.0, 990.0, 2e3, 0.961, 9))) == "1.5 us [990 ns, 2 us]"
    assert str(latency(Interval(1500.0, 1200.0, 2e3, 0.961, 9))) == "1.5 us [1.2, 2]"


def test_too_few_launches_give_a_median_alone() -> None:
    assert str(rate(Interval(4.9, None, None, None, 3))) == "4.9"


@pytest.mark.parametrize("median", [float("nan"), float("inf"), None])
def test_what_is_no_number_is_not_printed_as_one(median: float | None) -> None:
    interval = None if median is None else Interval(median, None, None, None, 1)
    assert str(rate(interval)) == str(latency(interval)) == share(median) == NONE


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.0, "0 %"), (0.004, "0.4 %"), (0.83, "83 %"), (1.3, "130 %"), (None, NONE)]
)
def test_a_share_has_as_many_digits_as_it_needs(fraction: float | None, text: str) -> None:
    assert share(fraction) == text


def test_a_point_is_named_by_its_unit_size_pattern_and_settings(summary: Callable[..., PointSummary]) -> None:
    point = summary(transport="ucx", settings={"UCX_TLS": "tcp"}).point
    assert what(point) == "page 64 KiB scattered"
    assert carrier(point) == "ucx (UCX_TLS=tcp)"
    assert what(summary(unit="bytes", workload="bytes").point) == "64 KiB scattered"
