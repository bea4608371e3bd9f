"""What a meeting must do, and the faulty ones that are found out."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from suite.errors import KvgaugeError
from tests.suite.cluster.meeting.checks import CHECKS
from tests.suite.cluster.meeting.together import in_time
from tests.suite.cluster.meeting.traffic import traffic_of
from tests.suite.cluster.meeting.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Coroutine

QUICK = (
    "ranks_meet_and_are_answered",
    "a_rank_of_another_version",
    "a_rank_comes_twice",
    "another_run_is_refused",
    "a_rank_that_is_cut_off",
    "what_a_dead_rank_finished_is_kept",
    "rank_0_is_excused_for_nothing_but_its_own_sleep",
)


def some_deep(names: object, quick: tuple[str, ...]) -> list[object]:
    return [pytest.param(name, marks=[] if name in quick else [pytest.mark.deep]) for name in names]  # type: ignore[attr-defined]  any iterable of names


def run(course: Coroutine[Any, Any, Any]) -> Any:
    """Run in a thread of its own: browser tests of the same process leave an event loop running in the main one."""
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(asyncio.run, course).result()


@pytest.mark.parametrize("name", some_deep(CHECKS, QUICK))
def test_it_holds(name: str) -> None:
    run(in_time(CHECKS[name]()))


FAULTS = (AssertionError, pytest.fail.Exception, TimeoutError, KvgaugeError)


@pytest.mark.deep
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # what it left open
@pytest.mark.parametrize("name", VARIANTS)
def test_a_faulty_variant_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, check = VARIANTS[name]
    patch(monkeypatch)
    with pytest.raises(FAULTS):
        run(asyncio.wait_for(CHECKS[check](), 1.2))
    gc.collect()  # here, where warnings of what it left open are ignored, and not in a test that comes later


@pytest.mark.deep
def test_a_thousand_ranks_cost_a_hundred_times_ten() -> None:
    """Messages exactly; bytes but for the digits of larger numbers."""
    few, many = run(traffic_of(10)), run(traffic_of(1000))
    assert many[0] == 100 * few[0]
    assert many[1] == pytest.approx(100 * few[1], rel=0.02)
