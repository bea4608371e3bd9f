"""The timed region: what is in it, what is beside it, and what is timed apart only where no number is made."""

from __future__ import annotations

import gc
import time

import pytest

from perf.window import run_apart, run_window, settle
from suite.transports.base import State

MS = 1_000_000


class Slow:
    """A transfer whose post and whose completion take known times."""

    def __init__(self, post_ms: float, rest_ms: float, log: list[str]) -> None:
        self._post, self._rest, self._log = post_ms, rest_ms, log

    def post(self) -> State:
        self._log.append("post")
        time.sleep(self._post / 1e3)
        return State.PENDING if self._rest else State.DONE

    def poll(self) -> State:
        self._log.append("poll")
        time.sleep(self._rest / 1e3)
        return State.DONE


@pytest.mark.parametrize("run", [run_window, run_apart])
def test_durations_add_up_and_end_with_the_target_s_word(run):
    log: list[str] = []
    timing = run([Slow(1, 2, log), Slow(2, 0, log)], lambda: (log.append("word"), time.sleep(0.004)))
    assert log == ["post", "poll", "post", "word"], "what is done when posted is not polled"
    first, second = timing.durations_ns
    assert first >= 3 * MS
    assert second >= 2 * MS
    assert timing.delivered_ns - sum(timing.durations_ns) >= 4 * MS
    assert timing.usage["wall_ns"] >= timing.delivered_ns
    assert timing.usage["cpu_ns"] < timing.delivered_ns, "it slept"


def test_only_the_window_without_a_number_times_the_calls_that_post():
    assert run_window([Slow(1, 2, [])], lambda: None).posted_ns == []
    timing = run_apart([Slow(1, 5, []), Slow(3, 0, [])], lambda: None)
    assert len(timing.posted_ns) == 2
    assert MS <= timing.posted_ns[0] <= timing.durations_ns[0] - 5 * MS
    assert 3 * MS <= timing.posted_ns[1] <= timing.durations_ns[1]


@pytest.mark.parametrize("run", [run_window, run_apart])
def test_nothing_is_collected_in_a_window_and_all_is_as_before_after_it(run):
    seen: list[bool] = []

    class Looks(Slow):
        def post(self) -> State:
            seen.append(gc.isenabled())
            return State.DONE

    class Fails(Slow):
        def post(self) -> State:
            raise RuntimeError

    run([Looks(0, 0, [])], lambda: None)
    with pytest.raises(RuntimeError):
        run([Fails(0, 0, [])], lambda: None)
    assert (seen, gc.isenabled()) == ([False], True)


def test_settling_collects_what_would_be_collected_later():
    class Node:
        me: object = None

    node = Node()
    node.me = node
    del node
    settle()
    assert not any(type(one) is Node for one in gc.get_objects())
