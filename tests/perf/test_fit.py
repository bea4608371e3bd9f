"""The fit against scipy as the oracle, on made points whose costs are known, and on points that no line explains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from perf.analysis import summarise
from perf.fit import MIN_SHAPES, _ends, fits, solve
from perf.record import Issue

SHAPES = ((1, 8), (1, 4096), (16, 64 << 20), (512, 64 << 20), (8192, 64 << 20))


def made(record, cost, *, launches=6, shapes=SHAPES, **changes):
    """Return points whose transfers take `cost(n, bytes, launch)` ns."""
    records = []
    for count, nbytes in shapes:
        for launch in range(launches):
            fields = {"descriptors": count, "descriptor_bytes": max(nbytes // count, 1), "posted_descriptors": count,
                      "logical_bytes": nbytes, "padded_bytes": nbytes, "wire_bytes": nbytes,
                      "delivered_ns": [round(4 * cost(count, nbytes, launch))] * 2}  # fmt: skip
            records.append(record(launch, **(fields | changes)))
    return summarise(records)


def test_known_costs_are_found(record):
    """2 us, 50 ns a descriptor, 10 GB/s."""
    [fit] = fits(made(record, lambda n, nbytes, _: 2_000 + 50 * n + nbytes / 10))
    assert fit.fixed_ns.value == pytest.approx(2_000, rel=1e-3)
    assert fit.descriptor_ns.value == pytest.approx(50, rel=1e-2)
    assert 1 / fit.byte_ns.value == pytest.approx(10, rel=1e-3)
    assert fit.holds
    assert fit.worst < 1e-3
    assert (fit.shapes, fit.name) == (5, "nixl:UCX")
    assert fit.predict(100, 1 << 20) == pytest.approx(2_000 + 5_000 + (1 << 20) / 10, rel=1e-3)


def test_intervals_follow_the_launches_and_are_the_same_every_time(record):
    def cost(n, nbytes, launch):
        return (1 + 0.02 * launch) * (2_000 + 50 * n + nbytes / 10)

    [one], [again] = (fits(made(record, cost)) for _ in range(2))
    assert one == again
    assert one.fixed_ns.low < one.fixed_ns.value < one.fixed_ns.high
    assert one.byte_ns.low < one.byte_ns.value < one.byte_ns.high
    assert (one.byte_ns.low, one.byte_ns.high) == pytest.approx((0.1, 0.11), rel=1e-4), "of six, the least and the most"
    assert one.byte_ns.value == pytest.approx(0.105, rel=0.01), "the median of six launches, 0 to 10 % slow"
    [few] = fits(made(record, cost, launches=5))
    assert few.fixed_ns.low is few.byte_ns.high is None


@pytest.mark.parametrize("launches", [6, 9])
@pytest.mark.parametrize(("shared", "own"), [(0.05, 0.05), (0.1, 0.02), (0, 0.1)])
@pytest.mark.parametrize("truth", [(2_000, 50, 0.1), (30_000, 5, 0.2), (2_000, 0, 0.1)])
def test_the_intervals_cover_the_truth_as_often_as_they_say(truth, shared, own, launches):
    """Launches with a factor of their own, and noise of every point; one transport has no cost per descriptor."""
    rng = np.random.default_rng(1)
    shapes = (*SHAPES, (128, 64 << 20))
    costs = np.array([[1.0, n, nbytes] for n, nbytes in shapes])
    covered = np.zeros(3)
    for _ in range(60):
        times = (costs @ truth)[:, None] * rng.lognormal(0, shared, (1, launches))
        times = times * rng.lognormal(0, own, (len(shapes), launches))
        ends = _ends(costs, [dict(enumerate(row)) for row in times], solve(costs, np.median(times, axis=1)))
        covered += [low <= one <= high for one, (low, high) in zip(truth, ends, strict=True)]
    assert (covered >= 0.9 * 60).all(), covered  # 300 runs of each: 95.3 to 99.3 %


def test_a_point_that_no_line_explains_is_refused_and_named(record):
    """A cache: the middle size is four times as fast as the others say."""
    shapes = (*SHAPES, (1, 1 << 20))
    [fit] = fits(
        made(
            record,
            lambda n, nbytes, _: nbytes / 40 if nbytes == 1 << 20 else 2_000 + 50 * n + nbytes / 10,
            shapes=shapes,
        )
    )
    assert not fit.holds
    assert fit.worst > 0.25
    assert fit.worst_point in [one.point for one in fit.points]


def test_small_messages_count_as_much_as_large_ones(record):
    """Without weights 20 ms would drown 2 us, and any fixed cost would do."""
    [fit] = fits(made(record, lambda n, nbytes, _: 2_000 + 50 * n + (1.1 if nbytes > 9_000 else 1) * nbytes / 10))
    assert fit.fixed_ns.value == pytest.approx(2_000, rel=0.05)


@pytest.mark.parametrize("shapes", [SHAPES[: MIN_SHAPES - 1], ((1, 64 << 20),) * 6, ()])
def test_too_few_shapes_are_no_fit(record, shapes):
    assert fits(made(record, lambda *_: 5_000, shapes=shapes)) == []


@pytest.mark.parametrize(
    "changes", [{"emulated": True}, {"verified": False}, {"issues": [Issue(level="INVALID", code="x", message="x")]}, {"status": "failed"}],
)  # fmt: skip
def test_what_is_not_real_and_right_is_not_fitted(record, changes):
    assert fits(made(record, lambda n, nbytes, _: 2_000 + n + nbytes, **changes)) == []


def test_groups_differ_in_transport_op_pattern_memory_and_settings(record):
    points = [one for changes in ({}, {"op": "pull"}, {"pattern": "hot"}, {"transport": "ucx"}, {"settings": {"UCX_TLS": "tcp"}})
              for one in made(record, lambda n, nbytes, _: 2_000 + n + nbytes, **changes)]  # fmt: skip
    found = fits(points)
    assert len(found) == 5
    assert all(
        len({(one.point.op, one.point.pattern, one.point.transport) for one in fit.points}) == 1 for fit in found
    )


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**5), st.integers(8, 10**10), st.floats(1e2, 1e9)), min_size=4, max_size=12))
def test_it_is_the_non_negative_least_squares_of_scipy(rows):
    costs = np.array([[1.0, n, nbytes] for n, nbytes, _ in rows])
    times = np.array([t for *_, t in rows])
    relative = costs / times[:, None]
    x = solve(costs, times)
    scale = np.linalg.norm(relative, axis=0)
    _, residual = nnls(relative / scale, np.ones(len(rows)))
    assert (x >= 0).all()
    assert np.linalg.norm(relative @ x - 1) <= residual * (1 + 1e-6) + 1e-9


def test_many_at_once_are_the_same_as_one_by_one():
    rng = np.random.default_rng(1)
    costs = np.array([[1.0, n, nbytes] for n, nbytes in SHAPES])
    times = rng.uniform(1e3, 1e7, (20, len(SHAPES)))
    together = solve(costs, times)
    assert np.allclose(together, [solve(costs, row) for row in times])


def test_a_cost_is_never_negative():
    """Faster with more descriptors: nothing would explain that but noise, and 0 is the answer."""
    costs = np.array([[1.0, n, 1 << 20] for n in (1, 10, 100, 1000)])
    x = solve(costs, np.array([1000.0, 900.0, 800.0, 100.0]))
    assert (x >= 0).all()
    assert x[1] == 0
