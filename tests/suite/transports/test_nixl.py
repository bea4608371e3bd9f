"""NIXL over UCX between two real processes; what the adapter promises against what NIXL itself says."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal

import numpy as np
import pytest

from suite.cuda_emulator.environment import environment
from suite.transports import nixl
from suite.transports.nixl import missing_for
from suite.world.supervisor import WorkerFailed

pytestmark = pytest.mark.skipif(bool(missing_for("UCX")), reason=f"{missing_for('UCX')}")

ROWS, LENGTH = 64, 4096
IN_ORDER = np.column_stack((np.arange(ROWS) * LENGTH, np.arange(ROWS) * LENGTH, np.full(ROWS, LENGTH)))
SHUFFLED = np.random.default_rng(11).permutation(ROWS)
PLANS = {
    "contiguous": IN_ORDER,
    "reversed": IN_ORDER[::-1],
    "every second": IN_ORDER[::2],
    "shuffled": IN_ORDER[SHUFFLED],
    "shuffled at the destination": np.column_stack((IN_ORDER[:, 0], IN_ORDER[SHUFFLED, 1], IN_ORDER[:, 2])),
    "one": IN_ORDER[:1],
    "single blocks, then runs": IN_ORDER[[0, 2, 3, 7, 9, 11, 12, 13, 40, 43, 44, 45, 50]],
}


def test_bytes_and_descriptors_are_what_numpy_and_nixls_telemetry_say(pair, moved):
    """WRITE and READ, plans that merge and plans that do not; every transfer is announced once."""
    with pair("nixl:UCX", NIXL_TELEMETRY_ENABLE="y") as two:
        for op in ("WRITE", "READ"):
            initiator, _ = two.initiator(op)
            for name, rows in PLANS.items():
                for role, seed in (("prefill", 3), ("decode", 4)):
                    two.ask(role, "refill", seed=seed)
                expected = moved(two.bytes("prefill"), two.bytes("decode"), rows)
                posted = two.prepare(op, rows)
                assert two.move(op) == [[initiator, "there"]]
                assert posted == two.ask(initiator, "descriptors_by_telemetry"), name
                np.testing.assert_array_equal(two.bytes("decode"), expected, name)
    assert np.count_nonzero(np.diff(SHUFFLED) == 1) < ROWS // 4  # the shuffled plan hardly merges


def test_rows_of_any_length_at_any_place_arrive(pair, moved, random_rows):
    with pair("nixl:UCX") as two:
        for op, seed in (("WRITE", 1), ("READ", 2)):
            rows = random_rows(500, 1 << 18, seed)
            source, expected = two.bytes("prefill"), moved(two.bytes("prefill"), two.bytes("decode"), rows)
            two.prepare(op, rows)
            two.move(op)
            np.testing.assert_array_equal(two.bytes("decode"), expected)
            np.testing.assert_array_equal(two.bytes("prefill"), source)


@pytest.mark.parametrize(
    ("tls", "op"),
    [
        ("", "WRITE"),
        ("tcp", "READ"),
        pytest.param("", "READ", marks=pytest.mark.deep),
        pytest.param("tcp", "WRITE", marks=pytest.mark.deep),
    ],
)
def test_the_evidence_names_the_wire_and_counts_every_descriptor(pair, tls, op):
    """Three posts of an announced plan of five descriptors are fifteen puts (gets); workers leave with status 0."""
    settings = {"UCX_TLS": tls} if tls else {}
    rows = IN_ORDER[1:10:2]
    with pair("nixl:UCX", UCX_PROTO_INFO="used", **settings) as two:
        assert two.prepare(op, rows) == 5
        two.move(op, times=3)
        found = two.both("close", op=op, nbytes=LENGTH)
    initiator, target = two.initiator(op)
    assert found[initiator] == {"wire": tls or "cma", "count": 15, "reason": ""}
    assert found[target]["wire"] == "unknown"  # one-sided: only the initiator's tables have it
    assert [worker.process.returncode for worker in two.group._workers.values()] == [0, 0]


def test_a_worker_whose_agent_still_lives_leaves_with_status_0(pair):
    """As after a lost point, when nobody asks it to close."""
    with pair("nixl:UCX") as two:
        two.prepare("WRITE", IN_ORDER)
        two.move("WRITE")
    assert [worker.process.returncode for worker in two.group._workers.values()] == [0, 0]


def kill(two, role):
    os.kill(two.group.pids()[role], signal.SIGKILL)
    two.group._workers[role].process.wait()


def test_a_peer_that_died_before_the_post_is_lost(pair):
    with pair("nixl:UCX") as two:
        two.prepare("WRITE", IN_ORDER)
        two.move("WRITE")
        kill(two, "decode")
        assert two.error("prefill", "run")["code"] == "peer-lost"
        again = two.error("prefill", "run")
    assert again["code"] == "peer-lost"
    assert "the peer is gone" in again["message"]


@pytest.mark.parametrize("op", ["WRITE", pytest.param("READ", marks=pytest.mark.deep)])
def test_a_peer_that_dies_in_flight_is_lost(pair, op):
    """Over TCP, and stopped first: then more than the sockets hold is surely on its way."""
    nbytes = 64 << 20
    with pair("nixl:UCX", nbytes, UCX_TLS="tcp") as two:
        initiator, target = two.initiator(op)
        two.prepare(op, np.array([[0, 0, LENGTH]]))
        two.move(op)
        two.prepare(op, np.array([[0, 0, nbytes]]))
        os.kill(two.group.pids()[target], signal.SIGSTOP)
        assert two.ask(initiator, "post") == "PENDING"
        kill(two, target)
        error = two.error(initiator, "finish")
    assert error["code"] == "peer-lost"
    assert "finish a transfer" in error["message"]


@pytest.mark.usefixtures("believe_complaints")
def test_what_nixl_refuses_is_told_in_its_words(pair):
    with pair("nixl:UCX") as two:
        with pytest.raises(WorkerFailed, match="error: not-found") as failed:
            two.prepare("WRITE", np.array([[0, 1 << 30, LENGTH]]))  # not registered
        assert failed.value.detail.startswith("NIXL could not prepare a transfer: ")
        with pytest.raises(WorkerFailed, match="error: wrong-peer"):
            two.ask("prefill", "connect", peer="someone", metadata=two.metadata["decode"])


@pytest.mark.usefixtures("believe_complaints")
def test_a_back_end_without_a_plug_in_is_missing_here_and_in_a_worker(pair):
    assert missing_for("NOSUCH") == f"{package()} has no plug-in for NOSUCH"
    with pytest.raises(WorkerFailed, match="error: not-found") as failed, pair("nixl:NOSUCH"):
        pass
    assert failed.value.detail.startswith("NIXL could not create back end NOSUCH: ")


@pytest.mark.usefixtures("believe_complaints")
@pytest.mark.parametrize(
    "change",
    [
        {"kind": "file"},
        {"nixl": "not base64!"},
        *(
            pytest.param(change, marks=pytest.mark.deep)
            for change in (
                {"kind": ["host"]},
                {"device": -1},
                {"device": True},
                {"device": 1 << 70},
                {"nixl": 3},
                {"nixl": base64.b64encode(b"x" * 100).decode()},
            )
        ),
    ],
)
def test_metadata_of_another_shape_is_refused(pair, change):
    """What a peer sends is JSON around NIXL's own bytes; a wrong kind or device would be a wild write."""
    with pair("nixl:UCX") as two:
        told = json.loads(base64.b64decode(two.metadata["decode"])) | change
        with pytest.raises(WorkerFailed, match=r"bad-metadata|nixl|not-found"):
            two.ask("prefill", "connect", peer="decode", metadata=base64.b64encode(json.dumps(told).encode()).decode())


