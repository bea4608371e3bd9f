"""What each built-in implementation breaks is known, sentence by sentence; a change of either side shows here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.implementations import built_in

KVGAUGE = Path(sys.executable).parent / "kvgauge"
PANICS = {"ENV-014": "error", "ENV-020": "error"}  # any environment that is not UTF-8 ends the process
KEEPS_UCX = {"ENV-006": "fail"}  # in spite of UCX=false
NO_DEFAULT = {"ENV-001": "fail"}
TRIMS_TOO_MUCH = {"ENV-021": "warn"}
GDS_MT_IS_GDS = {"ENV-028": "warn", "ENV-029": "warn"}
KNOWN = {
    "kvbm-A": KEEPS_UCX | PANICS,
    "kvbm-BC": NO_DEFAULT | PANICS,
    "kvbm-D-llm": KEEPS_UCX | TRIMS_TOO_MUCH | PANICS,
    "kvbm-D-mem": NO_DEFAULT | TRIMS_TOO_MUCH | PANICS,
    "kvbm-E": NO_DEFAULT | {"ENV-028": "warn"} | PANICS,
    "kvbm-F": KEEPS_UCX | GDS_MT_IS_GDS | PANICS,
    "kvbm-G": NO_DEFAULT | GDS_MT_IS_GDS | PANICS,
    "kvbm-V": NO_DEFAULT | {"ENV-019": "fail", "ENV-023": "warn"} | TRIMS_TOO_MUCH | PANICS,
}

pytestmark = pytest.mark.deep


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Return (implementation, requirement) -> verdict of one run over all of them."""
    done = subprocess.run(
        [KVGAUGE, "conform", *built_in(), "--seed", "1", "--json"],
        cwd=tmp_path_factory.mktemp("run"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)["verdicts"]
    return {(one["implementation"], one["requirement"]): one["verdict"] for one in told}


@pytest.mark.parametrize("name", built_in())
def test_a_built_in_breaks_what_is_known_of_it_and_nothing_else(verdicts, name):
    broken = {
        requirement: verdict
        for (one, requirement), verdict in verdicts.items()
        if one == name and verdict in {"fail", "warn", "error"}
    }
    assert broken == KNOWN.get(name, {})


def test_where_the_two_halves_of_a_release_disagree_is_in_one_table(tmp_path):
    """The same environment: NIXL for the Python half, UCX for the C++ half."""
    names = ["trtllm-pytorch-current", "trtllm-cpp-current"]
    done = subprocess.run(
        [KVGAUGE, "conform", *names, "-r", "CFG-029"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    cpp, python = (line for line in done.stdout.splitlines() if line.startswith("CFG-029 info"))
    assert python.endswith("nixl:UCX")
    assert cpp.endswith(": ucx")
