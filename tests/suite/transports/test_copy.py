"""`copy`, in real processes and against numpy."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import PeerLost, TransferFailed, Unsupported
from suite.kv import plan as plans
from suite.transports import base
from suite.transports import host_copy as copy
from suite.transports.base import Op, State
from suite.world.supervisor import WorkerFailed

TRANSPORT = base.load("copy")
UNMAPPED = 1 << 46  # far from all that a process of this size has
KERNEL_STOPS_AT = (1 << 31) - (1 << 12)  # MAX_RW_COUNT, include/linux/fs.h
pytestmark = pytest.mark.skipif(bool(TRANSPORT.missing()), reason="this machine does not let processes copy")


def table(rows):
    return np.array([[address, length, 0] for address, length in rows], np.uint64)


def byte_pairs(local, remote):
    """Return (local, remote) address of every byte, in order."""
    return [
        (here + byte, there + byte)
        for (here, length), (there, _) in zip(local, remote, strict=True)
        for byte in range(length)
    ]


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 60)), min_size=1, max_size=30),
    st.integers(1, 5),
    st.integers(1, 40),
)
def test_calls_stay_within_the_kernels_limits_and_move_every_byte_in_order(rows, most_vectors, most_bytes):
    local, remote = [(row[0], row[2]) for row in rows], [(row[1], row[2]) for row in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy, "_IOV_MAX", most_vectors)
        patch.setattr(copy, "_CALL_BYTES", most_bytes)
        chunks = copy._chunks(table(local), table(remote))
    moved = []
    for chunk in chunks:
        assert 1 <= len(chunk.local) == len(chunk.remote) <= most_vectors
        assert chunk.nbytes == chunk.local[:, 1].sum() == chunk.remote[:, 1].sum() < 2 * most_bytes
        moved += byte_pairs(chunk.local.tolist(), chunk.remote.tolist())
    assert moved == byte_pairs(local, remote)


def test_a_call_never_comes_to_more_than_the_kernel_moves_at_once():
    """The worst case: a row that begins just before a cut and is as long as a row may be."""
    assert os.sysconf("SC_IOV_MAX") >= copy._IOV_MAX
    most = copy._CALL_BYTES
    rows = [(0, most - 1), (most, most), (2 * most, 5 * most)]
    chunks = copy._chunks(table(rows), table(rows))
    assert sum(chunk.nbytes for chunk in chunks) == 7 * most - 1
    assert max(chunk.nbytes for chunk in chunks) <= KERNEL_STOPS_AT


@pytest.mark.parametrize("op", ["WRITE", "READ"])
@pytest.mark.parametrize("count", [1, pytest.param(7, marks=pytest.mark.deep), 3000])  # 3000: more than one call
def test_the_other_process_holds_what_numpy_says(pair, moved, random_rows, op, count):
    with pair("copy") as two:
        rows = random_rows(count, 1 << 18, seed=count)
        source, expected = two.bytes("prefill"), moved(two.bytes("prefill"), two.bytes("decode"), rows)
        assert two.prepare(op, rows) <= count
        assert two.move(op) == [[two.initiator(op)[0], "there"]]
        np.testing.assert_array_equal(two.bytes("decode"), expected)
        np.testing.assert_array_equal(two.bytes("prefill"), source)


def test_neighbours_are_merged_and_counted_once(pair):
    with pair("copy") as two:
        rows = np.column_stack((np.arange(64) * 64, np.arange(64) * 64, np.full(64, 64)))
        assert two.prepare("WRITE", rows) == 1
        assert two.prepare("WRITE", rows[::-1]) == 64


@pytest.mark.parametrize("op", ["WRITE", "READ"])
def test_a_dead_peer_is_lost(pair, op):
    with pair("copy") as two:
        two.prepare(op, np.array([[0, 0, 4096]]))
        initiator, target = two.initiator(op)
        os.kill(two.group.pids()[target], signal.SIGKILL)
        two.group._workers[target].process.wait()
        error = two.error(initiator, "post")
    assert error["code"] == "peer-lost"
    assert "is gone" in error["message"]


@pytest.mark.usefixtures("believe_complaints")
def test_an_address_that_is_not_mapped_fails_the_transfer(pair):
    with pair("copy", 1 << 16) as two:
        two.prepare("WRITE", np.array([[0, UNMAPPED - two.addresses["decode"], 4096]]))
        with pytest.raises(WorkerFailed, match="error: copy") as failed:
            two.ask("prefill", "post")
    assert failed.value.detail == "process_vm_writev: Bad address"


@pytest.mark.usefixtures("believe_complaints")
def test_a_row_that_runs_out_of_mapped_memory_is_told_with_what_was_moved(pair):
    """The first of two rows arrives, the second has nowhere to go."""
    with pair("copy", 1 << 16) as two:
        rows = np.array([[0, 0, 4096], [4096, UNMAPPED - two.addresses["decode"], 4096]])
        two.prepare("WRITE", rows)
        with pytest.raises(WorkerFailed, match="error: copy") as failed:
            two.ask("prefill", "post")
    assert "moved 4096 of 8192 bytes: an address is not mapped" in failed.value.detail


@pytest.fixture
def endpoints():
    """Return three endpoints in this process; the first two are connected."""
    made = [TRANSPORT.open(name, {}, "initiator") for name in ("a", "b", "stranger")]
    made[0].connect("b", made[1].metadata())
    made[1].connect("a", made[0].metadata())
    yield made
    for one in made:
        one.close()


def test_notifications_come_with_their_sender_in_order(endpoints):
    a, b, _ = endpoints
    assert b.progress() == []
    a.notify("b", b"1")
    a.notify("b", b"2")
    assert b.progress() == [("a", b"1"), ("a", b"2")]
    assert b.progress() == []


def test_notifications_come_only_from_a_peer(endpoints):
    """Anyone on the machine can send to an abstract name."""
    a, b, stranger = endpoints
    stranger.connect("b", b.metadata())
    stranger.notify("b", b"delivered")
    a.notify("b", b"mine")
    assert b.progress() == [("a", b"mine")]


def test_a_peer_that_has_not_looked_yet_is_not_lost(endpoints):
    """A datagram queue holds ten by default."""
    a, b, _ = endpoints
    sender = threading.Thread(target=lambda: [a.notify("b", b"%d" % number) for number in range(200)])
    sender.start()
    arrived = []
    while len(arrived) < 200:
        arrived += b.progress()
    sender.join()
    assert arrived == [("a", b"%d" % number) for number in range(200)]


def test_a_peer_that_has_closed_is_lost(endpoints):
    a, b, _ = endpoints
    b.close()
    with pytest.raises(PeerLost, match="b does not listen any more"):
        a.notify("b", b"?")


def test_a_peer_that_is_not_connected_yet_is_refused(endpoints):
    stranger = endpoints[2]
    with pytest.raises(TransferFailed, match="not connected to 'a'"):
        stranger.notify("a", b"?")
    with pytest.raises(TransferFailed, match="not connected to 'a'"):
        stranger.prepare(Op.WRITE, plans.rows(np.zeros(1, np.uint64), np.zeros(1, np.uint64), 8), "a", b"")


def test_another_agents_metadata_is_refused(endpoints):
    a, _, stranger = endpoints
    with pytest.raises(TransferFailed, match="metadata of 'stranger' came where 'c' was expected"):
        a.connect("c", stranger.metadata())


def test_what_copy_cannot_do_is_refused(endpoints):
    a = endpoints[0]
    rows = plans.rows(np.zeros(1, np.uint64), np.zeros(1, np.uint64), 8)
    for op, peer in ((Op.STORE, "b"), (Op.WRITE, None)):
        with pytest.raises(Unsupported):
            a.prepare(op, rows, peer, b"")


def test_a_transfer_is_posted_as_often_as_wanted(endpoints):
    a, b, _ = endpoints
    source, destination = np.arange(64, dtype=np.uint8), np.zeros(64, np.uint8)
    addresses = [np.array([side.ctypes.data], np.uint64) for side in (source, destination)]
    transfer = a.prepare(Op.WRITE, plans.rows(*addresses, 64), "b", b"x")
    for number in range(3):
        source += number
        assert transfer.post() is State.DONE
        assert transfer.poll() is State.DONE
        np.testing.assert_array_equal(destination, source)
    assert b.progress() == [("a", b"x")] * 3