@pytest.mark.deep
@pytest.mark.parametrize("kinds", [("cuda:0", "cuda:1"), ("cuda:1", "host"), ("host", "cuda:1"), ("cuda:0", "cuda:0")])
def test_device_memory_goes_both_ways_on_the_emulated_driver(pair, moved, random_rows, tmp_path, kinds):
    """Each side knows the other's kind and device by its metadata; the plan's device column says 0 throughout."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    variables = environment(2, base=os.environ, logs=tmp_path)
    with pair("nixl:UCX", kinds=kinds, UCX_PROTO_INFO="used", **variables) as two:
        for op, seed in (("WRITE", 1), ("READ", 2)):
            rows = random_rows(300, 1 << 18, seed)
            source, expected = two.bytes("prefill"), moved(two.bytes("prefill"), two.bytes("decode"), rows)
            two.prepare(op, rows)
            two.move(op)
            np.testing.assert_array_equal(two.bytes("decode"), expected)
            np.testing.assert_array_equal(two.bytes("prefill"), source)
        found = two.both("close", op="WRITE", nbytes=LENGTH)
    if "host" not in kinds:
        assert found["prefill"]["wire"] == "cuda_ipc"


def package():
    return next(name for name in nixl.PACKAGES if nixl.find_spec(name))


def test_ucx_is_not_missing_and_names_the_package_once_it_is_hidden(monkeypatch):
    assert missing_for("UCX") is None
    monkeypatch.setattr(nixl, "find_spec", lambda _name: None)
    assert missing_for("UCX") == "NIXL is not installed (pip install --no-deps nixl-cu12)"


def test_a_folder_of_plug_ins_adds_to_the_wheels_own(tmp_path, monkeypatch):
    """NIXL looks there first, and then where it always does."""
    monkeypatch.setenv("NIXL_PLUGIN_DIR", str(tmp_path))
    assert missing_for("UCX") is None
    assert missing_for("MINE") == f"{package()} has no plug-in for MINE"
    (tmp_path / "libplugin_MINE.so").touch()
    assert missing_for("MINE") is None
