"""The script that puts the gate to the test: what it plants is planted, what it draws is a thing against itself, what it counts is right."""

from __future__ import annotations

import time

import numpy as np
import pytest

from perf.ab.against import Row, against
from perf.bench.gate_trial import Line, _apart, _planted, _real
from perf.bench.servers import Slowed
from perf.bench.trials import Pool, Trial, differ, first_shown
from suite.transports.base import State


class Takes:
    """A transfer that is done after a few looks."""

    posted_descriptors = 3

    def __init__(self, looks):
        self._looks = looks

    def post(self):
        return self.poll()

    def poll(self):
        time.sleep(0.002)
        self._looks -= 1
        return State.DONE if self._looks <= 0 else State.PENDING


@pytest.mark.parametrize("looks", [1, 4])
def test_a_slowed_transfer_takes_its_share_longer_whether_it_is_done_at_once_or_later(looks):
    slowed = Slowed(Takes(looks), 0.5)
    begun = time.perf_counter_ns()
    state = slowed.post()
    while state is not State.DONE:
        state = slowed.poll()
    assert time.perf_counter_ns() - begun >= 1.5 * looks * 2_000_000
    assert slowed.posted_descriptors == 3


def row(verdict_ratios):
    return Row("what", "by", 1.0, 1.0, tuple(verdict_ratios), None, "", (), control=False, point=None)


def trial(path, rows):
    return Trial(path, tuple(rows), 0.1)


@pytest.fixture
def trials(ab_run, twins):
    """Return A/A trials whose machine is another one each time, and one with a planted slowdown."""
    same = [twins(launches=12) for _ in range(3)]
    paths = [ab_run(records, f"same-{number}", started_at=str(number)) for number, records in enumerate(same)]
    slower = ab_run(twins(1.1), "slower")
    return [trial(path, against(path).rows) for path in paths], [trial(slower, against(slower).rows)]


def test_trials_are_counted_by_what_the_gate_would_do(trials):
    same, slower = trials
    assert [one.alarmed for one in same] == [False] * 3
    assert [one.fails for one in (*same, *slower)] == [False] * 3 + [True]
    assert next(_real(same)) == Line("same code, real: runs with an alarm", "0 of 3", "none", met=True)
    assert next(_real([*same, *slower])).met is False
    assert next(_planted(slower)).found == "1 of 1 runs, 1 of 1 points"
    assert next(_planted(same)).met is False


def test_two_runs_apart_are_the_a_sides_of_two_runs(trials, ab_run, twins):
    same, _ = trials
    [line] = _apart(same, 0.21)
    assert (line.found, line.met) == ("0 of 3", True)
    fast = [one.model_copy(update={"delivered_ns": [time // 9 for time in one.delivered_ns]}) for one in twins()]
    other = ab_run(fast, "fast", started_at="later")
    assert differ(same[0].path, other, 0.21)


def test_a_planted_slowdown_is_found_from_some_launch_on():
    noisy = np.random.default_rng(3).lognormal(0, 0.02, 30)
    shown = first_shown([row(0.95 * noisy)])
    assert 8 <= shown <= 20
    assert first_shown([row(noisy)]) is None
    assert first_shown([]) is None


def test_drawn_launches_raise_few_alarms_and_find_what_is_planted():
    logs = np.random.default_rng(5).normal(0.01, 0.05, (100, 2))
    pool = Pool(logs)
    assert pool.alarms(200, 10, seed=1) <= 4
    assert pool.launches_for(0.30, seed=1) == 8  # fewer cannot show anything
    needed = pool.launches_for(0.05, seed=1)
    assert 12 <= needed <= 45
    assert pool.launches_for(0.001, seed=1, tries=5) is None
