"""Sweeps that are killed at random moments and resumed; KVGAUGE_KILLS=50 for as many as the claim is of."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from perf.bench import kills
from suite.run.folder import RunFolder
from suite.transports import base

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("KVGAUGE_KILLS", "12"))
needs_copy = pytest.mark.skipif(bool(base.load("copy").missing()), reason="this machine does not let processes copy")


@needs_copy
@pytest.mark.deep
def test_nothing_is_lost_doubled_or_left_behind_however_often_it_is_killed(tmp_path: Path) -> None:
    found = kills.killed(tmp_path, KILLS, 7, transports=["copy"], launches=3)
    assert found.wrong == []
    assert sum(found.kills.values()) == KILLS
    assert found.records == found.runs * 3 * 2
    assert set(found.kills) == set(kills.MANNERS)


@needs_copy
@pytest.mark.deep
def test_the_script_sees_a_record_that_is_lost_and_one_that_is_there_twice(tmp_path: Path) -> None:
    """What it judges by can fail: a run without one of its lines, and one with a line twice."""
    found = kills.killed(tmp_path, 0, 7, transports=["copy"], launches=1)
    assert found.wrong == []
    run = kills.Run(tmp_path / "run-0", tmp_path / "spec.toml", 7)
    lines = run.samples.read_bytes().splitlines(keepends=True)
    for changed, said in ((lines[:-1], "1 of 2 lost"), ([*lines, lines[0]], "1 of 2 counted twice")):
        run.samples.write_bytes(b"".join(changed))
        again = kills.Found()
        kills._judge(run, tmp_path / "spec.toml", 7, again)
        assert [one for one in again.wrong if one.startswith(said)], again.wrong
    run.samples.write_bytes(b"".join(lines[1:]))
    again = kills.Found()
    kills._look(run, b"".join(lines), again, tear=None)
    assert again.wrong == ["records that were finished before a kill are not what they were"]


@needs_copy
@pytest.mark.deep
def test_a_run_that_was_killed_before_it_measured_anything_says_how_to_go_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.logs.mkdir(parents=True)
    folder.samples.touch()
    command = [sys.executable, "-P", "-c", "from suite.cli import main; main()", "sweep"]
    told = subprocess.run([*command, "--resume", f"{folder.path}"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "killed before it measured anything" in told.stderr
    assert f"remove {folder.path}, and start it again" in told.stderr
