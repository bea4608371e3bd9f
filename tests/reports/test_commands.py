"""`kvgauge run` and `report` as a user meets them: messages, exit codes, files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suite.transports.base import load

KVGAUGE = Path(sys.executable).parent / "kvgauge"
SMALL = """
launches = {launches}
windows = 1
[[kv]]
model = "llama-3.1-8b"
tokens = 64
transports = ["nixl:UCX", "copy"]
ops = ["push", "pull"]
units = ["page", "block"]
patterns = ["scattered"]
samples = 2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty working folder, in a path with a blank, with a small spec."""
    path = tmp_path / "a folder"
    path.mkdir()
    monkeypatch.chdir(path)
    (path / "small.toml").write_text(SMALL.format(launches=1), encoding="utf-8")
    (path / "long.toml").write_text(SMALL.format(launches=50), encoding="utf-8")
    return path


def kvgauge(*arguments, **environment):
    return subprocess.run(
        [KVGAUGE, *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_run_ends_with_a_table_and_the_path_of_its_report(folder):
    """Every byte verified, every wire named, and no word of a library's about a home that cannot be written to."""
    done = kvgauge("run", "--spec", "small.toml", "--out", "runs/one", HOME="/dev/null")
    assert done.returncode == 0, done.stderr
    assert "matplotlib" not in done.stderr.lower()
    assert done.stdout.splitlines()[-1] == "report: runs/one/report.html"
    assert "GB/s" in done.stdout
    assert "UCX is used: the default" in done.stderr
    records = [json.loads(line) for line in (folder / "runs/one/samples.jsonl").read_text().splitlines()]
    assert len(records) == 8
    assert all(record["verified"] and record["evidence"]["wire"] == "cma" for record in records)
    page = (folder / "runs/one/report.html").read_text("utf-8")
    assert "moved llama-3.1-8b&#39;s KV cache at" in page
    assert "<svg" in page


@pytest.mark.deep
def test_json_is_all_that_stdout_has(folder):
    done = kvgauge("run", "--spec", "small.toml", "--json")
    told = json.loads(done.stdout)
    assert {point["wires"][0] for point in told["points"]} == {"cma"}
    assert (folder / told["run"] / "report.html").exists()


@pytest.mark.parametrize(
    ("environment", "code", "said"),
    [
        ({"DYN_KVBM_NIXL_BACKEND_UCX": "maybe"}, 2, ("DYN_KVBM_NIXL_BACKEND_UCX", "'maybe'", "true, 1, on, yes")),
        ({"DYN_KVBM_NIXL_BACKEND_RDMA": "true"}, 2, ("DYN_KVBM_NIXL_BACKEND_RDMA", "Accepted", "_UCX", "_GDS")),
        ({"DYN_KVBM_NIXL_BACKEND_UCX": "false"}, 2, ("no NIXL backend is left", "DYN_KVBM_NIXL_BACKEND_UCX")),
    ],
    ids=["bad value", "unknown backend", "nothing left"],
)
def test_a_bad_setting_stops_the_run(folder, environment, code, said):
    """One message that names the variable, the value and what is accepted; nothing is written."""
    done = kvgauge("run", "--spec", "small.toml", **environment)
    assert done.returncode == code
    assert all(word in done.stderr for word in said)
    assert "Traceback" not in done.stderr
    assert not (folder / "runs").exists()


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU and may run GDS")
def test_gds_on_a_machine_without_it_is_exit_3(folder):
    done = kvgauge("run", "--spec", "small.toml", DYN_KVBM_NIXL_BACKEND_GDS="true")
    assert done.returncode == 3
    assert "libcuda.so.1" in done.stderr
    assert "DYN_KVBM_NIXL_BACKEND_GDS" in done.stderr
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("backend: nixl", ("engine.yaml", "cache_transceiver_config.backend", "'nixl'", "did you mean NIXL")),
        ("bakend: NIXL", ("engine.yaml", "bakend", "did you mean backend")),
        ("backend: [", ("engine.yaml",)),
    ],
)
def test_a_bad_engine_file_is_exit_2(folder, text, said):
    (folder / "engine.yaml").write_text(f"cache_transceiver_config:\n  {text}\n", encoding="utf-8")
    done = kvgauge("run", "--spec", "small.toml", "--config", "engine.yaml")
    assert done.returncode == 2
    assert all(word in done.stderr for word in said), done.stderr
    assert "Traceback" not in done.stderr


def test_a_method_that_is_not_here_yet_is_exit_3(folder):
    (folder / "engine.yaml").write_text("cache_transceiver_config:\n  backend: MPI\n", encoding="utf-8")
    done = kvgauge("run", "--spec", "small.toml", "--config", "engine.yaml")
    assert done.returncode == 3
    assert "no transport mpi" in done.stderr


def carried_by(folder):
    """Return transport -> wires of the run in `folder`."""
    lines = (folder / "runs/one/samples.jsonl").read_text(encoding="utf-8").splitlines()
    found: dict[str, set[str]] = {}
    for record in map(json.loads, lines):
        assert record["verified"], record
        found.setdefault(record["point"]["transport"], set()).add(record["evidence"]["wire"])
    return found


