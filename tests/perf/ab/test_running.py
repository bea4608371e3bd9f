"""Two commands as A and B: real programs, run in turns, whose output is read like any file of that tool."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from perf.ab.against import against
from perf.ab.running import measure_commands, of_commands, resumed_commands, run
from perf.ab.variants import parse_both
from perf.progress import Silent
from perf.reading import read_run
from perf.sweep import Options
from suite.errors import BadInput, Missing
from suite.run.folder import create

FIXTURES = Path(__file__).parents[1] / "outside" / "fixtures"
PERFTEST = FIXTURES / "ucx_perftest-1.21.0-loopback.txt"
PRINTS = f"command:cat '{PERFTEST}'"


class Told(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def measured(tmp_path, a, b, launches=2, seed=1, **options):
    folder, told = create(tmp_path / "run"), Told()
    measure_commands(launches, folder, Options(seed=seed, variants=parse_both((a, b)), **options), told)
    return folder, told.notes


def test_every_launch_runs_both_and_the_rows_are_compared(tmp_path):
    folder, notes = measured(tmp_path, PRINTS, PRINTS, launches=9)
    records = read_run(folder.samples).commands
    assert sorted((one.launch, one.variant) for one in records) == [(n, side) for n in range(9) for side in "AB"]
    firsts = [one.variant for one in records[::2]]
    assert all(one != other for one, other in zip(firsts[:-1:2], firsts[1::2], strict=False))
    [row] = against(folder.path).rows
    assert (row.verdict, row.ratios) == ("same", (1.0,) * 9)
    assert "ucx_perftest" in row.what
    assert notes == []
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["complete"] is True
    assert of_commands(folder.path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("command:false", "it left with status 1"),
        ("command:true", "not the output of a tool that is read here"),
        ("command:head -c 2000000 /dev/zero", "more than 1 MiB"),
    ],
)
def test_a_run_that_fails_is_a_record_that_says_why(tmp_path, line, problem):
    folder, notes = measured(tmp_path, PRINTS, line)
    bad = [one for one in read_run(folder.samples).commands if one.variant == "B"]
    assert all(problem in one.problem and not one.rows for one in bad)
    assert len(bad) == len(notes) == 2
    [row] = against(folder.path).rows
    assert row.refused == "only in A"


def lives(stat):
    """Tell whether a process does, by its file in /proc."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(tmp_path):
    variant = parse_both((PRINTS, "command:sh -c 'sleep 60 & echo $!; wait'"))[1]
    record = run(variant, 0, tmp_path / "log", 0.5)
    assert "did not end within 0.5 s" in record.problem
    child = Path(f"/proc/{int((tmp_path / 'log').read_text())}/stat")
    until = time.monotonic() + 5  # it has been killed; a busy machine takes a moment to end it
    while (alive := lives(child)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive


def test_a_program_that_is_not_there_is_named_before_anything_runs(tmp_path):
    with pytest.raises(Missing, match="--ab, B: there is no program 'no-such-bench'"):
        measured(tmp_path, PRINTS, "command:no-such-bench -x")


def test_it_goes_on_where_it_stopped_with_the_commands_said_again(tmp_path):
    folder, _ = measured(tmp_path, PRINTS, PRINTS, launches=3)
    lines = folder.samples.read_text().splitlines()
    folder.samples.write_text("\n".join(lines[:3]) + "\n")
    with pytest.raises(BadInput, match="say again"):
        resumed_commands(folder.path, ())
    launches, options, again = resumed_commands(folder.path, parse_both((PRINTS, PRINTS)))
    assert (launches, options.seed) == (3, 1)
    measure_commands(launches, again, options, Told())
    found = [(one.launch, one.variant) for one in read_run(folder.samples).commands]
    assert sorted(found[3:]) == [
        (n, side) for n in (1, 2) for side in "AB"
    ]  # of launch 1 both sides: a pair is of one time
    [row] = against(folder.path).rows
    assert row.judgement.launches == 3
    assert again.samples.read_text().splitlines()[:3] == lines[:3]


def test_a_budget_ends_it_and_that_is_said(tmp_path):
    folder, notes = measured(
        tmp_path, f"command:'{sys.executable}' -c 'import time; time.sleep(.2)'", PRINTS, launches=50, budget_s=0.5
    )
    assert any("not reached" in note for note in notes)
    assert json.loads(folder.manifest.read_text())["complete"] is False
