"""`kvgauge compare` on made-up run folders: what it prints, writes and answers."""

from __future__ import annotations

import json
import os
import shutil
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from perf.comparing.commands import compare
from suite.errors import BadInput, Missing


def run(*words):
    return CliRunner().invoke(compare, [str(word) for word in words], env={"COLUMNS": "160"})


def refused(*words, kind=BadInput):
    error = run(*words).exception
    assert isinstance(error, kind), error
    return error


@pytest.fixture
def two(made, sampled):
    """Return two runs: pushes became 40 % slower, pulls did not change, stores are in one run each."""
    base = [*sampled(50), *sampled(50, op="pull"), *sampled(50, descriptors=8)]
    new = [*sampled(90), *sampled(50.2, op="pull"), *sampled(50, descriptors=4)]
    return made("base", base), made("new", new, environment={"PATH": "/bin", "UCX_TLS": "tcp"})


def told(two, *words):
    done = run(*two, "--json", *words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return json.loads(done.stdout)


def test_every_point_has_its_verdict_and_only_what_differs_is_told(two):
    found = told(two)
    verdicts = {(one["point"]["op"], one["point"]["descriptors"]): one["verdict"] for one in found["points"]}
    assert verdicts == {
        ("push", 16): "slower",
        ("pull", 16): "same",
        ("push", 8): "not compared",
        ("push", 4): "not compared",
    }
    assert found["differences"] == [{"part": "variable", "name": "UCX_TLS", "base": "all", "new": "tcp"}]
    [slower] = [one for one in found["points"] if one["verdict"] == "slower"]
    assert slower["judgement"]["ratio"] == pytest.approx(50 / 90, rel=1e-3)
    assert slower["new_gb_per_s"] < slower["base_gb_per_s"]
    assert "Of 4 points: 1 slower, 1 same, 2 not compared." in found["sentences"]


def test_the_table_says_the_same(two):
    done = run(*two)
    assert done.exit_code == 0
    for words in ("0.556 [", "slower", "same", "only in BASE", "only in NEW", "variable UCX_TLS: all → tcp", "21 %"):
        assert words in done.stdout
    assert "nixl-cu12" not in done.stdout  # the same in both
    assert "/usr/bin" not in done.stdout  # no variable of an engine


@pytest.mark.parametrize(
    ("conditions", "status", "failing"),
    [
        ([], 0, 0),
        (["slower"], 1, 1),
        (["slower:40%"], 1, 1),
        (["slower:50%"], 0, 0),  # it is 44 % slower
        (["inconclusive"], 1, 2),  # what was not compared is not decided
        (["slower:5%", "inconclusive"], 1, 3),
    ],
)
def test_it_fails_for_what_was_named_and_for_nothing_else(two, conditions, status, failing):
    words = [word for one in conditions for word in ("--fail-on", one)]
    assert run(*two, *words).exit_code == status
    assert len(told(two, *words)["failing"]) == failing


def test_faster_never_fails(two):
    assert run(two[1], two[0], "--fail-on", "slower").exit_code == 0
    assert "1 faster" in told((two[1], two[0]))["sentences"][0]


@pytest.mark.parametrize("text", ["slower:5", "slower:", "faster", "slower:-1%", "slower:\u0665%", "", "slower:5%;rm"])
def test_a_condition_that_is_none_is_refused(two, text):
    assert refused(*two, "--fail-on", text).code == "bad-condition"


@pytest.mark.parametrize("text", ["21", "-1%", "a%", "nan%", "1e2%"])
def test_a_band_that_is_none_is_refused(two, text):
    assert refused(*two, f"--band={text}").code == "bad-band"


def test_a_measured_band_takes_the_place_of_the_default(two, made, sampled):
    slower = made("a tenth", sampled(55))
    by_default = [one["verdict"] for one in told((two[0], slower))["points"]]
    assert "within noise" in by_default
    assert "slower" not in by_default
    found = told((two[0], slower), "--band", "2%")
    assert "slower" in [one["verdict"] for one in found["points"]]
    assert "given with --band" in found["sentences"][1]


def test_too_few_launches_are_inconclusive_and_it_says_how_many_would_do(made, sampled):
    runs = made("base", sampled(50, count=4)), made("new", sampled(200, count=4))
    [one] = told(runs)["points"]
    assert one["verdict"] == "inconclusive"
    assert "5 launches a side" in one["judgement"]["decide"]
    assert "both: few-launches" in one["remarks"][0]
    assert run(*runs, "--fail-on", "slower").exit_code == 0
    assert run(*runs, "--fail-on", "inconclusive").exit_code == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"working_set_bytes": 1 << 30}, "unlike memory"),
        ({"allocation": "huge"}, "unlike memory"),
        ({"logical_bytes": 32 << 20}, "another size of transfer"),
        ({"emulated": True}, "emulated beside real"),
        ({"verified": False}, "no launch counts"),
    ],
)
def test_what_is_unlike_has_no_ratio(made, sampled, changes, words):
    alike = sampled(50, op="pull")
    runs = made("base", [*sampled(50), *alike]), made("new", [*sampled(90, **changes), *alike])
    one = next(one for one in told(runs)["points"] if one["point"]["op"] == "push")
    assert one["verdict"] == "not compared"
    assert words in one["refused"]
    assert one["judgement"] is one["new_gb_per_s"] is one["base_gb_per_s"] is None


