"""What each built-in implementation breaks is known, sentence by sentence, in a file of ours; a change of either side shows here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.expectations import read_expectations
from conformance.implementations import KNOWN_BROKEN, built_in
from conformance.requirement import registry

KVGAUGE = Path(sys.executable).parent / "kvgauge"
EXPECTED = read_expectations(KNOWN_BROKEN).entries
SURPLUS = '[[expect]]\nid = "ENV-001"\nverdict = "fail"\nimplementation = "reference"\nreason = "it is not"\n'


def conform(folder, *arguments):
    return subprocess.run(
        [KVGAUGE, "conform", *arguments, "--strict", "--seed", "1"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return one run over all of them, in which nothing is let pass but what the file says."""
    return conform(tmp_path_factory.mktemp("run"), *built_in(), "--expect", KNOWN_BROKEN, "--json")


@pytest.mark.deep
def test_with_the_file_a_run_over_all_of_them_is_green(run):
    assert run.returncode == 0, run.stdout + run.stderr
    broken = [one for one in json.loads(run.stdout)["cases"] if one["verdict"] in {"fail", "warn", "error"}]
    assert broken
    assert [one for one in broken if not one["expected"]] == []


@pytest.mark.deep
@pytest.mark.parametrize("name", built_in())
def test_a_built_in_breaks_what_the_file_says_and_nothing_else(run, name):
    found = {
        one["requirement"]: one["verdict"]
        for one in json.loads(run.stdout)["verdicts"]
        if one["implementation"] == name and one["verdict"] not in {"pass", "info"} and not _lives_in_one_process(one)
    }
    assert found == {one.id: one.verdict for one in EXPECTED if one.implementation == name}


@pytest.mark.deep
@pytest.mark.parametrize("gone", ["ENV-006", "ENV-020"], ids=["a fail", "a warn"])
def test_without_an_entry_it_is_red(tmp_path, gone):
    known = KNOWN_BROKEN.read_text("utf-8")
    entry = re.search(rf'\[\[expect\]\]\nid = "{gone}"\nverdict = "\w+"\nimplementation = "kvbm-A"\n.*\n.*\n', known)
    (tmp_path / "known.toml").write_text(known.replace(entry[0], ""), encoding="utf-8")
    done = conform(tmp_path, "kvbm-A", "--expect", "known.toml", "-r", "ENV-006", "-r", "ENV-020")
    assert done.returncode == 1, done.stdout + done.stderr


@pytest.mark.deep
@pytest.mark.parametrize("surplus", [SURPLUS, SURPLUS.replace("ENV-001", "ENV-020").replace("fail", "warn")])
def test_with_an_entry_that_nothing_meets_it_is_red(tmp_path, surplus):
    (tmp_path / "known.toml").write_text(KNOWN_BROKEN.read_text("utf-8") + surplus, encoding="utf-8")
    done = conform(tmp_path, "reference", "--expect", "known.toml", "-r", "ENV-001", "-r", "ENV-020")
    assert done.returncode == 1, done.stdout + done.stderr


def test_each_entry_is_about_one_built_in_and_says_why():
    assert {one.implementation for one in EXPECTED} <= set(built_in())
    assert len({(one.implementation, one.id) for one in EXPECTED}) == len(EXPECTED)
    assert all(len(one.reason.split()) > 5 for one in EXPECTED)
    assert all(one.url.startswith("https://github.com/ai-dynamo/dynamo/pull/") for one in EXPECTED if one.url)


@pytest.mark.deep
def test_where_the_two_halves_of_a_release_disagree_is_in_one_table(tmp_path):
    """The same environment: NIXL for the Python half, UCX for the C++ half."""
    done = conform(tmp_path, "trtllm-pytorch-current", "trtllm-cpp-current", "-r", "CFG-029")
    assert done.returncode == 0, done.stderr
    cpp, python = (line for line in done.stdout.splitlines() if line.startswith("CFG-029 info"))
    assert python.endswith("nixl:UCX")
    assert cpp.endswith(": ucx")


def _lives_in_one_process(one):
    """Tell whether it is a fault that is not tried on `reference:memory`: it would end us all."""
    return one["verdict"] == "skip" and "processes" in registry()[one["requirement"]].needs
