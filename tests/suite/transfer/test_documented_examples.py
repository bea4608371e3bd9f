"""The examples of the source page ("KV Cache Transfer in Disaggregated Serving"), run as they are written.

Each `export` line goes through bash as the page has it, then requests are moved;
what `requests.jsonl` and the manifest say afterwards is the method that was asked for.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from suite.transfer.selection import HANDOFF
from suite.transports import base

KVGAUGE = Path(sys.executable).parent / "kvgauge"
COMMAND = f"{shlex.quote(str(KVGAUGE))} transfer --layers 1 --isl 64 --requests 2 --out run"
pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(bool(base.load("nixl:UCX").missing()), reason="no NIXL"),
]
needs_ucx = pytest.mark.skipif(bool(base.load("ucx").missing()), reason="no UCXX")
needs_handoff = pytest.mark.skipif(
    find_spec("cuda") is None or shutil.which("cc") is None,
    reason="no emulated GPUs for GDS",
)

ENABLE_UCX = "export DYN_KVBM_NIXL_BACKEND_UCX=true"
ENABLE_GDS = "export DYN_KVBM_NIXL_BACKEND_GDS=true"
ENABLE_BOTH = f"{ENABLE_UCX}\n{ENABLE_GDS}"
DISABLE_GDS = "export DYN_KVBM_NIXL_BACKEND_GDS=false"
WHOLE_BLOCK = "\n".join((ENABLE_UCX, ENABLE_GDS, ENABLE_BOTH, DISABLE_GDS))
R12 = "export TRTLLM_USE_UCX_KV_CACHE=1"
BY_DEFAULT = "nixl:UCX: the default, as no DYN_KVBM_NIXL_BACKEND_* switches a backend on"


def ran(folder, exports, *options, backend=None):
    """Run the lines, then the command, in one shell; the caller's own settings do not count."""
    if backend:
        (folder / "engine.yaml").write_text(f"cache_transceiver_config:\n  backend: {backend}\n", "utf-8")
        options = (*options, "--config engine.yaml")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DYN_KVBM", "TRTLLM"))}
    return subprocess.run(
        ["/bin/bash", "-c", f"{exports}\n{' '.join((COMMAND, *options))}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def evidence(folder):
    """Return who moved what over which wire, in order, and the settings of the manifest."""
    lines = [json.loads(line) for line in (folder / "run" / "requests.jsonl").read_text("utf-8").splitlines()]
    assert {line["status"] for line in lines} == {"good"}
    moved = [(line["transport"], line["op"], line["wire"]) for line in lines]
    return list(dict.fromkeys(moved)), json.loads((folder / "run" / "manifest.json").read_text("utf-8"))["settings"]


def roles(settings):
    return [(one["backend"], one["role"], one["ops"]) for one in settings["selection"]]


@pytest.mark.parametrize(
    ("exports", "backend", "said"),
    [
        ("", None, BY_DEFAULT),
        (ENABLE_UCX, None, "nixl:UCX: DYN_KVBM_NIXL_BACKEND_UCX=true"),
        (DISABLE_GDS, None, BY_DEFAULT),
        (WHOLE_BLOCK, None, "nixl:UCX: DYN_KVBM_NIXL_BACKEND_UCX=true"),
        (R12, "DEFAULT", "TRTLLM_USE_UCX_KV_CACHE='1' does not enable UCX"),
    ],
    ids=["nothing", "UCX", "no GDS", "the block as it stands", "the note of R12"],
)
def test_nixl_over_ucx_moves_what_these_lines_ask_for(exports, backend, said, tmp_path):
    done = ran(tmp_path, exports, backend=backend)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    moved, settings = evidence(tmp_path)
    assert moved == [("nixl:UCX", "push", "cma"), ("nixl:UCX", "pull", "cma")]
    assert roles(settings) == [("UCX", "between workers", ["push", "pull"])]


@needs_ucx
@pytest.mark.parametrize("exports", ["", R12, ENABLE_GDS], ids=["nothing", "the note of R12", "a variable for NIXL"])
def test_backend_ucx_in_the_file_is_ucx_without_nixl(exports, tmp_path):
    done = ran(tmp_path, exports, backend="UCX")
    assert done.returncode == 0, done.stderr
    assert "ucx: cache_transceiver_config.backend: UCX in engine.yaml" in done.stderr
    [(transport, op, wire)], settings = evidence(tmp_path)
    assert (transport, op) == ("ucx", "push")
    # With error handling, as TensorRT-LLM has it, UCX takes tcp inside a host; a rank that only receives has no table.
    assert set(wire.split(", ")) - {"unknown"} == {"tcp"}
    assert roles(settings) == [("UCX", "between workers", ["push"])]


def test_of_several_backends_only_one_moves_between_workers_and_the_record_says_so(tmp_path):
    done = ran(tmp_path, ENABLE_BOTH, "--op both")
    assert done.returncode == 0, done.stderr
    moved, settings = evidence(tmp_path)
    assert moved == [("nixl:UCX", "push", "cma"), ("nixl:UCX", "pull", "cma")]
    assert roles(settings) == [("UCX", "between workers", ["push", "pull"]), ("GDS", "files", [])]


@needs_handoff
def test_several_backends_each_do_what_they_can(tmp_path):
    done = ran(tmp_path, ENABLE_BOTH, "--emulated-gpus 2")
    assert done.returncode == 0, done.stderr
    moved, settings = evidence(tmp_path)
    assert [one[:2] for one in moved] == [("nixl:UCX", "push"), ("nixl:UCX", "pull"), ("nixl:GDS", HANDOFF)]
    assert [wire for transport, _, wire in moved if transport == "nixl:UCX"] == ["cuda_ipc", "cuda_ipc"]
    assert roles(settings) == [("UCX", "between workers", ["push", "pull"]), ("GDS", "files", [HANDOFF])]


@needs_handoff
def test_gds_alone_hands_over_by_files(tmp_path):
    done = ran(tmp_path, ENABLE_GDS, "--emulated-gpus 2")
    assert done.returncode == 0, done.stderr
    assert "nixl:GDS: DYN_KVBM_NIXL_BACKEND_GDS=true" in done.stderr
    moved, settings = evidence(tmp_path)
    assert [one[:2] for one in moved] == [("nixl:GDS", HANDOFF)]
    assert roles(settings) == [("GDS", "files", [HANDOFF])]


@pytest.mark.skipif(not base.load("nixl:GDS").missing(), reason="GDS runs here without emulation")
def test_gds_alone_says_what_it_lacks_and_nothing_stands_in_for_it(tmp_path):
    done = ran(tmp_path, ENABLE_GDS)
    assert done.returncode == 3
    assert "nixl:GDS cannot run here" in done.stderr
    assert "--emulated-gpus" in done.stderr
    assert (tmp_path / "run" / "requests.jsonl").read_text("utf-8") == ""


@pytest.mark.parametrize(
    ("exports", "backend", "code", "said"),
    [
        ("export DYN_KVBM_NIXL_BACKEND_UCX=false", None, 2, "no NIXL backend is left: DYN_KVBM_NIXL_BACKEND_UCX"),
        ("export DYN_KVBM_NIXL_BACKEND_UCX=maybe", None, 2, "DYN_KVBM_NIXL_BACKEND_UCX='maybe'"),
        ("", "null", 2, "engine.yaml moves no KV cache"),
        ("", "MPI", 3, "mpi is selected (cache_transceiver_config.backend: MPI in engine.yaml)"),
    ],
)
def test_what_selects_nothing_that_runs_moves_nothing(exports, backend, code, said, tmp_path):
    done = ran(tmp_path, exports, backend=backend)
    assert done.returncode == code
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_transport_overrides_the_settings_and_says_so(tmp_path):
    done = ran(tmp_path, ENABLE_UCX, "--transport copy")
    assert done.returncode == 0, done.stderr
    assert "copy: --transport overrides what the settings select" in done.stderr
    moved, settings = evidence(tmp_path)
    assert {transport for transport, _, _ in moved} == {"copy"}
    assert settings["selection"] == []
