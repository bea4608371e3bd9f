"""What is asked of the machine before a sweep, where the one who is asked may be lost."""

from __future__ import annotations

import os

import pytest

from perf import resources
from suite.errors import Missing

LOSES_ITSELF = """
import os, signal
from pathlib import Path

DEVICE = {"ordinal": 0, "name": "a", "total_bytes": 1, "pci": "", "uuid": "", "emulated": False, "numa_node": None, "cpus": []}

class Probe:
    def __init__(self, role): pass

    def devices(self):
        killed = Path(os.environ["KILLED"])
        killed.write_text(killed.read_text() + "x")
        if len(killed.read_text()) <= int(os.environ["TO_KILL"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return [DEVICE]
"""


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """Make the probe one that kills itself; return a function from how many times to its environment, and where it counts."""
    (tmp_path / "loses_itself.py").write_text(LOSES_ITSELF)
    count = tmp_path / "killed"
    count.write_text("")
    monkeypatch.setattr(resources, "PROBE", "loses_itself:Probe")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    return lambda times: {**os.environ, "PYTHONPATH": path, "KILLED": str(count), "TO_KILL": str(times)}, count


def test_a_probe_that_was_killed_is_asked_again(killed, tmp_path):
    """The out-of-memory killer has said nothing about devices."""
    environment, count = killed
    assert list(resources._devices(environment(2), tmp_path)) == ["cuda:0"]
    assert count.read_text() == "xxx"


def test_a_probe_that_is_always_lost_is_told_as_that(killed, tmp_path):
    """It must not read as if there were no device: the driver may crash."""
    environment, count = killed
    with pytest.raises(Missing, match="was lost 3 times: killed by SIGKILL") as caught:
        resources._devices(environment(9), tmp_path)
    assert count.read_text() == "xxx"
    assert "probe.log" in caught.value.hint
    assert "no CUDA device" not in str(caught.value)
