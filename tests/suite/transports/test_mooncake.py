"""`mooncake:tcp` between two real processes: every byte, what is refused, and what a failure leaves behind."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from suite.errors import BadInput, TransferFailed
from suite.transports.mooncake import DESCRIPTORS_PER_CALL, MooncakeTransport, _checked
from suite.transports.mooncake_peer import Peer
from suite.world.supervisor import Group, WorkerSpec

TRANSPORT = MooncakeTransport("mooncake:tcp")
needs_mooncake = pytest.mark.skipif(bool(TRANSPORT.missing()), reason=f"{TRANSPORT.missing()}")

SERVERS = Path(__file__).parent / "servers"
ROLES = ("prefill", "decode")
PLENTY_S = 60.0
NBYTES = 1 << 20
TELLING = {"host": "127.0.0.1", "port": 15000, "data_ports": [15001], "regions": [[1 << 40, 4096]]}


class Sides:
    """Two connected workers; rows are (source offset, destination offset, length)."""

    def __init__(self, group, settings, nbytes):
        self.group = group
        self.addresses = {role: self.ask(role, "begin", nbytes=nbytes, seed=seed) for seed, role in enumerate(ROLES)}
        self.open(settings)

    def open(self, settings):
        self.metadata = self.both("open", settings=settings)
        for role, peer in (ROLES, ROLES[::-1]):
            self.ask(role, "connect", peer=peer, metadata=self.metadata[peer])

    def ask(self, role, verb, **arguments):
        return self.group.ask(verb, {role: (verb, arguments)}, PLENTY_S)[role]

    def both(self, verb, **arguments):
        return self.group.ask(verb, dict.fromkeys(ROLES, (verb, arguments)), PLENTY_S)

    def initiator(self, op):
        return ROLES if op == "WRITE" else ROLES[::-1]

    def planned(self, op, rows, tag="there"):
        sides = {
            name: [[self.addresses[role] + int(row[column]), int(row[2]), 0] for row in rows]
            for name, role, column in (("source", "prefill", 0), ("destination", "decode", 1))
        }
        return {"op": op, "peer": self.initiator(op)[1], "tag": tag, **sides}

    def prepare(self, op, rows):
        return self.ask(self.initiator(op)[0], "prepare", **self.planned(op, rows))

    def move(self, op, times=1):
        """Run the prepared transfer; return the notifications that the target got."""
        initiator, target = self.initiator(op)
        questions = {initiator: ("run", {"times": times}), target: ("await_tags", {"count": times})}
        return self.group.ask("window", questions, PLENTY_S)[target]

    def bytes(self, role):
        return np.frombuffer(base64.b64decode(self.ask(role, "bytes")), np.uint8)

    def refusal(self, role, question, **arguments):
        """Return how a worker refuses; asked past the supervisor, which would blame a dead peer."""
        channel = self.group._workers[role].channel
        channel._socket.settimeout(PLENTY_S)
        channel.send({"do": "refusal", "with": {"question": question, **arguments}})
        return channel.receive()["ok"]


@pytest.fixture
def sides(tmp_path):
    """Return a context manager: two workers with connected endpoints."""

    @contextmanager
    def sides(settings=None, nbytes=NBYTES, **environment):
        path = os.pathsep.join(filter(None, [str(SERVERS), os.environ.get("PYTHONPATH")]))
        told = os.environ | {"PYTHONPATH": path} | environment
        cores = sorted(os.sched_getaffinity(0))
        specs = [WorkerSpec(role, "mooncake_sides:Sides", told, cores, tmp_path / f"{role}.log") for role in ROLES]
        with Group(specs) as group:
            yield Sides(group, settings or {}, nbytes)

    return sides


def contiguous(count, length):
    """Rows that nothing can merge: the destination is turned around."""
    order = np.arange(count)
    return np.column_stack((order * length, order[::-1] * length, np.full(count, length)))


@needs_mooncake
@pytest.mark.parametrize("op", ["WRITE", "READ"])
@pytest.mark.parametrize("count", [1, pytest.param(7, marks=pytest.mark.deep), 3000])  # 3000: more than one call
def test_the_other_process_holds_what_numpy_says(sides, moved, random_rows, op, count):
    with sides() as two:
        rows = random_rows(count, NBYTES, seed=count)
        source, expected = two.bytes("prefill"), moved(two.bytes("prefill"), two.bytes("decode"), rows)
        posted = two.prepare(op, rows)
        calls = two.ask(two.initiator(op)[0], "calls")
        assert sum(calls) == posted <= count
        assert len(calls) == -(-posted // DESCRIPTORS_PER_CALL)
        assert two.move(op) == [[two.initiator(op)[0], "there"]]
        np.testing.assert_array_equal(two.bytes("decode"), expected)
        np.testing.assert_array_equal(two.bytes("prefill"), source)
        told = two.ask(two.initiator(op)[0], "close", op=op)
        assert (told["wire"], told["source"]) == ("tcp", "TCP_INFO"), told


@needs_mooncake
@pytest.mark.parametrize("op", ["WRITE", "READ"])
def test_evidence_counts_every_post(sides, op):
    with sides() as two:
        two.prepare(op, contiguous(16, 4096))
        two.move(op, times=3)
        told = two.ask(two.initiator(op)[0], "close", op=op)
        counted, claimed = map(int, re.search(r"(\d+) bytes \w+, (\d+) moved", told["detail"]).groups())
        assert claimed == 3 * 16 * 4096 <= counted < 2 * claimed


@needs_mooncake
@pytest.mark.parametrize("op", ["WRITE", "READ"])
def test_bytes_that_tcp_did_not_carry_are_not_said_to_be_tcp(sides, op):
    with sides() as two:
        initiator, target = two.initiator(op)
        two.prepare(op, contiguous(16, 4096))
        two.move(op)
        two.ask(initiator, "claim", op=op, peer=target, nbytes=1 << 20)
        told = two.ask(initiator, "close", op=op)
        assert told["wire"] == "unknown"
        assert "did not carry it all" in told["reason"]


@pytest.mark.deep
@needs_mooncake
def test_an_engine_is_the_points_own(sides):
    """A second point in the same process starts at nothing, and can be had."""
    with sides() as two:
        for count in (64, 1):
            two.prepare("WRITE", contiguous(count, 4096))
            two.move("WRITE")
            told = two.both("close", op="WRITE")["prefill"]
            assert told["wire"] == "tcp", told
            assert int(re.search(r"(\d+) bytes", told["detail"])[1]) < 2 * count * 4096
            two.open({})


@needs_mooncake
def test_without_its_connection_pool_nothing_is_proven(sides):
    with sides(MC_TCP_ENABLE_CONNECTION_POOL="0") as two:
        two.prepare("WRITE", contiguous(4, 4096))
        two.move("WRITE")
        told = two.ask("prefill", "close", op="WRITE")
        assert told["wire"] == "unknown"
        assert "MC_TCP_ENABLE_CONNECTION_POOL" in told["reason"]


@needs_mooncake
@pytest.mark.parametrize("op", ["WRITE", "READ"])
def test_after_a_failure_nothing_is_posted_any_more(sides, op):
    """A real refusal of Mooncake's: queues of two, and calls that do not know of it."""
    with sides(MC_TCP_MAX_QUEUED_TRANSFERS_PER_PEER="2", MC_TCP_MAX_PENDING_ADMISSIONS_PER_PEER="2") as two:
        initiator = two.initiator(op)[0]
        two.prepare(op, contiguous(1024, 1024))
        failed = two.refusal(initiator, "run")
        assert (failed["kind"], failed["code"]) == ("TransferFailed", "mooncake")
        assert "bytes may still land" in failed["hint"]
        two.prepare(op, contiguous(1, 64))
        again = two.refusal(initiator, "run")
        assert again["code"] == "mooncake-refused"
        assert again["seconds"] < 0.5  # Mooncake itself is not asked: it can take a second to say no


