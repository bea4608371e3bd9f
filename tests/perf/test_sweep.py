"""Whole sweeps in real processes: what is measured is recorded, and what dies costs only the point in flight."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest

from perf.draft import Draft
from perf.planning import points
from perf.reading import read_records
from perf.record import PointRecord
from perf.spec import check_spec
from perf.sweep import Options, measure
from suite.errors import KvgaugeError
from suite.run import folder
from suite.transports import base
from suite.world.supervisor import WorkerFailed

pytestmark = pytest.mark.skipif(
    any(base.load(name).missing() for name in ("nixl:UCX", "copy")), reason="this machine lacks NIXL, or forbids copies"
)

PYTHONPATH = os.pathsep.join(filter(None, [str(Path(__file__).parent / "faulty"), os.environ.get("PYTHONPATH")]))
CACHE = {
    "model": "llama-3.1-8b",
    "dtype": "fp8",
    "tokens": 4,
    "tokens_per_block": 1,
    "transports": ["nixl:UCX", "copy"],
    "ops": ["push", "pull"],
    "units": ["page"],
    "patterns": ["scattered"],
    "samples": 3,
}
MESSAGES = {"sizes": [64], "transports": ["nixl:UCX", "copy"], "ops": ["push"], "samples": 8}
INITIATOR = {"push": "prefill", "pull": "decode"}
OPS = {"push": "WRITE", "pull": "READ"}
PATIENCE_S = 30.0  # until a process that is sure to die or to speak has done so


def small(launches=2, windows=1, transports=("nixl:UCX", "copy"), **tables):
    tables = tables or {"kv": [CACHE | {"transports": list(transports)}]}
    return check_spec({"launches": launches, "windows": windows, **tables}, source="test")


class Watching:
    """Keeps what it is told, and does something after each record."""

    def __init__(self, then=lambda _record: None):
        self.records = []
        self._then = then

    def started(self, launches, points, *, done=0):
        self.planned = (launches, points, done)

    def measured(self, record):
        self.records.append(record)
        self._then(record)

    def note(self, text):
        raise AssertionError(text)


@pytest.fixture
def run(tmp_path):
    return folder.create(tmp_path / "run")


def worker_pids(parent):
    """Return role -> process id of the workers that `parent` has now."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            children_of = (process / "stat").read_text().rpartition(")")[2].split()[1]
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if children_of == str(parent) and b"suite.world.worker" in arguments:
            found[json.loads(arguments[-2])["role"]] = int(process.name)
    return found


