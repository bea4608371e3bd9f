"""`kvgauge calibrate` with parts that are made up: what it keeps, prints and answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from perf.calibration import parts
from perf.calibration.asked import Found, known
from perf.calibration.commands import _PARTS, calibrate
from suite.errors import BadInput, Missing
from suite.run import calibration
from suite.run.calibration import PART_NAMES
from suite.world.supervisor import WorkerFailed


@pytest.fixture
def kvgauge(tmp_path, monkeypatch):
    """Return a runner of the command in a folder and with a home of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Any:
        done = CliRunner().invoke(calibrate, [*words], env={"COLUMNS": "120"})
        assert done.exception is None or isinstance(done.exception, (SystemExit, BadInput)), done.exception
        return done

    return run


@pytest.fixture
def part(monkeypatch):
    """Put a made-up part in the place of a real one."""

    def put(name: str, measured: float | Exception) -> None:
        def made(asked: object) -> Found:
            del asked
            if isinstance(measured, Exception):
                raise measured
            return Found([known(f"a {name}", [measured], 1.0, unit="GB/s", tolerated=0.02)])

        monkeypatch.setitem(parts.PARTS, name, made)

    return put


def test_a_good_one_is_kept_and_told(kvgauge, part):
    part("link", 0.99)
    done = kvgauge("link")
    assert done.exit_code == 0
    assert "within 1.00 %" in done.stdout
    found = calibration.for_manifest()
    assert found is not None
    assert found["parts"]["link"]["known"][0]["measured"] == 0.99  # type: ignore[index,call-overload]


def test_an_error_beyond_what_is_tolerated_is_named_and_exits_1(kvgauge, part):
    part("link", 0.9)
    done = kvgauge("link")
    assert done.exit_code == 1
    assert "beyond what is tolerated: a link is measured -10.00 % off, 2 % are" in " ".join(done.stdout.split())


def test_what_this_machine_lacks_is_told_with_its_remedy_and_the_rest_runs(kvgauge, part):
    part("link", Missing("no-tool", "no tc here", "apt-get install iproute2"))
    part("latency", 1.0)
    done = kvgauge("link", "latency")
    assert done.exit_code == 0
    assert "no tc here" in done.stdout
    assert "apt-get install iproute2" in done.stdout


def test_if_nothing_can_run_it_exits_3_and_keeps_nothing(kvgauge, part):
    part("link", WorkerFailed("prefill", "open", "killed by SIGKILL", "log"))
    done = kvgauge("link")
    assert done.exit_code == 3
    assert "killed by SIGKILL" in done.stdout
    assert calibration.for_manifest() is None


def test_json_has_what_was_found_and_what_was_not(kvgauge, part):
    part("link", Missing("no-tool", "no tc here", "apt-get install iproute2"))
    part("latency", 0.5)
    done = kvgauge("link", "latency", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert done.stderr == ""
    assert told["beyond"] == ["a latency"]
    assert told["skipped"] == [{"part": "link", "why": "no tc here", "remedy": "apt-get install iproute2"}]


@pytest.mark.usefixtures("kvgauge")
def test_a_part_that_is_interrupted_costs_no_part_that_was_done(part):
    part("latency", 1.0)
    part("overheads", KeyboardInterrupt())
    done = CliRunner().invoke(calibrate, ["latency", "overheads"])
    assert done.exit_code != 0
    found = calibration.for_manifest()
    assert found is not None
    assert set(found["parts"]) == {"latency"}  # type: ignore[call-overload]


def test_a_damaged_file_is_not_written_over(kvgauge, part, tmp_path):
    part("latency", 1.0)
    out = tmp_path / "other.json"
    out.write_text("{", encoding="utf-8")
    done = kvgauge("latency", "--out", str(out))
    assert isinstance(done.exception, BadInput)
    assert out.read_text("utf-8") == "{"


def test_it_goes_elsewhere_if_asked(kvgauge, part, tmp_path):
    part("latency", 1.0)
    assert kvgauge("latency", "--out", str(tmp_path / "deep" / "other.json")).exit_code == 0
    assert calibration.for_manifest() is None
    assert calibration.read(tmp_path / "deep" / "other.json").machines[0].parts.keys() == {"latency"}


def test_the_scratch_folder_is_gone_afterwards(kvgauge, part, tmp_path):
    part("latency", 1.0)
    kvgauge("latency")
    assert [one.name for one in tmp_path.iterdir()] == ["home"]


def test_all_parts_are_known_everywhere(kvgauge):
    assert set(_PARTS) == set(PART_NAMES) == set(parts.PARTS)
    told = kvgauge("--help").stdout
    assert all(f"  {name}" in told for name in _PARTS)
