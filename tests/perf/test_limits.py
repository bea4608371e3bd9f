"""Which ceiling stands beside a point: of its own wire, working set and pages, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf import ceilings
from perf.analysis import summarise
from perf.asides import CeilingRecord
from perf.ceilings import MEMORY_COPY, READ_1, READ_4, TCP_1, TCP_4, WRITE_1, size_class, sizes_beside
from perf.limits import BOTH_WAYS, limits
from perf.record import Evidence, Storage

MIB = 1 << 20


def ceiling(name=MEMORY_COPY, rate=10.0, launch=0, pages="huge", working_set=256 * MIB):
    return CeilingRecord(
        launch=launch,
        name=name,
        gb_per_s=[rate * 0.5, rate, rate * 2],
        nbytes=working_set,
        pages=pages,
        working_set_bytes=working_set,
        detail="made up",
        load_average=0.0,
        started_at="2026-11-24T05:00:00Z",
    )


def share_of(records, *found):
    (summary,) = summarise(records, found)
    return summary.limit


def wire(name):
    return {"evidence": Evidence(wire=name, source="test"), "allocation": "huge"}


def test_a_share_is_of_the_median_of_launches(launches):
    """64 MiB in 12.5 ms a sample are 5.37 GB/s; of a launch's repeats the median counts, of launches the median."""
    share = share_of(
        launches(**wire("cma")), *(ceiling(rate=rate, launch=n) for n, rate in enumerate((8.0, 10.0, 30.0)))
    )
    assert share
    assert share.name == MEMORY_COPY
    assert share.gb_per_s == 10.0
    assert share.fraction == pytest.approx(4 * 64 * MIB * 2 / 100e6 / 10, rel=1e-3)


@pytest.mark.parametrize(
    "other",
    [
        {"pages": "4k"},
        {"working_set": 128 * MIB},
        {"working_set": 512 * MIB},
        {"name": TCP_1},
        {"name": READ_1, "pages": "direct"},
    ],
)
def test_a_ceiling_of_something_else_is_not_shown(launches, other):
    assert share_of(launches(**wire("cma")), ceiling(**other)) is None


def test_the_best_of_the_ceilings_that_apply_counts(launches):
    share = share_of(launches(**wire("tcp")), ceiling(TCP_1, 3.0), ceiling(TCP_4, 2.0), ceiling(rate=50.0))
    assert share
    assert (share.name, share.gb_per_s) == (TCP_1, 3.0)


@pytest.mark.parametrize("unknown", ["unknown", "cuda_ipc", "gds", "rc_mlx5"])
def test_a_wire_without_a_ceiling_has_no_share(launches, unknown):
    assert share_of(launches(**wire(unknown)), ceiling(), ceiling(TCP_1)) is None


def test_two_wires_have_no_share(launches):
    records = [*launches(5, **wire("cma")), *launches(6, **wire("tcp"))[5:]]
    assert share_of(records, ceiling(), ceiling(TCP_1)) is None


def test_emulated_points_have_no_share(launches):
    assert share_of(launches(emulated=True, **wire("cma")), ceiling()) is None


def test_padding_is_not_held_against_the_wire(launches):
    plain = share_of(launches(**wire("cma")), ceiling())
    padded = share_of(launches(wire_bytes=128 * MIB, **wire("cma")), ceiling())
    assert plain
    assert padded
    assert padded.fraction == pytest.approx(2 * plain.fraction)


def test_a_handoff_stores_then_fetches(launches):
    storage = Storage(filesystem="ext4", io="direct")
    records = launches(op="handoff", storage=storage, **wire("posix aio, direct"))
    direct = [ceiling(name, rate, pages="direct", working_set=512 * MIB)
              for name, rate in ((WRITE_1, 2.0), (READ_1, 1.0), (READ_4, 3.0))]  # fmt: skip
    share = share_of(records, *direct)
    assert share
    assert share.name == BOTH_WAYS
    assert share.gb_per_s == pytest.approx(1 / (1 / 2 + 1 / 3))
    assert share_of(records, *direct[1:]) is None  # half of the way says nothing of the whole


def test_a_launch_that_was_measured_twice_counts_once():
    (limit,) = limits([ceiling(rate=8.0), ceiling(rate=10.0), ceiling(rate=12.0, launch=1)])
    assert limit.rate.launches == 2
    assert limit.rate.median == 11.0


@given(st.integers(0, 1 << 40))
def test_a_class_holds_its_working_sets(nbytes):
    size = size_class(nbytes)
    assert size >= max(nbytes, 1 << 20)
    assert size < 2 * max(nbytes, 1 << 20)
    assert size_class(size) == size


def test_of_many_working_sets_the_largest_have_ceilings():
    sizes = sizes_beside([8, 8000, 3 * MIB, *(2**power for power in range(20, 30))])
    assert len(sizes) == ceilings._MOST_SIZES
    assert sizes[-1] == 1 << 29
