"""Implementations find emulated GPUs where they are asked for, in whatever way they are reached, and none elsewhere."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

KVGAUGE = Path(sys.executable).parent / "kvgauge"
COUNT = """
import ctypes
def devices():
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    return count.value if cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0
"""
PARSER = COUNT + "def parse(environment):\n    return ['UCX'] if devices() == 3 else ['GDS']\n"
LOGS = COUNT + "print('selected:', 'UCX' if devices() == 3 else 'GDS')\n"


def verdict_of(folder, implementation, *more):
    """Return the exit code for the sentence that UCX is selected when nothing is set."""
    done = subprocess.run(
        [KVGAUGE, "conform", implementation, "-r", "ENV-001", *more],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_gpu_settings.py").write_text(PARSER)
    (tmp_path / "log.py").write_text(LOGS)
    return tmp_path


@pytest.mark.deep
@pytest.mark.parametrize("how", ["my_gpu_settings:parse", "exec-log:PYTHON -S LOG --- selected: (.*)"])
def test_an_implementation_finds_as_many_as_were_asked_for(folder, how):
    how = how.replace("PYTHON", shlex.quote(sys.executable)).replace("LOG", shlex.quote(str(folder / "log.py")))
    assert verdict_of(folder, how, "--emulated-gpus", "3") == 0
    assert verdict_of(folder, how, "--emulated-gpus", "2") == 1
    assert verdict_of(folder, how) == 1


def test_an_impossible_number_is_wrong_use(folder):
    assert verdict_of(folder, "reference", "--emulated-gpus", "17") == 2