@needs_mooncake
def test_calls_shorter_than_the_queues_pass_where_long_ones_fail(sides, moved):
    """The setting that goes with the two variables really steers what is handed over at once."""
    rows = contiguous(1024, 1024)
    queues = {"MC_TCP_MAX_QUEUED_TRANSFERS_PER_PEER": "2", "MC_TCP_MAX_PENDING_ADMISSIONS_PER_PEER": "2"}
    with sides({"descriptors_per_call": "4"}, **queues) as two:
        expected = moved(two.bytes("prefill"), two.bytes("decode"), rows)
        assert two.prepare("WRITE", rows) == 1024
        assert two.ask("prefill", "calls") == [4] * 256
        two.move("WRITE")
        np.testing.assert_array_equal(two.bytes("decode"), expected)


@needs_mooncake
@pytest.mark.parametrize("op", ["WRITE", "READ"])
def test_a_killed_peer_is_an_error_and_soon(sides, op):
    with sides() as two:
        initiator, target = two.initiator(op)
        two.prepare(op, contiguous(16, 4096))
        two.move(op)
        os.kill(two.group.pids()[target], signal.SIGKILL)
        two.group._workers[target].process.wait()
        failed = two.refusal(initiator, "run")
        assert (failed["kind"], failed["code"]) == ("PeerLost", "peer-lost")
        assert failed["seconds"] < 20


