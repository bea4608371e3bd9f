"""A budget that is too short for six launches of everything: some points of every transport get theirs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from perf.analysis import MIN_LAUNCHES
from perf.budget import Budget, not_reached
from perf.identity import transfer_key
from perf.planning import points, schedule
from perf.sharing import shared_out, within
from perf.spec import load_spec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = load_spec("standard")
PLANNED = points(SPEC)
EVERY = {one.point.transport for one in PLANNED}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def swept(
    budget_s: float | None, *, point_s: float, fixed_s: float = 0.0, launches: int = SPEC.launches
) -> tuple[Counter[int], list[str], float]:
    """Return launches by point, notes and seconds of a sweep whose points each take `point_s`."""
    clock, notes, measured = Clock(), list[str](), Counter[int]()
    left = {launch: list(enumerate(order)) for launch, order in enumerate(schedule(PLANNED, launches, 5))}
    thinned: set[int] = set()
    for launch, order in within(Budget(budget_s, clock), left, PLANNED, launches, note=notes.append, thinned=thinned):
        measured.update(index for _, index in order)
        assert (launch in thinned) == (len(order) < len(PLANNED))
        clock.now += fixed_s + point_s * len(order)
    return measured, notes, clock.now


@pytest.mark.parametrize(("point_s", "fixed_s"), [(2.0, 10), (3.0, 25), (4.0, 30)])
def test_some_points_of_every_transport_get_intervals_on_a_slow_machine(point_s: float, fixed_s: float) -> None:
    measured, notes, took = swept(600, point_s=point_s, fixed_s=fixed_s)
    enough = {index for index, count in measured.items() if count >= MIN_LAUNCHES}
    assert {PLANNED[index].point.transport for index in enough} == EVERY
    assert set(measured) == set(range(len(PLANNED))), "the first launch has every point"
    assert took <= 600
    assert notes[0].startswith(f"6 launches of all {len(PLANNED)} points do not fit into the budget: from launch 2 on ")


def test_where_all_fits_all_is_measured() -> None:
    for budget_s in (None, 600.0):
        measured, notes, _ = swept(budget_s, point_s=0.5, fixed_s=5)
        assert set(measured.values()) == {SPEC.launches}
        assert notes == []
    measured, notes, _ = swept(600, point_s=1.5, fixed_s=5)  # six to eight launches, and not the ninth
    assert MIN_LAUNCHES <= min(measured.values()) == max(measured.values()) < SPEC.launches
    assert notes == []


def test_a_spec_of_a_few_launches_is_not_thinned_out_for_an_interval_that_it_cannot_have() -> None:
    measured, notes, _ = swept(600, point_s=3.5, launches=3)
    assert set(measured.values()) == {3}
    assert notes == []


def test_one_transfer_is_the_least_and_nothing_is_said_of_it() -> None:
    one = [point for point in PLANNED if point.point.op == "handoff"]
    clock, notes = Clock(), list[str]()
    launches = within(Budget(10, clock), {0: [(0, 0)], 1: [(0, 0)]}, one, 9, note=notes.append, thinned=set())
    assert next(launches)
    clock.now = 9
    assert list(launches) == []
    assert notes == []


@pytest.mark.parametrize("most", [0, 1, 5, 12, 30, len(PLANNED)])
def test_whole_transfers_are_chosen_and_first_those_that_bring_every_transport(most: int) -> None:
    chosen = shared_out(PLANNED, most)
    kept = {transfer_key(PLANNED[index].point) for index in chosen}
    assert chosen == {index for index, one in enumerate(PLANNED) if transfer_key(one.point) in kept}
    assert chosen
    assert len(chosen) <= max(most, 5)
    assert {PLANNED[index].point.transport for index in shared_out(PLANNED, 5)} == EVERY
    assert shared_out(PLANNED, len(PLANNED)) == set(range(len(PLANNED)))


def test_what_is_left_then_is_said_by_points(tmp_path: Path) -> None:
    chosen = shared_out(PLANNED, 12)
    rest = [(0, index) for index in range(len(PLANNED)) if index not in chosen]
    missing = dict.fromkeys(range(1, 6), rest) | {launch: [(0, n) for n in range(len(PLANNED))] for launch in (6, 7, 8)}
    first, second = not_reached(missing, PLANNED, 9, tmp_path)
    assert first.endswith(f"launch 7, 8, 9 of 9 and {5 * len(rest)} points of 5 launches that were begun")
    assert second.startswith(f"{len(chosen)} of {len(PLANNED)} points have the 6 launches that an interval needs")
