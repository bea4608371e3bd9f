"""Whole runs on the emulated CUDA driver: real NIXL, UCX and cuFile, strict device memory, every byte checked."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

from perf.reading import read_records
from suite.transports import base

KVGAUGE = Path(sys.executable).parent / "kvgauge"
SHM = Path("/dev/shm")  # noqa: S108  where shared memory leaks to
FAULTY = Path(__file__).parent / "faulty"

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(bool(base.load("nixl:UCX").missing()), reason="this machine lacks NIXL"),
]


def kvgauge(*arguments, cwd, expected=0, timeout=300, **environment):
    """Run the command as a user does; return it when it has left with the status that is `expected`."""
    done = subprocess.run(
        [KVGAUGE, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done


def records_of(run):
    records, notes = read_records(run / "samples.jsonl")
    assert notes == []
    return records


def run_faulty(cwd, server, devices):
    """Measure `s.toml` in `cwd` with a transport that is wrong on purpose."""
    script = (
        "import sys; from pathlib import Path; from perf.spec import load_spec; from perf.sweep import Options, measure;"
        "from suite.run import folder; from perf.progress import watching; from rich.console import Console\n"
        "with watching(Console(stderr=True), quiet=True) as w:\n"
        "  measure(load_spec('s.toml'), folder.create(Path('run')),"
        f" Options(seed=1, emulated_gpus={devices}, server='faulty_transports:{server}'), w)"
    )
    path = os.pathsep.join(filter(None, [str(FAULTY), os.environ.get("PYTHONPATH")]))
    subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, env=os.environ | {"PYTHONPATH": path}, check=True, timeout=120
    )


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """Return the output and the folder of `kvgauge run --emulated-gpus 4`."""
    folder = tmp_path_factory.mktemp("four")
    done = kvgauge("run", "--emulated-gpus", "4", "--out", "run", "--seed", "1", cwd=folder)
    return done, folder / "run"


def test_the_matrix_of_four_devices_is_carried_by_cuda_ipc(four):
    pushes = [one for one in records_of(four[1]) if one.point.transport == "nixl:UCX" and one.point.op == "push"]
    wanted = {(f"cuda:{one}", f"cuda:{other}") for one, other in product(range(4), repeat=2)}
    assert {(one.point.source, one.point.destination) for one in pushes} == wanted
    assert {one.evidence.wire for one in pushes} == {"cuda_ipc"}
    assert all(one.verified and one.emulated for one in records_of(four[1]))


def test_the_drivers_own_copies_stand_beside_it(four):
    copies = [one for one in records_of(four[1]) if one.point.transport == "copy"]
    assert {(one.point.source, one.point.destination) for one in copies} >= {("cuda:0", "cuda:1"), ("cuda:3", "cuda:3")}
    assert {one.evidence.wire for one in copies} == {"cuda copy"}


def test_handoffs_of_gds_gds_mt_and_posix_stand_side_by_side(four):
    handoffs = {
        (one.point.transport, one.point.source, one.point.destination)
        for one in records_of(four[1])
        if one.point.op == "handoff"
    }
    for transport in ("nixl:GDS", "nixl:GDS_MT"):
        for pair in (("cuda:0", "cuda:1"), ("cuda:0", "host"), ("host", "cuda:0"), ("host", "host")):
            assert (transport, *pair) in handoffs
    assert ("nixl:POSIX", "host", "host") in handoffs
    wires = {one.evidence.wire for one in records_of(four[1]) if one.point.transport.startswith("nixl:GDS")}
    assert wires == {"gds compat"}


def test_there_is_no_rate_anywhere(four):
    """Neither on the terminal nor in the page; the durations are in the records all the same."""
    done, run = four
    page = (run / "report.html").read_text("utf-8")
    for text in (done.stdout, page):
        assert not re.search(r"\d\s*(GB/s|%\s+of a bare|%\s+of the driver)", text)
    assert "emulated" in done.stdout
    assert all(one.durations_ns for one in records_of(run))


def test_the_devices_cannot_be_taken_for_gpus(four):
    manifest = json.loads((four[1] / "manifest.json").read_text())
    devices = manifest["settings"]["devices"]
    assert sorted(devices) == [f"cuda:{number}" for number in range(4)]
    assert {one["name"] for one in devices.values()} == {"Emulated GPU (host memory)"}
    assert "Emulated GPU (host memory)" in (four[1] / "report.html").read_text("utf-8")
    assert manifest["settings"]["emulated_gpus"] == 4


def test_nothing_lies_about(four):
    """Neither cuFile's log nor the scratch file is in the folder of the user."""
    assert sorted(path.name for path in four[1].parent.iterdir()) == ["run"]
    assert sorted(path.name for path in four[1].iterdir()) == [
        "logs",
        "manifest.json",
        "report.html",
        "samples.jsonl",
        "time.jsonl",
    ]