def test_emulated_points_alone_cannot_be_compared(made, sampled):
    runs = made("base", sampled(50, emulated=True)), made("new", sampled(90, emulated=True))
    error = refused(*runs)
    assert error.code == "nothing-to-compare"
    assert "emulated: no rate" in error.message


def test_another_machine_is_refused(two, made, sampled):
    other = made("elsewhere", sampled(50), machine={"cpu": "Another", "cores": 64, "memory_bytes": 8 << 30})
    error = refused(two[0], other)
    assert error.code == "other-machine"
    assert "cpu A processor, then Another; cores 2, then 64" in error.message


def test_other_devices_are_another_machine(made, sampled):
    here = made("here", sampled(50), settings={"devices": {"cuda:0": {"name": "H100"}}})
    there = made("there", sampled(50), settings={"devices": {"cuda:0": {"name": "A100"}}})
    assert refused(here, there).code == "other-machine"


def test_a_machine_that_is_not_recorded_is_said(two, made, sampled):
    assert "the machine of bare is not recorded" in told((two[0], made("bare", sampled(50), machine=None)))["notes"]


def test_a_run_is_not_compared_with_itself_nor_with_its_copy(two, tmp_path):
    assert refused(two[0], two[0]).code == "same-run"
    assert refused(two[0], shutil.copytree(two[0], tmp_path / "copy")).code == "same-run"


