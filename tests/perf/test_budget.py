"""A sweep that may take so long and no longer, and what it would measure."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from perf import resources, sweep
from perf.budget import Budget, not_reached
from perf.commands import sweep as command
from perf.outline import outline
from perf.planning import points
from perf.progress import Silent
from perf.reading import read_records
from perf.spec import load_spec
from suite.errors import BadInput, Missing
from suite.run import manifest
from suite.run.folder import create
from suite.transports import base
from suite.units import parse_seconds
from tests.perf.test_sweep import CACHE, small

if TYPE_CHECKING:
    from pathlib import Path

needs_copy = pytest.mark.skipif(bool(base.load("copy").missing()), reason="this machine does not let processes copy")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_launch_is_begun_only_if_the_longest_so_far_would_fit() -> None:
    clock = Clock()
    budget = Budget(60, clock)
    for took in (20, 25):
        assert budget.launch()
        clock.now += took
        budget.launched()
    assert not budget.over
    assert not budget.launch(), "45 s are over, and a launch has taken 25"
    clock.now += 15
    assert budget.over


def test_the_first_launch_is_always_begun_and_without_a_budget_all_are() -> None:
    clock = Clock()
    assert Budget(0.001, clock).launch()
    endless = Budget(None, clock)
    for _ in range(3):
        assert endless.launch()
        clock.now += 1e6
        endless.launched()
    assert not endless.over


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("10 min", 600), ("1.5h", 5400)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0", "0m", "-5s", "1d", "1e9", "5m30s", "\u0665m", "9" * 30])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a duration"):
        parse_seconds(text)


class Keeps(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class Slow(Keeps):
    """Takes a while over each point, outside of its windows."""

    def measured(self, record: object) -> None:
        assert record
        time.sleep(0.4)


@needs_copy
@pytest.mark.deep
def test_a_budget_ends_a_sweep_between_points_and_a_resume_goes_on(tmp_path: Path) -> None:
    """The first launch is cut by the end of the time; nothing that was measured is lost or measured again."""
    spec, run, told = small(launches=3, transports=["copy"]), create(tmp_path / "run"), Slow()
    sweep.measure(spec, run, sweep.Options(seed=5, budget_s=0.2), told)
    first, _ = read_records(run.samples)
    planned = len(points(spec))
    assert len(first) == 1 < planned
    assert told.notes == [
        f"the budget is over; not reached: launch 2, 3 of 3 and {planned - 1} points of a launch that was begun",
        f"not one launch fits: the time was enough for {1 / planned:.0%} of its points",
    ]
    assert manifest.read(run.manifest)["complete"] is False
    _, options, folder = sweep.resumed(run.path)
    assert options.budget_s is None
    sweep.measure(spec, folder, options, Keeps())
    records, _ = read_records(run.samples)
    assert len(records) == 3 * planned
    assert records[0] == first[0]
    assert manifest.read(run.manifest)["complete"] is True


@needs_copy
@pytest.mark.deep
def test_a_launch_that_would_not_end_in_time_is_not_begun(tmp_path: Path) -> None:
    # one point: of more, some would be left out so that the others have enough launches (test_sharing.py)
    spec, run, told = (
        small(launches=50, kv=[CACHE | {"transports": ["copy"], "ops": ["push"]}]),
        create(tmp_path / "run"),
        Slow(),
    )
    sweep.measure(spec, run, sweep.Options(seed=5, budget_s=8), told)
    records, _ = read_records(run.samples)
    launches, left = divmod(len(records), len(points(spec)))
    assert left == 0, "a launch was cut"
    assert 1 <= launches < 50
    assert told.notes[0].startswith(f"the budget is over; not reached: launch {launches + 1}, ")


def test_what_a_budget_left_out_is_said_with_what_it_means(tmp_path: Path) -> None:
    """Of a launch that was cut: which transports were never reached; of a few launches: that there is no interval."""
    planned = points(load_spec("standard"))
    others = [index for index, one in enumerate(planned) if one.point.transport not in {"nixl:UCX", "copy"}]
    cut = {0: [(0, index) for index in others]} | {launch: [(0, n) for n in range(len(planned))] for launch in (1, 2)}
    told = list(not_reached(cut, planned, 9, tmp_path / "a run"))
    assert told[0].endswith(f"not reached: launch 2, 3 of 9 and {len(others)} points of a launch that was begun")
    assert len(told) == 1, "every point has six launches: of the three that are missing some are whole"
    assert list(not_reached({}, planned, 9, tmp_path)) == []
    every = {launch: [(0, n) for n in range(len(planned))] for launch in range(1, 9)}
    told = list(not_reached({0: cut[0]} | every, planned, 9, tmp_path / "a run"))
    assert "for none of mooncake:tcp, nixl:POSIX, ucx" in told[1]
    assert told[2].startswith(
        f"0 of {len(planned)} points have the 6 launches that an interval needs; for the others: "
    )
    assert "kvgauge sweep --resume '" in told[2]
    told = list(not_reached(dict.fromkeys((7, 8), every[1]), planned, 9, tmp_path))
    assert told == ["the budget is over; not reached: launch 8, 9 of 9"], "seven launches are enough"


def test_the_preset_of_a_standard_sweep_has_four_transports_that_need_no_gpu() -> None:
    spec = load_spec("standard")
    planned = points(spec)
    names = {one.point.transport for one in planned}
    assert names >= {"nixl:UCX", "ucx", "mooncake:tcp", "copy"}
    assert {one.point.source for one in planned} | {one.point.destination for one in planned} == {"host"}
    assert set(spec.optional) < names, "NIXL over UCX is not optional"
    assert "ucx" not in spec.carried_by(["ucx"]).optional, "what settings select must be there"


def test_what_a_spec_calls_optional_is_left_out_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = points(load_spec("standard"))

    class Absent:
        def missing(self, environment: object) -> str:
            assert environment is not None
            return "no such library"

    load = base.load
    monkeypatch.setattr(base, "load", lambda name: Absent() if name == "ucx" else load(name))
    runnable, notes = resources._runnable(planned, {}, ["ucx"], [])
    assert {one.point.transport for one in planned} - {one.point.transport for one in runnable} == {"ucx"}
    assert notes == ["left out, as the spec allows: ucx cannot run here: no such library"]
    with pytest.raises(Missing, match="ucx cannot run here: no such library"):
        resources._runnable(planned, {}, [], [])
    only = [one for one in planned if one.point.transport == "ucx"]
    with pytest.raises(Missing, match="ucx"):
        resources._runnable(only, {}, ["ucx"], [])


def test_a_plan_says_how_many_launches_fit() -> None:
    spec = load_spec("standard")
    whole = outline(spec, 1e6)
    assert whole.launches_in_budget == spec.launches
    assert not any("interval" in line for line in whole.lines())
    half = outline(spec, whole.seconds / 2)
    assert half.launches_in_budget == spec.launches // 2
    assert half.lines()[-1].endswith("of 9 launches; an interval needs 6.")
    assert outline(spec).launches_in_budget is None


def test_a_plan_counts_what_would_be_moved_and_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_spec("quick")
    found = outline(spec)
    assert found.points == len(points(spec)) == sum(row.points for row in found.rows)
    one = spec.model_copy(update={"launches": 1})
    assert found.moved_bytes == spec.launches * outline(one).moved_bytes
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(command, ["quick", "--plan"])
    told = json.loads(CliRunner().invoke(command, ["quick", "--plan", "--json"]).output)
    assert list(tmp_path.iterdir()) == []
    assert printed.exit_code == 0
    assert "40 points in each of 6 launches" in printed.output
    assert "Nothing was started" in printed.output
    assert told["moved_bytes"] == found.moved_bytes
    assert told["about_seconds"] > 0
