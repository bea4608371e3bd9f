"""`kvgauge sweep --ab` and `kvgauge compare RUN`: messages, forms and exit codes, on made-up runs."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from perf.ab.schema import Against
from perf.commands import sweep
from perf.comparing.commands import compare
from suite.errors import BadInput, Missing

SPEC = """
windows = 1
[[kv]]
model = "llama-3.1-8b"
tokens = 64
transports = ["copy"]
ops = ["push", "pull"]
units = ["block"]
patterns = ["scattered"]
samples = 2
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text(SPEC)
    return path


def run(command, *words):
    return CliRunner().invoke(command, [str(word) for word in words], env={"COLUMNS": "160"})


def refused(*words, command=sweep, kind=BadInput):
    error = run(command, *words).exception
    assert isinstance(error, kind), error
    return error


def test_the_plan_counts_both_sides_and_the_launches_that_an_ab_needs(spec):
    plain = json.loads(run(sweep, spec, "--plan", "--json", "--launches", 12).stdout)
    both = json.loads(run(sweep, spec, "--plan", "--json", "--ab", "default", "default").stdout)
    assert (both["launches"], both["points"], both["sides"]) == (12, 2, 2)
    assert both["moved_bytes"] == 2 * plain["moved_bytes"]
    assert "each for A and for B" in run(sweep, spec, "--plan", "--ab", "default", "default").stdout
    assert json.loads(run(sweep, "quick", "--plan", "--json", "--ab", "default", "default").stdout)["launches"] == 13


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        (["--ab", "default", "tcp"], BadInput, "--ab, B: 'tcp' is no NAME=VALUE"),
        (["--ab", "venv:/no/such/venv", "default"], BadInput, "--ab, A: /no/such/venv: no such folder"),
        (["--ab", "default", "command:true"], BadInput, "only be compared with a command"),
        (["--ab", "default", "default", "--smallest", "0%"], BadInput, "above 0"),
        (["--ab", "default", "default", "--fail-on", "bad"], BadInput, "is no condition"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_measured(spec, tmp_path, words, kind, told):
    assert told in refused(spec, *words, "--out", tmp_path / "out", kind=kind).message


def test_a_variable_that_the_spec_sets_as_well_is_refused(tmp_path):
    path = tmp_path / "axis.toml"
    path.write_text(SPEC.replace('"copy"', '"nixl:UCX"') + '[kv.settings]\n"nixl:UCX" = [{ UCX_TLS = "tcp,self" }]\n')
    error = refused(path, "--ab", "default", "UCX_TLS=cma,self", "--out", tmp_path / "out")
    assert error.message == "--ab, B: UCX_TLS is set by the spec as well"


def test_a_folder_that_is_no_virtual_environment_is_named(spec, tmp_path):
    (tmp_path / "empty").mkdir()
    assert (
        "has no bin/python"
        in refused(spec, "--ab", f"venv:{tmp_path}/empty", "default", "--out", tmp_path / "o").message
    )


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("#!/bin/sh\nexit 3\n", "cannot run our worker"),
        ("#!/bin/sh\necho '{\"lacks\": \"numpy\"}'\n", "lacks 'numpy'"),
        ("no program at all", "does not run"),
        ("#!/bin/sh\necho '{\"versions\": 3, \"missing\": {\"copy\": \"a kernel\"}, \"lacks\": \"\"}'\n", "no ceiling: copy cannot run here: a kernel"),
    ],
)  # fmt: skip
def test_what_a_virtual_environment_lacks_is_said(spec, tmp_path, script, told):
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(script)
    python.chmod(0o755)
    error = refused(
        spec, "--ab", "default", f"venv:{tmp_path}/venv", "--out", tmp_path / "out", kind=(Missing, BadInput)
    )
    assert told in error.message


def test_options_of_an_ab_without_one_are_a_wrong_use(ab_run, twins):
    both = run(sweep, "quick", "--ab", "command:true", "command:true")
    assert (both.exit_code, "leave out SPEC" in both.stderr) == (2, True)
    gate = run(sweep, "quick", "--fail-on", "slower")
    assert (gate.exit_code, "about A and B: see --ab" in gate.stderr) == (2, True)
    again = run(sweep, "--resume", ab_run(twins()), "--launches", 3)
    assert (again.exit_code, "as many launches" in again.stderr) == (2, True)


@pytest.fixture
def slower(ab_run, twins):
    return ab_run([*twins(1.1), *twins(1.0, op="pull"), *twins(1.0, op="pull", emulated=True, descriptors=8)])


def test_compare_tells_a_run_of_a_and_b_and_its_json_has_a_schema(slower):
    found = json.loads(run(compare, slower, "--json").stdout)
    Against.model_validate(found)
    assert [one["verdict"] for one in found["points"]] == ["slower", "not compared", "same"]
    assert found["failing"] == []
    text = run(compare, slower).stdout
    assert "A: as the spec says" in text
    assert "B: UCX_TLS=tcp" in text
    assert "0.909 [0.908, 0.910]" in text


def test_the_gate_fails_for_what_it_names_and_for_nothing_else(slower, tmp_path):
    assert run(compare, slower).exit_code == 0
    assert run(compare, slower, "--fail-on", "slower:20%").exit_code == 0
    junit, markdown = tmp_path / "v.xml", tmp_path / "v.md"
    done = run(compare, slower, "--fail-on", "slower:5%", "--junit", junit, "--markdown", markdown)
    assert done.exit_code == 1
    assert "fails: push llama-3.1-8b" in done.stdout
    suite = ET.fromstring(junit.read_text())[0]  # noqa: S314  our own
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
    }
    assert "**slower** (fails)" in markdown.read_text()
    assert run(compare, slower, "--fail-on", "inconclusive").exit_code == 1  # a point was not compared


def test_wrong_bytes_fail_whatever_the_gate_names(ab_run, twins):
    records = twins()
    records[3] = records[3].model_copy(update={"verified": False})
    done = run(compare, ab_run(records))
    assert (done.exit_code, "wrong bytes" in done.stderr) == (1, True)


def test_no_band_is_taken_off_what_was_measured_side_by_side(slower):
    done = run(compare, slower, "--band", "21%")
    assert (done.exit_code, "side by side" in done.stderr) == (2, True)


def test_foreign_text_can_only_be_read(ab_run, twins, tmp_path):
    evil = "\x1b[31mred\u202e <script>|@you"
    path = ab_run(twins(workload=evil), b={"label": evil, "versions": {evil: evil}})
    markdown = tmp_path / "v.md"
    shown = run(compare, path, "--markdown", markdown).stdout + run(compare, path, "--json").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "<script>" not in markdown.read_text()
