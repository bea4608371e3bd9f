"""The user's file of calibrations: of this machine only, whatever somebody has put there."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from suite.errors import BadInput, Missing
from suite.run import calibration, manifest
from suite.run.calibration import Calibrations, Part

PART = Part(created_at="2026-11-20T05:00:00+00:00", kvgauge="0.1.0", kernel="6.1.0", load_average=0.5)
HERE = calibration.this_machine()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return where this user's file is."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = calibration.own_file()
    assert path == tmp_path / "kvgauge" / "calibration.json"
    return path


def begun() -> Any:
    return manifest.begin(seed=1, spec={}, settings={})["calibration"]


def test_without_a_file_a_manifest_says_nothing(own):
    assert not own.exists()
    assert begun() is None


def test_what_is_written_is_in_every_later_manifest(own):
    calibration.write(own, Calibrations().with_part(HERE, "latency", PART))
    found = begun()
    assert found["machine"] == HERE
    assert found["parts"]["latency"]["load_average"] == 0.5
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [one.name for one in own.parent.iterdir()] == [own.name]  # nothing half written is left


def test_that_of_another_machine_is_refused_by_name(own):
    calibration.write(own, Calibrations().with_part(HERE | {"cores": "9999"}, "latency", PART))
    assert "cores 9999" in begun()["refused"]


def test_a_home_that_machines_share_keeps_one_of_each(own):
    other = HERE | {"cores": "9999"}
    kept = Calibrations().with_part(HERE, "latency", PART).with_part(other, "band", PART).with_part(HERE, "link", PART)
    calibration.write(own, kept)
    found = calibration.read(own)
    assert set(found.of(HERE).parts) == {"latency", "link"}
    assert set(found.of(other).parts) == {"band"}
    assert set(begun()["parts"]) == {"latency", "link"}


def test_a_new_part_replaces_the_old_one_and_no_other():
    kept = Calibrations().with_part(HERE, "latency", PART).with_part(HERE, "link", PART)
    newer = PART.model_copy(update={"load_average": 3.0})
    found = kept.with_part(HERE, "latency", newer).of(HERE)
    assert found.parts == {"latency": newer, "link": PART}


def test_there_are_never_too_many_machines():
    kept = Calibrations()
    for number in range(calibration.MOST_MACHINES + 3):
        kept = kept.with_part({"cpu": str(number)}, "latency", PART)
    assert len(kept.machines) == calibration.MOST_MACHINES
    assert kept.of({"cpu": "0"}) is None
    assert kept.of({"cpu": str(calibration.MOST_MACHINES + 2)})


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}x", b'{"schema": 2}', b'{"machines": 7}', b"[" * 100_000, b"\xff", b" " * (calibration.MAX_BYTES + 1),
     b'{"machines": [{"machine": {}, "parts": {"link": {"load_average": NaN}}}]}', b"\x80\x04K\x01."],
)  # fmt: skip
def test_what_is_no_calibration_is_refused_and_stops_no_run(own, text):
    own.parent.mkdir()
    own.write_bytes(text)
    with pytest.raises(BadInput):
        calibration.read(own)
    assert begun()["refused"]


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file_is_not_waited_for(own, kind):
    own.parent.mkdir()
    os.mkfifo(own) if kind == "fifo" else own.mkdir()
    assert begun()["refused"]


def test_a_home_is_not_told(own, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    own.parent.mkdir()
    own.write_bytes(b"[]")
    assert str(tmp_path) not in begun()["refused"]


def test_a_relative_data_home_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert calibration.own_file() == tmp_path / ".local/share/kvgauge/calibration.json"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Missing, match="cannot write"):
        calibration.write(tmp_path / "file" / "calibration.json", Calibrations())


def test_a_home_that_cannot_be_looked_into_stops_no_run(own):
    """Root may look everywhere, but not past a loop of links."""
    own.parent.symlink_to(own.parent)
    assert begun()["refused"]