def gone(pid):
    """Wait for the end of a process, child or not."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], PATIENCE_S)[0])
    finally:
        os.close(process)


@contextmanager
def mid_window(tmp_path, monkeypatch, transport, op, *, then, times=1, deadline_s=5.0):
    """Have the first `times` windows of a point never end, and call `then` once in each of them."""
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    monkeypatch.setenv("ENDLESS", f"{transport}:{OPS[op]}")
    monkeypatch.setenv("ENDLESS_TIMES", str(times))
    monkeypatch.setenv("ENDLESS_FOLDER", str(tmp_path))

    def wait():
        for _ in range(times):
            if begun.read_bytes() == b".":
                then()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield Options(seed=5, deadline_s=deadline_s, server="endless_windows:server")
    finally:
        if thread.is_alive():  # the window never came: let the thread end, and the test fail
            os.close(os.open(begun, os.O_WRONLY | os.O_NONBLOCK))
        thread.join()


def by_point(records):
    return {(record.launch, record.point.transport, record.point.op): record for record in records}


def test_a_sweep_records_every_point_of_every_launch_with_its_wire(run):
    """Verified, by cma here, in an order of its own for each launch, with every time and size that a reader needs."""
    spec = small(windows=2, kv=[CACHE], bytes=[MESSAGES])
    watcher = Watching()
    measure(spec, run, Options(seed=5), watcher)
    records, notes = read_records(run.samples)
    assert (records, notes, watcher.planned) == (watcher.records, [], (2, 6, 0))
    assert [record.launch for record in records] == [0] * 6 + [1] * 6
    assert [record.position for record in records] == [*range(6), *range(6)]
    orders = [[(r.point.transport, r.point.op, r.point.unit) for r in records if r.launch == one] for one in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert len(set(orders[0])) == 6
    assert orders[0] != orders[1]
    for record in records:
        samples = 3 if record.point.unit == "page" else 8
        sample_bytes = 4 * 64 * 1024 if record.point.unit == "page" else 64
        assert (record.status, record.failure, record.verified, record.issues) == ("measured", None, True, [])
        assert (record.evidence.wire, record.evidence.reason) == ("cma", "")
        assert (len(record.durations_ns), len(record.delivered_ns), record.window_samples) == (2 * samples, 2, samples)
        assert sum(record.durations_ns) <= sum(record.delivered_ns)
        assert record.logical_bytes == record.padded_bytes == record.wire_bytes == sample_bytes
        assert record.working_set_bytes == samples * sample_bytes
        assert record.posted_descriptors == record.point.descriptors  # scattered: nothing merges
        assert {"open", "register", "connect", "prepare", "first_transfer"} <= record.phases_ns.keys()
        assert record.usage.keys() == {"prefill", "decode"}
        used = record.usage[INITIATOR[record.point.op]]
        assert all(wall >= took for wall, took in zip(used.wall_ns, record.delivered_ns, strict=True))
        assert all(one.cpu_ns[0] > 0 and len(one.cpu_ns) == 2 for one in record.usage.values())
        assert all(whole >= took for whole, took in zip(record.around.window_ns, record.delivered_ns, strict=True))
        warm = record.warm_up
        assert len(warm.posted_ns) == len(warm.durations_ns) == samples
        assert all(0 < post <= took for post, took in zip(warm.posted_ns, warm.durations_ns, strict=True))
        assert warm.durations_ns[0] == record.phases_ns["first_transfer"]
    counted = {r.point.unit: r.evidence.count for r in records if r.point.transport == "nixl:UCX"}
    assert counted == {"page": (1 + 2) * 3 * 256, "bytes": (1 + 2) * 8}
    manifest = json.loads(run.manifest.read_text())
    assert (manifest["complete"], manifest["seed"]) == (True, 5)
    assert not worker_pids(os.getpid())


def lose_one(run, tmp_path, monkeypatch, *, transport, op, role, number, transports=("nixl:UCX", "copy"), **named):
    """Send `number` to `role` in mid-window, and check that the point in flight is all that it cost."""

    def then():
        os.kill(worker_pids(os.getpid())[role], number)

    watcher = Watching()
    with mid_window(tmp_path, monkeypatch, transport, op, then=then, **named) as options:
        measure(small(transports=transports), run, options, watcher)
    records = by_point(watcher.records)
    assert len(records) == len(watcher.records) == 2 * 2 * len(transports)
    lost = {key: record for key, record in records.items() if record.status == "failed"}
    assert list(lost) == [(0, transport, op)]
    failure = lost[0, transport, op].failure
    reason = "killed by SIGKILL" if number == signal.SIGKILL else "stopped"
    assert (failure.role, failure.phase, failure.reason) == (role, "window", reason)
    good = [record for record in records.values() if record.status == "measured"]
    assert all(record.verified and record.evidence.wire == "cma" for record in good)
    assert json.loads(run.manifest.read_text())["complete"] is True
    assert not worker_pids(os.getpid())


def test_a_worker_killed_in_mid_window_costs_the_point_in_flight(run, tmp_path, monkeypatch):
    lose_one(run, tmp_path, monkeypatch, transport="nixl:UCX", op="push", role="decode", number=signal.SIGKILL)


def test_a_worker_stopped_in_mid_window_costs_the_point_in_flight(run, tmp_path, monkeypatch):
    victim = {"transport": "copy", "op": "pull", "role": "prefill", "number": signal.SIGSTOP}
    lose_one(run, tmp_path, monkeypatch, **victim, transports=["copy"], deadline_s=1.0)


_VICTIMS = product(["nixl:UCX", "copy"], ["push", "pull"], ["prefill", "decode"], [signal.SIGKILL, signal.SIGSTOP])


@pytest.mark.deep
@pytest.mark.parametrize("victim", list(_VICTIMS), ids=str)
def test_any_worker_lost_in_mid_window_costs_the_point_in_flight(run, tmp_path, monkeypatch, victim):
    transport, op, role, number = victim
    lose_one(run, tmp_path, monkeypatch, transport=transport, op=op, role=role, number=number)


@pytest.mark.deep
def test_a_point_that_kills_twice_is_not_tried_a_third_time(run, tmp_path, monkeypatch):
    """It is recorded in every launch; the other point is measured in every launch."""

    def then():
        os.kill(worker_pids(os.getpid())["prefill"], signal.SIGKILL)

    watcher = Watching()
    with mid_window(tmp_path, monkeypatch, "copy", "push", times=2, then=then) as options:
        measure(small(launches=4, transports=["copy"]), run, options, watcher)
    records = by_point(watcher.records)
    assert len(records) == len(watcher.records) == 4 * 2
    assert all(records[launch, "copy", "pull"].verified for launch in range(4))
    failures = [records[launch, "copy", "push"].failure for launch in range(4)]
    assert [(one.role, one.phase, one.reason) for one in failures] == [
        ("prefill", "window", "killed by SIGKILL"),
        ("prefill", "window", "killed by SIGKILL"),
        ("supervisor", "plan", "not tried again"),
        ("supervisor", "plan", "not tried again"),
    ]
    assert failures[2].detail == "it has failed in 2 launches"


def test_workers_that_cannot_start_are_told_with_their_log(run):
    with pytest.raises(KvgaugeError) as refused:
        measure(small(transports=["copy"]), run, Options(server="no_such_module:Server"), Watching())
    assert refused.value.code == "workers-do-not-start"
    assert refused.value.message.endswith("begin: left with status 1")
    assert "ModuleNotFoundError: No module named 'no_such_module'" in refused.value.hint
    assert f"logs: {run.logs}" in refused.value.hint
    assert (read_records(run.samples), json.loads(run.manifest.read_text())["complete"]) == (([], []), False)


def test_whatever_a_worker_says_of_its_end_fits_into_a_record():
    """A garbled channel is quoted in the reason, and a transport of others may word its errors at any length."""
    planned = points(small())[0]
    record = Draft(0, 0, planned).failed(WorkerFailed("decode", "window", "\\x00" * 200, "d" * 30_000))
    assert record.failure.reason == "\\x00" * 50
    assert PointRecord.model_validate_json(record.model_dump_json(by_alias=True)) == record


def test_ctrl_c_between_points_keeps_what_was_measured(run):
    def interrupt(record):
        if record.launch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(small(transports=["copy"]), run, Options(seed=5), Watching(interrupt))
    records, notes = read_records(run.samples)
    assert ([record.launch for record in records], notes) == ([0, 0, 1], [])
    manifest = json.loads(run.manifest.read_text())
    assert manifest["complete"] is False
    assert manifest["finished_at"]
    assert not worker_pids(os.getpid())


def test_ctrl_c_in_mid_window_keeps_what_was_measured(run, tmp_path, monkeypatch):
    """Delivered to the main thread, which waits for an answer that never comes."""
    main = threading.main_thread().ident

    def then():
        signal.pthread_kill(main, signal.SIGINT)

    watcher = Watching()
    with (
        mid_window(tmp_path, monkeypatch, "copy", "push", then=then) as options,
        pytest.raises(KeyboardInterrupt),
    ):
        measure(small(transports=["copy"]), run, options, watcher)
    assert read_records(run.samples) == (watcher.records, [])
    assert len(watcher.records) < 4
    assert all(record.verified for record in watcher.records)
    assert json.loads(run.manifest.read_text())["complete"] is False
    assert not worker_pids(os.getpid())


SPEC = """
launches = 1000
windows = 1

