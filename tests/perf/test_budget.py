"""A sweep that may take so long and no longer, and what it would measure."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from perf import sweep
from perf.budget import Budget
from perf.commands import sweep as command
from perf.outline import outline
from perf.planning import points
from perf.progress import Silent
from perf.reading import read_records
from perf.spec import load_spec
from suite.errors import BadInput
from suite.run import manifest
from suite.run.folder import create
from suite.transports import base
from suite.units import parse_seconds
from tests.perf.test_sweep import small

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
        f"the budget is over; not reached: launch 2, 3 of 3 and {planned - 1} points of a launch that was begun"
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
    spec, run, told = small(launches=50, transports=["copy"]), create(tmp_path / "run"), Slow()
    sweep.measure(spec, run, sweep.Options(seed=5, budget_s=8), told)
    records, _ = read_records(run.samples)
    launches, left = divmod(len(records), len(points(spec)))
    assert left == 0, "a launch was cut"
    assert 1 <= launches < 50
    assert told.notes[0].startswith(f"the budget is over; not reached: launch {launches + 1}, ")


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