TOGETHER = """
launches = 1
windows = 1

[[kv]]
model = "llama-3.1-8b"
dtype = "fp8"
tokens = 32
transports = ["nixl:UCX"]
ops = ["push"]
units = ["layer"]
patterns = ["scattered"]
memory = ["cuda:* -> cuda:*"]
pairs = ["together"]
samples = 2
"""


def test_pairs_that_move_at_once_have_workers_of_their_own(tmp_path):
    (tmp_path / "s.toml").write_text(TOGETHER)
    kvgauge("sweep", "s.toml", "--emulated-gpus", "3", "--out", "run", "--quiet", cwd=tmp_path)
    records = records_of(tmp_path / "run")
    pairs = {(one.point.source, one.point.destination) for one in records}
    assert len(records) == len(pairs) == 6  # the diagonal is no pair of two
    assert {one.point.flows for one in records} == {6}
    assert {(one.verified, one.evidence.wire) for one in records} == {(True, "cuda_ipc")}
    cores = [tuple(one.cores.values()) for one in records]
    assert all(prefill != decode for prefill, decode in cores) or os.cpu_count() == 1


def test_one_wrong_pair_costs_all_that_move_with_it(tmp_path):
    """What the others reached while it was broken is nobody's figure."""
    (tmp_path / "s.toml").write_text(TOGETHER)
    run_faulty(tmp_path, "dropped_descriptor", devices=2)
    reasons = sorted(record.failure.reason for record in records_of(tmp_path / "run"))
    assert "wrong bytes" in reasons
    assert set(reasons) <= {"wrong bytes", "another pair failed"}


@pytest.mark.parametrize(
    ("variables", "transports"),
    [
        ({"DYN_KVBM_NIXL_BACKEND_GDS": "true"}, ["nixl:GDS"]),
        ({"DYN_KVBM_NIXL_BACKEND_GDS": "on", "DYN_KVBM_NIXL_BACKEND_UCX": "1"}, ["nixl:GDS", "nixl:UCX"]),
    ],
)
def test_what_the_environment_selects_is_the_headline(tmp_path, variables, transports):
    done = kvgauge("run", "--emulated-gpus", "2", "--json", "--out", "run", cwd=tmp_path, **variables)
    told = json.loads(done.stdout)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert sorted(manifest["settings"]["transports"]) == transports
    measured = {point["point"]["transport"] for point in told["points"]}
    assert measured >= set(transports)
    if "nixl:UCX" not in transports:
        assert "nixl:UCX" not in measured
    assert told["verdict"][0].startswith(transports[0])


