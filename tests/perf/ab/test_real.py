"""A and B with real workers: a planted slowdown is found, other libraries are really others, a kill costs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from perf import sweep
from perf.ab.against import against
from perf.ab.variants import parse_both
from perf.progress import Silent
from perf.reading import read_records
from perf.spec import check_spec
from suite.run.folder import create
from suite.transports import base

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(bool(base.load("copy").missing()), reason="this machine does not let processes copy"),
]
KV = {"model": "llama-3.1-8b", "tokens": 64, "transports": ["copy"], "ops": ["pull"],
      "units": ["block"], "patterns": ["scattered"], "samples": 2}  # fmt: skip


def measure(path, a, b, launches=2, watcher=None, **options):
    folder = create(path)
    spec = check_spec({"launches": launches, "windows": 1, "kv": [KV]}, source="test")
    sweep.measure(spec, folder, sweep.Options(seed=5, variants=parse_both((a, b)), **options), watcher or Silent())
    return folder


def test_workers_that_are_three_times_slower_are_found(tmp_path):
    """Ten launches of 0.4 s a side: the wait is busy, in the timed region, and three times what the transfer took."""
    server = "perf.bench.servers:SlowedServer"
    folder = measure(tmp_path / "run", "default", "SLOWED_PERCENT=200", launches=10, server=server)
    [row] = against(folder.path).rows
    assert row.verdict == "slower"
    assert row.judgement.launches == 10
    assert row.judgement.ratio < 0.7
    assert json.loads(folder.manifest.read_text())["settings"]["ab"]["B"]["variables"] == {"SLOWED_PERCENT": "200"}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Return a virtual environment without kvgauge, which sees our numpy, and one that has nothing."""
    made = {}
    for name in ("with numpy", "bare"):  # blanks: paths have them
        made[name] = tmp_path_factory.mktemp("venvs") / name
        venv.create(made[name], with_pip=False, symlinks=True)
    [packages] = made["with numpy"].glob("lib/python*/site-packages")
    numpy = Path(__import__("numpy").__file__).parent
    for library in numpy.parent.glob("numpy*"):
        (packages / library.name).symlink_to(library)
    return made


def test_workers_of_another_virtual_environment_run_its_python_and_our_code(tmp_path, other):
    path = tmp_path / "run of two"
    folder = measure(path, "default", f"venv:{other['with numpy']}")
    records, _ = read_records(folder.samples)
    assert [one.status for one in records] == ["measured"] * 4
    told = json.loads(folder.manifest.read_text())["settings"]["ab"]
    assert told["B"]["python"].endswith("with numpy/bin/python")
    assert told["B"]["versions"]["numpy"] == told["A"]["versions"]["numpy"]
    assert "pytest" not in told["B"]["versions"]
    code = folder.logs / "code-B"
    seen = subprocess.run(
        [other["with numpy"] / "bin" / "python", "-P", "-c", "import suite, numpy, sys; print(suite.__file__, sys.prefix)"],
        env={"PYTHONPATH": str(code)}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert str(code.absolute()) in seen
    assert "with numpy" in seen


def test_a_virtual_environment_without_numpy_is_refused_by_name(tmp_path, other):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from suite.cli import main; main()", "sweep", "quick", "--ab", "default", f"venv:{other['bare']}",
         "--out", tmp_path / "run"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "lacks 'numpy'" in done.stderr
    assert "pip install numpy" in done.stderr
    assert "Traceback" not in done.stderr


class Stops(Silent):
    def __init__(self, count):
        self._left = count

    def measured(self, record):
        del record
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("points", [1, 3])
def test_a_killed_ab_goes_on_and_both_sides_of_a_launch_are_of_one_time(tmp_path, points):
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path / "run", "default", "UCX_TLS=tcp", launches=3, watcher=Stops(points))
    spec, options, folder = sweep.resumed(tmp_path / "run")
    assert [one.variables for one in options.variants] == [{}, {"UCX_TLS": "tcp"}]
    sweep.measure(spec, folder, options, Silent())
    records, _ = read_records(folder.samples)
    assert sorted((one.launch, one.point.variant) for one in records[points:]) == [
        (n, side) for n in range(points // 2, 3) for side in "AB"
    ]  # half a pair is measured again, a whole one is not
    [row] = against(folder.path).rows
    assert row.judgement.launches == 3
    assert {one.setup for one in records} == {"A", "B"}
    assert json.loads(folder.manifest.read_text())["complete"] is True
