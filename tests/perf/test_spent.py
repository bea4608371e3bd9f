"""Where the wall time went: parts add up, sessions add up, and the share is of what a reader can check."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from perf import sweep
from perf.progress import Silent
from perf.spent import Clocked, Spent, Stopwatch, read_times, spent
from suite.errors import BadInput
from suite.run.folder import TIMES, create
from suite.transports import base
from tests.perf.test_sweep import small

if TYPE_CHECKING:
    from pathlib import Path

needs_copy = pytest.mark.skipif(bool(base.load("copy").missing()), reason="this machine does not let processes copy")


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def test_parts_are_what_passes_in_them_and_the_wall_is_all_of_it() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    clock.now += 5
    with watch.part("fill", warm_up=True):
        clock.now += 10
    with watch.part("transfer"):
        clock.now += 20
    with suppress(ValueError), watch.part("check"):
        clock.now += 7
        raise ValueError("what passes until an error is told as well")
    watch.window()
    first = watch.take(3)
    assert (first.launch, first.wall_ns, first.windows) == (3, 42, 1)
    assert first.parts_ns == {"fill": 10, "warm_up": 10, "transfer": 20, "check": 7}
    clock.now += 8
    second = watch.take(3)
    assert (second.wall_ns, second.windows, second.parts_ns) == (8, 0, {}), "nothing is told twice"
    found = spent([first, second])
    assert found is not None
    assert found.inside_ns == 37
    assert found.share == 37 / 50
    assert found.part("rest") == 13 / 50, "what warms up is a part of the windows, no part of its own"
    assert found.sentence() == (
        "74 % of 50 ns were inside windows and their checks: filling 20 %, transfers 40 %, checking 14 %"
        " (20 % of the time was in windows that warm up). Outside: everything else 26 %."
    )


def test_a_step_is_timed_and_whoever_takes_its_records_is_not() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    def step() -> object:
        for number in (1, 2):
            clock.now += 10
            yield number

    for _ in watch.each("beside", step):  # type: ignore[arg-type, var-annotated]  a generator of numbers
        clock.now += 100
    assert watch.take(0).parts_ns == {"beside": 20}


def test_sessions_add_up_and_a_torn_line_is_cut(tmp_path: Path) -> None:
    first = Clocked(tmp_path)
    first.note(0)
    first.note(1)
    with (tmp_path / TIMES).open("ab") as file:
        file.write(b'{"kind":"time","schema":1,"laun')  # killed in the middle of a line
    second = Clocked(tmp_path)
    told = second.over()["time"]
    records = read_times(tmp_path / TIMES)
    assert [one.launch for one in records] == [0, 1, 0]
    assert isinstance(told, dict)
    assert told["wall_ns"] == sum(one.wall_ns for one in records)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"schema": 2, "kind": "time"}', "newer than this kvgauge"),
        ('{"schema": 1, "kind": "time", "launch": 0, "windows": 0, "wall_ns": -1}', "wall_ns"),
        (
            '{"schema": 1, "kind": "time", "launch": 0, "windows": 0, "wall_ns": 1, "parts_ns": {"lunch": 3}}',
            "parts_ns",
        ),
        (
            '{"schema": 1, "kind": "time", "launch": 0, "windows": 0, "wall_ns": 5, "parts_ns": {"fill": 6}}',
            "more than",
        ),
        ("[]", "not a JSON object"),
    ],
)
def test_what_is_no_time_is_named(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / TIMES).write_text(f"{line}\n")
    with pytest.raises(BadInput, match=message):
        read_times(tmp_path / TIMES)


def test_a_run_without_times_has_none(tmp_path: Path) -> None:
    assert read_times(tmp_path / TIMES) == []
    assert spent([]) is None
    assert Spent(0, 0, {}).share == 0


@needs_copy
@pytest.mark.deep
def test_a_sweep_says_where_its_time_went(tmp_path: Path) -> None:
    """The windows of every point are counted, with the one that warms up; a resumed session adds its own."""
    spec, run = small(launches=2, windows=2, transports=["copy"]), create(tmp_path / "run")
    sweep.measure(spec, run, sweep.Options(seed=5, budget_s=0.001), Silent())
    sweep.measure(*sweep.resumed(run.path)[:1], run, sweep.Options(seed=5), Silent())
    records = read_times(run.path / TIMES)
    found = spent(records)
    assert found is not None
    assert found.windows == 2 * 2 * (2 + 1)
    assert 0 < found.inside_ns < found.wall_ns
    assert all(one.wall_ns >= sum(took for part, took in one.parts_ns.items() if part != "warm_up") for one in records)
    manifest = json.loads(run.manifest.read_text())
    assert manifest["time"] == json.loads(json.dumps(found.as_json()))
    measured = json.loads(run.samples.read_text().splitlines()[0])
    in_windows = sum(measured["delivered_ns"])
    assert records[0].parts_ns["transfer"] > in_windows, "the window lies inside of what the supervisor saw of it"