def test_without_new_it_is_the_newest_other_run(made, sampled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    base = made("runs/base", sampled(50))
    assert refused("runs/base").code == "no-runs"
    for age, name in enumerate(("old", "newer")):
        path = made(f"runs/{name}", sampled(50))
        os.utime(path / "samples.jsonl", (age, age))
    assert told(("runs/base",))["new"] == "newer"  # though base itself is newer still
    assert base.exists()


def test_a_folder_that_is_no_run_is_refused(two, tmp_path):
    assert refused(two[0], tmp_path / "nowhere").code == "no-run"


def test_an_incomplete_run_is_said_to_be_one(two, made, sampled):
    open_one = made("open", sampled(50), complete=False)
    assert "open: the run is not complete" in told((two[0], open_one))["notes"]


def test_markdown_and_junit_are_written_and_foreign_text_is_harmless(made, sampled, tmp_path):
    hostile = {"workload": "<script>|[x](y)\x1b[2J\u202e @everyone", "settings": {"A_TLS": "`]]>\x00"}}
    runs = made("base", sampled(50, **hostile)), made("new", sampled(90, **hostile))
    page, xml = tmp_path / "v.md", tmp_path / "v.xml"
    assert run(*runs, "--fail-on", "slower", "--markdown", page, "--junit", xml).exit_code == 1
    text = page.read_text("utf-8")
    assert "**slower** (fails)" in text
    assert not [word for word in ("<script>", "\x1b", "\u202e", "@everyone") if word in text]
    assert len({line.count(" | ") for line in text.splitlines() if line.startswith("|")}) == 1
    suite = ET.parse(xml).getroot()[0]  # noqa: S314  our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("1", "1", "0")
    assert suite[0].find("failure") is not None
    shown = run(*runs).stdout
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_in_junit_what_was_not_decided_is_skipped(two, tmp_path):
    run(*two, "--junit", tmp_path / "v.xml")
    suite = ET.parse(tmp_path / "v.xml").getroot()[0]  # noqa: S314  our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "0", "2")
    run(*two, "--junit", tmp_path / "v.xml", "--fail-on", "inconclusive")
    suite = ET.parse(tmp_path / "v.xml").getroot()[0]  # noqa: S314  our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "2", "0")
    assert len(suite.findall("testcase/skipped")) == 0


def test_a_file_that_cannot_be_written_is_said(two, tmp_path):
    assert refused(*two, "--markdown", tmp_path / "no" / "v.md", kind=Missing).code == "not-written"


def test_it_says_the_same_twice(two):
    assert run(*two).stdout == run(*two).stdout


def test_copy_that_changed_is_named_first_suspect(made, sampled):
    runs = made("base", sampled(50, transport="copy")), made("new", sampled(90, transport="copy"))
    assert "the machine is not as it was" in told(runs)["sentences"][-1]


def test_a_run_that_measured_nothing_is_refused(two, made):
    bare = made("bare", [])
    assert refused(two[0], bare).code == "nothing-to-compare"
    (bare / "samples.jsonl").unlink()
    assert refused(two[0], bare).exit_code == 2


def test_a_manifest_of_a_newer_kvgauge_is_refused(two, made, sampled):
    assert refused(two[0], made("newer", sampled(50), schema=99)).code == "newer-schema"


@pytest.mark.parametrize(
    "changes",
    [
        {
            "settings": {"devices": {"cuda:0": 7, "x": {"name": ["a"]}}},
            "environment": [1],
            "versions": "x",
            "spec": None,
        },
        {"machine": {"cpu": {"a": [1]}, "cores": -1, "memory_bytes": 10**40}, "started_at": ["x"], "seed": {}},
        {"environment": {f"UCX_{number}": "[red]\x1b[31m" for number in range(3_000)}},
    ],
)
def test_a_strangers_manifest_does_no_harm(two, made, sampled, changes):
    done = run(two[0], made("strange", sampled(50), **changes))
    assert isinstance(done.exception, SystemExit | BadInput | None)
    assert "\x1b[31m" not in done.stdout
    assert len(done.stdout) < 20_000


def test_the_band_that_both_runs_carry_takes_the_place_of_the_default(made, sampled):
    """Calibrated at 50 %, runs that are 29 % apart are within noise; with one run alone it is the default that counts."""
    about = {"created_at": "2026-11-23T05:00:00Z", "kvgauge": "0.1.0", "kernel": "6.1.0", "load_average": 0.1}
    band = {"width": 0.5, "largest": 0.5, "runs": 6, "seconds": 180.0, "where": "a push"}
    calibration = {"schema": 1, "machine": {}, "parts": {"band": about | {"band": band}}}
    machine = {"cpu": "A processor", "cores": 2, "memory_bytes": 8 << 30, "kernel": "6.1.0"}
    base = made("base", sampled(50), calibration=calibration, machine=machine)
    new = made("new", sampled(65), calibration=calibration, machine=machine)
    found = told((base, new))
    assert found["band"] == 0.5
    assert "6 runs within 3 minutes" in found["band_source"]
    assert [one["verdict"] for one in found["points"]] == ["within noise"]
    alone = told((base, made("newer", sampled(65))))
    assert alone["band"] == 0.21
    assert "kvgauge calibrate" in alone["sentences"][1]
    assert [one["verdict"] for one in alone["points"]] == ["slower"]