@needs_mooncake
def test_memory_that_neither_side_registered_is_refused(sides):
    """Mooncake reads local memory that it was never given without a complaint."""
    with sides() as two:
        for row in ([NBYTES, 0, 64], [0, NBYTES, 64], [NBYTES - 63, 0, 64], [0, NBYTES - 63, 64], [-64, 0, 64]):
            failed = two.refusal("prefill", "prepare", **two.planned("WRITE", [row]))
            assert failed["code"] == "not-registered", row
        assert two.prepare("WRITE", [[NBYTES - 64, NBYTES - 64, 64]]) == 1


@needs_mooncake
def test_a_stranger_is_no_peer(sides):
    with sides() as two:
        planned = two.planned("WRITE", [[0, 0, 64]]) | {"peer": "stranger"}
        assert two.refusal("prefill", "prepare", **planned)["code"] == "not-connected"
        metadata = two.metadata["decode"]
        assert two.refusal("prefill", "connect", peer="stranger", metadata=metadata)["code"] == "wrong-peer"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("host", value)
            for value in (None, 7, "localhost", "127.0.0.1:1", "::1", "0x7f.1", "", "1.2.3.4/8", ["127.0.0.1"])
        ),
        *(("port", value) for value in (None, 0, -1, 65536, "15000", 1.0, True)),
        *(("data_ports", value) for value in (None, 15001, [0], ["1"], [1] * 65, {"1": 1}, "1")),
        *(("regions", value) for value in (None, [[1]], [[1, 2, 3]], [[-1, 4]], [[1, 0]], [[1 << 63, 1]], [["1", 1]])),
        ("regions", [[1, 1]] * 4097),
    ],
)
def test_metadata_of_another_shape_is_refused(field, value):
    told = json.loads(json.dumps(TELLING | {field: value}))
    with pytest.raises(TransferFailed) as refused:
        Peer.told("decode", told)
    assert refused.value.code == "bad-metadata"
    assert len(refused.value.message) < 300
    without = {name: one for name, one in TELLING.items() if name != field}
    with pytest.raises(TransferFailed):
        Peer.told("decode", without)


def test_metadata_of_our_own_shape_is_not_refused():
    peer = Peer.told("decode", TELLING)
    assert (peer.name, peer.data_ports, peer.regions.tolist()) == ("127.0.0.1:15000", (15001,), [[1 << 40, 4096]])


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "localhost"},
        {"host": "::1"},
        {"protocol": "rdma"},
        *({"descriptors_per_call": value} for value in ("0", "-1", "1.5", "", "9" * 5000, "٣")),
    ],
)
def test_settings_that_are_not_ours_are_refused(settings):
    with pytest.raises(BadInput):
        _checked(settings)


def test_it_binds_to_loopback_and_keeps_to_itself():
    assert _checked({}) == ("127.0.0.1", DESCRIPTORS_PER_CALL)
    assert TRANSPORT.traits.alone
    assert TRANSPORT.traits.max_descriptors == DESCRIPTORS_PER_CALL


def test_what_is_missing_is_said_without_loading_anything(monkeypatch):
    monkeypatch.setattr("suite.transports.mooncake.find_spec", lambda _: None)
    assert "pip install mooncake-transfer-engine-non-cuda" in (TRANSPORT.missing() or "")


@needs_mooncake
def test_a_library_that_the_loader_cannot_find_is_named(monkeypatch):
    monkeypatch.setattr("suite.transports.libraries._SYSTEM", ())
    assert "apt-get install libibverbs1 libnuma1 libcurl4" in (TRANSPORT.missing({}) or "")