def test_a_device_smaller_than_the_pool_is_exit_3_with_the_numbers(tmp_path):
    spec = tmp_path / "large.toml"
    spec.write_text(
        'launches = 1\n[[kv]]\nmodel = "llama-3.1-8b"\ntokens = 32768\ntransports = ["nixl:UCX"]\nops = ["push"]\n'
        'units = ["block"]\npatterns = ["scattered"]\nmemory = ["cuda:0 -> cuda:1"]\n'
    )
    done = kvgauge("sweep", str(spec), "--emulated-gpus", "2", cwd=tmp_path, expected=3)
    assert re.search(r"cuda:0 has 8 GiB, its regions and staging buffers need 3\d(\.\d)? GiB", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_device_that_is_not_there_is_exit_3(tmp_path):
    spec = tmp_path / "s.toml"
    spec.write_text(
        'launches = 1\n[[bytes]]\nsizes = [4096]\ntransports = ["nixl:UCX"]\nops = ["push"]\n'
        'memory = ["cuda:0 -> cuda:7"]\n'
    )
    done = kvgauge("sweep", str(spec), "--emulated-gpus", "2", cwd=tmp_path, expected=3)
    assert "there is no cuda:7" in done.stderr
    assert "cuda:0, cuda:1" in done.stderr


def test_without_a_driver_the_remedy_is_named(tmp_path):
    done = kvgauge("sweep", "ucx-multi-gpu", cwd=tmp_path, expected=3)
    assert "--emulated-gpus" in done.stderr
    assert "Traceback" not in done.stderr


SMALL = """
launches = 50
windows = 1

[[kv]]
model = "llama-3.1-8b"
dtype = "fp8"
tokens = 32
transports = ["nixl:UCX", "nixl:GDS_MT"]
ops = ["push", "pull", "handoff"]
units = ["page", "layer"]
patterns = ["scattered"]
memory = ["cuda:0 -> cuda:1"]
samples = 1
"""


def workers_of(parent):
    """Return the process ids of the workers that `parent` has now."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if name and int(rest.split()[1]) == parent and b"suite.world.worker" in command:
            found.append(int(stat.parent.name))
    return found


def test_fifty_launches_ten_of_them_killed_leave_nothing(tmp_path):
    """No process, file or shared memory is left; every launch is in the record."""
    (tmp_path / "s.toml").write_text(SMALL)
    before = sorted(SHM.glob("*kvgauge*"))
    chance = random.Random(1)  # noqa: S311  which worker to kill
    with subprocess.Popen(
        [KVGAUGE, "sweep", "s.toml", "--emulated-gpus", "2", "--out", "run", "--quiet", "--seed", "3"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as sweep:
        killed = 0
        while sweep.poll() is None and killed < 10:
            time.sleep(chance.uniform(0.5, 1.5))
            for pid in workers_of(sweep.pid)[:1]:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        _, errors = sweep.communicate(timeout=400)
    assert killed == 10
    records = records_of(tmp_path / "run")
    assert sweep.returncode == 1, errors.decode()  # some points were lost, and that is told
    assert {record.launch for record in records} == set(range(50))
    assert b"Traceback" not in errors
    assert sorted(SHM.glob("*kvgauge*")) == before
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "logs",
        "manifest.json",
        "samples.jsonl",
        "time.jsonl",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "s.toml"]
    assert workers_of(sweep.pid) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small /dev/shm needs root")
def test_a_small_dev_shm_is_enough(tmp_path):
    """Docker gives 64 MB; the emulated devices hold more than that."""
    run = f"{shlex.quote(str(KVGAUGE))} run --emulated-gpus 2 --out run --quiet"
    command = f"mount -t tmpfs -o size=64m tmpfs /dev/shm && exec {run}"
    done = subprocess.run(
        [shutil.which("unshare") or "unshare", "--mount", "--propagation", "private", "bash", "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pushed = next(one for one in records_of(tmp_path / "run") if one.point.op == "push")
    region = pushed.verified_bytes // (2 * 2)  # two sides, compared after the warm-up and the one window
    assert 2 * 2 * region > 64 << 20  # two workers with a region on two devices each


def test_the_cpu_cannot_read_device_memory(tmp_path):
    """A transport that copies a device's bytes with the CPU passes on lenient memory and dies on ours."""
    (tmp_path / "s.toml").write_text(SMALL.replace("launches = 50", "launches = 1").replace('"nixl:GDS_MT"', '"copy"'))
    run_faulty(tmp_path, "touched_by_cpu", devices=2)
    reasons = {record.failure.reason for record in records_of(tmp_path / "run") if record.failure}
    assert reasons == {"killed by SIGSEGV"}
