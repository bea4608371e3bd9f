"""Turns of A and B: complete, side by side, fair, and the same whenever they are asked for."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from perf.ab.interleaving import in_turns, orders, side_by_side
from perf.ab.sides import Side, doubled
from perf.ab.variants import NAMES, parse
from perf.planning import points, schedule
from perf.setups import by_setup
from perf.sharing import shared_out
from perf.spec import check_spec

KV = {"model": "llama-3.1-8b", "tokens": 64, "transports": ["nixl:UCX", "ucx"], "ops": ["push", "pull"],
      "units": ["block", "page"], "patterns": ["scattered"], "samples": 2}  # fmt: skip
PLAIN = points(check_spec({"launches": 2, "kv": [KV]}, source="test"))
BOTH = doubled(PLAIN, [Side(parse(name, "default")) for name in NAMES])
COUNT = len(PLAIN)

seeds = st.integers(0, 2**31 - 1)


def test_a_sweep_without_variants_keeps_the_schedule_that_it_had():
    assert orders(PLAIN, 5, 7) == schedule(PLAIN, 5, 7)


@settings(max_examples=25)
@given(seeds, st.integers(1, 7))
def test_every_launch_has_every_point_of_both_sides_one_right_after_the_other(seed, launches):
    for order in orders(BOTH, launches, seed):
        assert sorted(order) == list(range(2 * COUNT))
        for first, second in zip(order[::2], order[1::2], strict=True):
            assert abs(first - second) == COUNT


@settings(max_examples=25)
@given(seeds)
def test_of_two_successive_launches_each_side_goes_first_in_one(seed):
    for one, other in zip(orders(BOTH, 8, seed)[::2], orders(BOTH, 8, seed)[1::2], strict=True):
        assert sorted(first % COUNT for first in one[::2]) == list(range(COUNT))
        assert set(one[::2]).isdisjoint(other[::2])


def test_who_goes_first_is_drawn():
    firsts = Counter(first < COUNT for seed in range(50) for first in orders(BOTH, 1, seed)[0][::2])
    assert 0.35 < firsts[True] / firsts.total() < 0.65


@settings(max_examples=25)
@given(seeds)
def test_more_launches_do_not_change_those_there_were(seed):
    assert orders(BOTH, 9, seed)[:4] == orders(BOTH, 4, seed)


def test_both_sides_of_a_setup_are_measured_together_and_setups_apart():
    order = list(enumerate(orders(BOTH, 1, 3)[0]))
    groups = side_by_side(by_setup(BOTH, order))
    assert len(groups) == 2  # UCXX may not share a process with NIXL
    for group in groups:
        assert sorted(setup.variant for setup, _ in group) == ["A", "B"]
        assert len({setup.transport for setup, _ in group}) == 1
        assert len({len(points) for _, points in group}) == 1


def test_turns_follow_the_order_and_every_side_is_ended():
    ended = []

    def records(side, count):
        try:
            for number in range(count):
                yield f"{side}{number}"
        finally:
            ended.append(side)

    measuring = {"A": records("A", 3), "B": records("B", 2)}
    assert list(in_turns(measuring, "BAAB")) == ["B0", "A0", "A1", "B1", "A2"]
    assert sorted(ended) == ["A", "B"]

    cut = in_turns({"A": records("A", 3), "B": records("B", 2)}, "ABAB")
    next(cut)
    next(cut)
    ended.clear()
    cut.close()
    assert sorted(ended) == ["A", "B"]


def test_a_budget_never_leaves_one_side_of_a_point_out():
    for most in range(1, 2 * COUNT + 1):
        chosen = shared_out(BOTH, most)
        assert {(index + COUNT) % (2 * COUNT) for index in chosen} == chosen
