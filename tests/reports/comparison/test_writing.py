"""Run folders in, `comparison.html` out: or one message, exit code 2 and no file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.record import FILE, Recorder
from perf.record import PointRecord
from reports.writing import labels, write_comparison, write_report
from suite.errors import BadInput, Missing

KVGAUGE = Path(sys.executable).parent / "kvgauge"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
POINT = {"transport": "nixl:UCX", "op": "push", "workload": "m", "pattern": "scattered", "unit": "page",
         "descriptor_bytes": 65536, "descriptors": 16}  # fmt: skip
RECORD = {
    "schema": 1, "position": 0, "setup": "nixl", "status": "measured", "durations_ns": [1_000_000], "delivered_ns": [1_200_000],
    "window_samples": 1, "logical_bytes": 1 << 20, "padded_bytes": 1 << 20, "wire_bytes": 1 << 20, "posted_descriptors": 16,
    "working_set_bytes": 1 << 20, "allocation": "4k", "verified": True, "verified_bytes": 1 << 20, "load_average": 0.1,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty working folder, in a path with a blank."""
    path = tmp_path / "a folder"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def run(manifest):
    """Return what writes a run folder of six launches."""

    def write(path, slower=0):
        path.mkdir(parents=True)
        (path / "manifest.json").write_text(json.dumps(manifest | {"started_at": f"{path.name}"}), encoding="utf-8")
        records = [
            PointRecord.model_validate(
                RECORD
                | {"launch": launch, "started_at": f"2026-11-24T05:00:{launch:02d}Z", "point": POINT}
                | {"delivered_ns": [1_200_000 + slower + launch]}
            )
            for launch in range(6)
        ]
        lines = [json.dumps(record.model_dump(by_alias=True)) + "\n" for record in records]
        (path / "samples.jsonl").write_text("".join(lines), encoding="utf-8")
        return path

    return write


def test_two_runs_are_one_page_here_and_the_same_bytes_elsewhere(folder, run):
    runs = [run(folder / "x/one"), run(folder / "x/two", slower=900_000)]
    page = write_comparison(runs).read_text("utf-8")
    assert (folder / "comparison.html").read_text("utf-8") == page
    assert "“one” was faster" in page
    assert str(folder) not in page
    shutil.move(folder / "x", folder / "moved")
    assert write_comparison([folder / "moved/one", folder / "moved/two"]).read_text("utf-8") == page


def test_runs_of_one_name_are_told_apart_by_the_folders_above(folder):
    paths = [folder / "monday/quick", folder / "tuesday/quick", folder / "slow"]
    assert labels(paths) == ["monday/quick", "tuesday/quick", "slow"]


def test_a_page_of_ours_is_replaced_and_nothing_else(folder, run):
    runs = [run(folder / "a"), run(folder / "b")]
    out = folder / "mine.html"
    for _ in range(2):
        write_comparison(runs, out)
    write_report(runs[0], out)
    out.write_text("<!doctype html> of somebody else", encoding="utf-8")
    for write in (lambda: write_comparison(runs, out), lambda: write_report(runs[0], out)):
        with pytest.raises(BadInput, match=r"mine.html is there and is no report of kvgauge"):
            write()
    assert out.read_text("utf-8") == "<!doctype html> of somebody else"
    with pytest.raises(BadInput, match="is no file"):
        write_comparison(runs, folder)
    with pytest.raises(Missing, match="No such file or directory"):
        write_comparison(runs, folder / "nowhere/x.html")


def newer_manifest(path):
    (path / "manifest.json").write_text('{"schema": 2}', encoding="utf-8")


def newer_sample(path):
    samples = path / "samples.jsonl"
    samples.write_text(samples.read_text().replace('"schema": 1', '"schema": 2'), encoding="utf-8")


def broken_sample(path):
    samples = path / "samples.jsonl"
    samples.write_text("{}\n" + samples.read_text(), encoding="utf-8")


def truncated_conformance(path):
    recorder = Recorder(path)
    recorder.close()
    (path / FILE).write_text((path / FILE).read_text().splitlines()[0], encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "manifest.json: No such file"),
        (lambda path: (path / "manifest.json").write_text("[]"), "is not a manifest"),
        (newer_manifest, "schema 2 is newer"),
        (newer_sample, "samples.jsonl:1: schema 2 is newer"),
        (broken_sample, "samples.jsonl:1"),
        (truncated_conformance, "no footer"),
    ],
)
def test_a_run_that_cannot_be_read_is_a_message_and_no_page(folder, run, damage, said):
    runs = [run(folder / "a"), run(folder / "b")]
    damage(folder / "b")
    with pytest.raises(BadInput, match=said):
        write_comparison(runs)
    assert not (folder / "comparison.html").exists()
    assert not list(folder.glob("*.partial"))


def test_a_torn_last_line_is_said_on_the_page(folder, run):
    """A writer that was killed leaves one; the rest counts."""
    runs = [run(folder / "a"), run(folder / "b")]
    with (folder / "b/samples.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"schema": 1, "kin')
    assert "b: samples.jsonl:7: the last line was torn" in write_comparison(runs).read_text("utf-8")


def kvgauge(*arguments):
    return subprocess.run(
        [KVGAUGE, *arguments], env=ENVIRONMENT,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_what_cannot_be_compared_is_exit_2_and_one_message(folder, run):
    runs = [str(run(folder / f"runs/{number}")) for number in range(9)]
    (folder / "again").symlink_to("runs/0")
    for arguments, said in (
        (["runs/0", "again"], "again is named twice"),
        (runs, "9 runs: a comparison shows 2 to 8"),
        (["runs/0", "nowhere"], "nowhere/manifest.json: No such file or directory"),
    ):
        done = kvgauge("report", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"kvgauge: {said}")
        assert "Traceback" not in done.stderr
    assert not (folder / "comparison.html").exists()


SMALL = """
launches = 6
windows = 1
[[kv]]
model = "llama-3.1-8b"
tokens = 64
transports = ["nixl:UCX", "copy"]
ops = ["push"]
units = ["block"]
patterns = ["scattered"]
samples = 2
"""


@pytest.mark.deep
def test_real_runs_of_two_settings_are_compared(folder):
    """The wires are told, the variable that chose them is what differs, and every point is paired."""
    (folder / "small.toml").write_text(SMALL, encoding="utf-8")
    for name, tls in (("shared", "cma,tcp,self"), ("tcp", "tcp,self")):
        done = subprocess.run(
            [KVGAUGE, "sweep", "small.toml", "--quiet", "--out", f"runs/{name}"],
            env=ENVIRONMENT | {"UCX_TLS": tls}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    done = kvgauge("report", "runs/shared", "runs/tcp", "--out", "two.html")
    assert (done.returncode, done.stdout) == (0, "two.html\n"), done.stderr
    page = (folder / "two.html").read_text("utf-8")
    told = json.loads(page.split('id="summary">')[1].split("</script>")[0])
    assert "Wires: tcp in “tcp”, cma in “shared”." in told["verdict"][0]
    assert {"part": "Environment", "name": "UCX_TLS", "values": ["cma,tcp,self", "tcp,self"]} in told["differs"]
    assert len(told["points"]) == 2
    assert all(None not in point["runs"] for point in told["points"])
