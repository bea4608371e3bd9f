from __future__ import annotations

import math

import pytest

from perf.record import Issue, Storage
from perf.summary import Interval
from reports.comparison.ratio import ratio, relation

WRONG = Issue(level="INVALID", code="wrong-bytes", message="wrong")


def span(low, high):
    return Interval((low + high) / 2, low, high, 0.97, 6)


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        (span(4.0, 5.0), span(4.9, 6.0), "overlap"),
        (span(4.0, 5.0), span(5.0, 6.0), "overlap"),  # they touch
        (span(4.9, 5.1), span(5.9, 6.1), "within"),  # 1.2 times
        (span(4.9, 5.1), span(6.0, 6.2), "beyond"),  # 1.22 times
        (span(6.0, 6.2), span(4.9, 5.1), "beyond"),  # the same, seen from the other
        (span(4.9, 5.1), Interval(6.0, None, None, None, 2), "unknown"),
        (span(4.9, 5.1), Interval(6.0, math.nan, 7.0, 0.97, 6), "unknown"),
    ],
)
def test_nothing_is_claimed_but_what_intervals_show(first, other, expected):
    assert relation(first, other) == expected


def test_a_ratio_is_median_by_median(summary, interval):
    found = ratio(summary(throughput=interval(4.0)), summary(throughput=interval(5.0)), "a")
    assert (found.value, found.text, found.refused) == (1.25, "1.25 \N{MULTIPLICATION SIGN}", "")


ONE = Storage(filesystem="ext4", io="direct", cached_before=[0], cached_after=[0])
FILES = [ONE.model_copy(update=change) for change in ({"io": "buffered"}, {"filesystem": "xfs"}, {"cached_after": [9]})]


@pytest.mark.parametrize(
    ("before", "changes", "word"),
    [
        ({}, {"emulated": True}, "emulated beside real"),
        ({"emulated": True}, {}, "emulated beside real"),
        ({"emulated": True}, {"emulated": True}, "emulated: no rate"),
        ({}, {"issues": (WRONG,)}, "invalid, not counted"),
        ({"issues": (WRONG,)}, {}, "invalid in a"),
        ({}, {"launches": 0, "throughput": None}, "no launch counts"),
        ({}, {"throughput": None}, "no rate"),
        ({}, {"throughput": Interval(math.inf, None, None, None, 1)}, "no rate"),
        ({"throughput": Interval(0.0, None, None, None, 1)}, {}, "no rate"),
        ({"throughput": Interval(1e-300, None, None, None, 1)}, {}, "no such ratio"),
        ({}, {"working_set_bytes": 4096}, "unlike memory: a had 128 MiB in 4k pages"),
        ({}, {"allocation": "huge"}, "unlike memory"),
        ({}, {"logical_bytes": 1 << 10}, "another size of transfer"),
        *(({"storage": ONE}, {"storage": file}, word) for file, word in zip(FILES, ("unlike file: ext4, direct",) * 2 + ("page cache",), strict=True)),
    ],
)  # fmt: skip
def test_unlike_things_have_no_ratio_and_a_reason(summary, before, changes, word):
    found = ratio(summary(op="handoff", **before), summary(op="handoff", **changes), "a")
    assert found.value is None
    assert found.text == found.words == ""
    assert word in found.refused


def test_what_the_first_run_lacks_has_no_ratio(summary):
    assert ratio(None, summary(), "a").refused == "not measured in a"


def test_another_wire_or_merge_is_named_beside_the_ratio(summary):
    found = ratio(summary(), summary(wires=("tcp",), posted_descriptors=3, wire_bytes=1 << 30), "a")
    assert found.value == 1.0
    assert [remark.split(":")[0] for remark in found.remarks] == [
        "other wire",
        "32 MiB on the wire before, 1 GiB here",
        "512 descriptors posted before, 3 here",
    ]