[[kv]]
model = "llama-3.1-8b"
tokens = 4
tokens_per_block = 1
transports = ["copy"]
ops = ["push", "pull"]
units = ["page"]
patterns = ["scattered"]
samples = 3
"""


@pytest.mark.deep
def test_kill_9_of_a_real_sweep_leaves_no_worker_and_a_readable_run(tmp_path):
    """Wherever in the line the last write was cut."""
    (tmp_path / "spec.toml").write_text(SPEC)
    run = folder.RunFolder(tmp_path / "a run")
    program = "import sys; from suite.cli import main; sys.argv[0] = 'kvgauge'; main()"
    command = [sys.executable, "-P", "-c", program, "sweep", str(tmp_path / "spec.toml"), "--out", str(run.path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if "launch 2 of 1000 done" in line:
                    break
            pids = set()
            while len(pids) < 2:  # between two launches there are none
                pids = set(worker_pids(process.pid).values())
        finally:
            process.kill()
    assert all(gone(pid) for pid in pids)
    records, notes = read_records(run.samples)
    assert len(records) >= 4
    assert all(record.verified for record in records)
    assert all("torn" in note for note in notes)
    assert json.loads(run.manifest.read_text())["complete"] is False

    whole = b"".join(run.samples.read_bytes().splitlines(keepends=True)[:4])
    last = len(whole.splitlines()[-1])
    for cut in (2, last // 2, last):
        run.samples.write_bytes(whole[:-cut])
        kept, notes = read_records(run.samples)
        assert (kept, len(notes)) == (records[:3], 1)
        assert "the last line was torn" in notes[0]
