"""The raw stream: what it moves is right, and only its peer may speak to it."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque

import numpy as np
import pytest

from perf.calibration.tcp import TcpTransport
from suite.errors import PeerLost, TransferFailed, Unsupported
from suite.kv.plan import rows
from suite.memory.host import HostRegion
from suite.transports.base import Op, State

TRANSPORT = TcpTransport("calibration:tcp")


@pytest.fixture
def pair():
    """Return a connected sender and receiver."""
    ends = TRANSPORT.open("a", {}, "initiator"), TRANSPORT.open("b", {}, "target")
    told = [end.metadata() for end in ends]
    accepting = threading.Thread(target=ends[1].connect, args=("a", told[0]))
    accepting.start()
    ends[0].connect("b", told[1])
    accepting.join()
    yield ends
    for end in ends:
        end.close()


def test_scattered_rows_arrive_in_their_places_and_nowhere_else(pair):
    source, destination = HostRegion(1 << 16, "4k"), HostRegion(1 << 16, "4k")
    source.view()[:] = np.random.default_rng(1).integers(1, 255, 1 << 16)
    places = [8192, 64, 4096], [128, 32768, 4096]
    plan = rows(*(np.uint64(region.address) + np.array(at, np.uint64)
                  for region, at in zip((source, destination), places, strict=True)), 1024)  # fmt: skip
    sends, receives = pair[0].prepare(Op.WRITE, plan, "b", b""), pair[1].prepare(Op.WRITE, plan, "a", b"")
    assert receives.post() is State.PENDING
    assert sends.post() is State.DONE
    assert receives.poll() is State.DONE
    expected = np.zeros(1 << 16, np.uint8)
    for here, there in zip(*places, strict=True):
        expected[there : there + 1024] = source.view()[here : here + 1024]
    assert np.array_equal(destination.view(), expected)


def test_notifications_come_whole_and_one_by_one(pair):
    for tag in (b"one", b"", b"three"):
        pair[1].notify("a", tag)
    arrived = []
    while len(arrived) < 3:
        arrived += pair[0].progress()
    assert arrived == [("b", b"one"), ("b", b""), ("b", b"three")]


def test_half_a_notification_is_none(pair):
    pair[1]._connection.sendall(b"\0\5hel")
    assert pair[0].progress() == []
    pair[1]._connection.sendall(b"lo")
    arrived = []
    while not arrived:
        arrived = pair[0].progress()
    assert arrived == [("b", b"hello")]


def test_a_peer_that_is_gone_is_told(pair):
    pair[1].close()
    with pytest.raises(PeerLost):
        deque(iter(pair[0].progress, None))  # until it raises


def test_a_stranger_is_refused():
    target = TRANSPORT.open("b", {}, "target")
    told = json.loads(target.metadata())
    with socket.create_connection((told["address"], told["port"])) as stranger:
        stranger.sendall(b"0" * 32)
        with pytest.raises(TransferFailed, match="somebody else"):
            target.connect("a", json.dumps({"agent": "a"}).encode())
    target.close()


def test_it_listens_on_the_loopback_unless_told_otherwise():
    target = TRANSPORT.open("b", {}, "target")
    assert json.loads(target.metadata())["address"] == "127.0.0.1"
    target.close()


def test_what_it_cannot_do_is_refused(pair):
    with pytest.raises(Unsupported):
        pair[0].notify("b", b"x")
    with pytest.raises(Unsupported):
        pair[0].prepare(Op.READ, None, "b", b"")