@pytest.mark.parametrize(
    ("backend", "transport"),
    [("UCX", "ucx"), ("MOONCAKE", "mooncake:tcp")],
)
@pytest.mark.deep
def test_an_engine_without_nixl_is_measured_as_the_file_says(folder, backend, transport):
    """The wire is tcp for UCX, too: with error handling on, as TensorRT-LLM has it, UCX keeps nothing else on one host."""
    if lacking := load(transport).missing():
        pytest.skip(lacking)
    (folder / "engine.yaml").write_text(f"cache_transceiver_config:\n  backend: {backend}\n", encoding="utf-8")
    done = kvgauge("run", "--spec", "small.toml", "--config", "engine.yaml", "--out", "runs/one")
    assert done.returncode == 0, done.stderr
    assert carried_by(folder) == {transport: {"tcp"}, "copy": {"cma"}}
    assert f"cache_transceiver_config.backend is {backend}" in done.stderr


@pytest.mark.deep
def test_a_profile_reads_the_engine_file_as_a_release_does(folder):
    """Under trtllm-1.1 the variable of R12, spelt as TensorRT-LLM reads it, chooses UCX without NIXL."""
    if lacking := load("ucx").missing():
        pytest.skip(lacking)
    (folder / "engine.yaml").write_text("cache_transceiver_config:\n  backend: DEFAULT\n", encoding="utf-8")
    options = ["run", "--spec", "small.toml", "--config", "engine.yaml", "--out", "runs/one", "--profile", "trtllm-1.1"]
    done = kvgauge(*options, TRTLLM_USE_UCX_KVCACHE="1")
    assert done.returncode == 0, done.stderr
    assert set(carried_by(folder)) == {"ucx", "copy"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--config", "engine.yaml", "--profile", "trtllm-1.l"], "did you mean trtllm-1.1?"),
        (["--profile", "trtllm-1.1"], "add --config"),
    ],
)
def test_a_profile_that_means_nothing_is_exit_2(folder, options, said):
    (folder / "engine.yaml").write_text("cache_transceiver_config:\n  backend: DEFAULT\n", encoding="utf-8")
    done = kvgauge("run", "--spec", "small.toml", *options)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.deep
@pytest.mark.usefixtures("folder")
@pytest.mark.deep
def test_settings_can_be_ignored():
    done = kvgauge("run", "--spec", "small.toml", "--ignore-settings", "--quiet", DYN_KVBM_NIXL_BACKEND_UCX="maybe")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.deep
def test_an_engine_file_is_read(folder):
    (folder / "engine.yaml").write_text("cache_transceiver_config:\n  backend: DEFAULT\n", encoding="utf-8")
    done = kvgauge("run", "--spec", "small.toml", "--config", "engine.yaml", "--out", "runs/file")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((folder / "runs/file/manifest.json").read_text())
    assert manifest["settings"]["transports"] == ["nixl:UCX"]
    assert "DEFAULT" in manifest["settings"]["why"][0]


@pytest.mark.deep
def test_secrets_do_not_reach_the_disk(folder):
    secrets = {"HF_TOKEN": "hf_abcdefghijkl", "UCX_LOG_LEVEL": "warn"}
    done = kvgauge("run", "--spec", "small.toml", "--out", "runs/s", **secrets)
    assert done.returncode == 0, done.stderr
    for file in (folder / "runs/s").rglob("*"):
        assert file.is_dir() or b"hf_abcdefghijkl" not in file.read_bytes(), file
    assert json.loads((folder / "runs/s/manifest.json").read_text())["environment"]["UCX_LOG_LEVEL"] == "warn"


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.deep)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupt_keeps_what_was_measured(folder, number):
    """Exit 130, workers gone, a report that says that it is not complete, and a sweep that goes on."""
    process = subprocess.Popen(
        [KVGAUGE, "run", "--spec", "long.toml", "--out", "runs/i"],
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    samples = folder / "runs/i/samples.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (samples.exists() and samples.read_bytes().count(b"\n") >= 3):
        time.sleep(0.05)
    workers = children(process.pid)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert len(workers) == 2
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    kept = samples.read_bytes().count(b"\n")
    assert kept >= 3
    assert out.decode().splitlines()[-1] == "report: runs/i/report.html"
    assert json.loads((folder / "runs/i/manifest.json").read_text())["complete"] is False
    assert "not complete" in (folder / "runs/i/report.html").read_text("utf-8")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.deep
def test_a_report_can_be_written_again_with_the_same_bytes(folder):
    assert kvgauge("sweep", "small.toml", "--quiet").returncode == 0
    [run] = (folder / "runs").iterdir()
    first = kvgauge("report")
    assert first.returncode == 0, first.stderr
    page = (run / "report.html").read_bytes()
    assert kvgauge("report", str(run)).returncode == 0
    assert (run / "report.html").read_bytes() == page


@pytest.mark.deep
def test_a_launch_that_does_not_count_is_exit_1(folder):
    """Nothing is left to measure when the run is resumed, and what is on disk says that bytes were wrong."""
    assert kvgauge("sweep", "small.toml", "--quiet", "--out", "runs/w").returncode == 0
    samples = folder / "runs/w/samples.jsonl"
    first, *others = samples.read_text().splitlines()
    samples.write_text("\n".join([json.dumps(json.loads(first) | {"verified": False}), *others]) + "\n")
    done = kvgauge("sweep", "--resume", "runs/w", "--quiet")
    assert done.returncode == 1
    assert "1 of 8 points left wrong bytes in at least one launch." in done.stdout
