"""The command as a user runs it: the models of the issue on emulated GPUs, and ranks that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from suite.transfer.record import RequestRecord
from suite.transports import base

KVGAUGE = Path(sys.executable).parent / "kvgauge"
pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(bool(base.load("nixl:UCX").missing()) or find_spec("cuda") is None, reason="no NIXL or CUDA"),
]
LAYOUTS = {
    "deepseek-v3": ("--layers 2 --prefill tp=4,pp=2 --decode tp=8", 8),
    "llama-3.1-70b": ("--layers 4 --prefill tp=2 --decode tp=8", 1),
    "qwen3-235b-a22b": ("--layers 4 --prefill tp=2 --decode tp=8", 2),
    "gpt-oss-120b": ("--layers 4 --prefill tp=2 --decode tp=8", 1),
    "nemotron-3-nano-30b": ("--layers 6 --prefill tp=2,dp=2 --decode tp=4,block=64 --dtype fp8", None),
}


def start(cwd, arguments):
    return subprocess.Popen(
        [KVGAUGE, "transfer", *arguments.split()], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def records_of(run):
    lines = (run / "requests.jsonl").read_text("utf-8").splitlines()
    return [RequestRecord.model_validate_json(line) for line in lines]


@pytest.mark.parametrize("model", LAYOUTS)
def test_the_models_on_emulated_gpus(model, tmp_path):
    arguments, factor = LAYOUTS[model]
    common = "--isl 256 --requests 4 --emulated-gpus 8 --json --out run"
    process = start(tmp_path, f"--model {model} {arguments} {common}")
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, output + errors
    for one in json.loads(output)["ops"]:
        assert one["good"]
        assert one["requests"] == {"good": 4}
        assert one["same_host_gb_per_s"] is None
        assert {wire["wire"] for wire in one["wires"]} == {"cuda_ipc"}
        assert factor is None or one["wire_bytes"] == factor * one["padded_bytes"]
    assert all(record.emulated for record in records_of(tmp_path / "run"))


def test_a_terminal_sees_the_table_and_files_see_plain_text(tmp_path):
    process = start(tmp_path, "--layers 1 --isl 64 --requests 2 --out run")
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 0, output + errors
    assert "\x1b" not in output + errors
    assert "Every byte is right" in output
    assert max(map(len, output.splitlines())) <= 80
    assert "run: run" in errors


def worker_of(process, role):
    """Return the process id of the worker with that role."""
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split():
        if f'"role": "{role}"' in Path(f"/proc/{child}/cmdline").read_text("utf-8"):
            return int(child)
    raise AssertionError(f"no worker {role}")


@pytest.mark.parametrize(
    ("role", "number", "reason"),
    [
        ("decode-1", signal.SIGKILL, "killed by SIGKILL"),
        ("prefill-0", signal.SIGKILL, "killed by SIGKILL"),
        ("decode-0", signal.SIGSTOP, "stopped"),
    ],
)
def test_a_lost_rank_ends_what_is_in_flight(role, number, reason, tmp_path):
    """What was finished stays; nobody waits longer than the deadline; nobody is left behind."""
    common = "--layers 2 --isl 512 --requests 5000 --memory 200MiB --prefill tp=2 --decode tp=4 --out run --op push"
    process = start(tmp_path, f"{common} --deadline 5")
    lines = tmp_path / "run" / "requests.jsonl"
    deadline = time.monotonic() + 60
    while not (lines.exists() and lines.read_bytes().count(b"\n") >= 2):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    os.kill(worker_of(process, role), number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 1, output + errors
    assert f"push: {role} failed" in output
    assert reason in output
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    records = records_of(tmp_path / "run")
    assert [record.request for record in records] == list(range(5000))
    statuses = [record.status for record in records]
    assert statuses.count("good") >= 2
    assert statuses == sorted(statuses, key=["good", "unchecked", "failed", "not-run"].index)
    lost = [record for record in records if record.status in {"unchecked", "failed"}]
    assert statuses.count("failed") <= 1
    assert all(record.failure and record.failure.role == role for record in lost)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))
    assert manifest["ops"][0]["failure"]["reason"] == reason


def test_ctrl_c_leaves_what_was_finished_and_nobody_behind(tmp_path):
    process = start(tmp_path, "--layers 2 --isl 512 --requests 5000 --memory 100MiB --out run")
    lines = tmp_path / "run" / "requests.jsonl"
    while not (lines.exists() and lines.read_bytes().count(b"\n")):
        assert process.poll() is None
        time.sleep(0.05)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert {record.status for record in records_of(tmp_path / "run")} >= {"good"}
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert not json.loads((tmp_path / "run" / "manifest.json").read_text("utf-8"))["complete"]


def test_two_servers_go_on_when_a_rank_is_killed(tmp_path):
    """What it had under way fails with a reason; the server starts again and the rest is served."""
    common = "--layers 2 --isl 512 --requests 300 --memory 200MiB --prefill tp=2 --decode tp=4 --out run --op push"
    process = start(tmp_path, f"{common} --in-flight 4")
    lines = tmp_path / "run" / "requests.jsonl"
    deadline = time.monotonic() + 60
    while not (lines.exists() and lines.read_bytes().count(b"\n") >= 5):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(worker_of(process, "decode-1"), signal.SIGKILL)
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 1, output + errors
    records = records_of(tmp_path / "run")
    assert sorted(record.request for record in records) == list(range(300))
    lost = [record for record in records if record.status != "good"]
    assert 1 <= len(lost) <= 8
    # either the loss itself is what ends a request, or what the rank at the other end saw of it
    assert all("decode rank 1" in record.failure.reason for record in lost if record.status == "failed")
    assert f"{len(records) - len(lost)} good" in output
