"""UCX by tag messages between two real processes; what numpy says must arrive, and what UCXX gets wrong by itself."""

from __future__ import annotations

import base64
import os
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from suite.cuda_emulator.environment import environment
from suite.transports.ucx import UcxTransport
from suite.world.supervisor import Group, WorkerSpec

TRANSPORT = UcxTransport("ucx")
pytestmark = pytest.mark.skipif(bool(TRANSPORT.missing()), reason=f"{TRANSPORT.missing()}")

SERVERS = Path(__file__).parent / "servers"
ROLES = ("prefill", "decode")
PLENTY_S = 60.0
ROWS, LENGTH = 64, 4096
ORDER = np.random.default_rng(11).permutation(ROWS)
IN_ORDER = np.column_stack((np.arange(ROWS) * LENGTH, np.arange(ROWS) * LENGTH, np.full(ROWS, LENGTH)))
SHUFFLED = np.column_stack((IN_ORDER[:, 0], IN_ORDER[ORDER, 1], IN_ORDER[:, 2]))
UNEVEN = np.column_stack((IN_ORDER[:, 0], IN_ORDER[ORDER, 1] + 13, 1 + np.arange(ROWS) * 31))


class Sides:
    """A sender and a receiver; rows are (source offset, destination offset, length)."""

    def __init__(self, group, nbytes, kinds=("host", "host"), settings=None):
        self.group = group
        self.addresses = {
            role: self.ask(role, "begin", nbytes=nbytes, seed=seed, kind=kinds[seed]) for seed, role in enumerate(ROLES)
        }
        self.open(settings)

    def open(self, settings=None):
        self.metadata = self.both("open", settings=settings or {})
        for role, peer in (ROLES, ROLES[::-1]):
            self.ask(role, "connect", peer=peer, metadata=self.metadata[peer])

    def ask(self, role, verb, **arguments):
        return self.group.ask(verb, {role: (verb, arguments)}, PLENTY_S)[role]

    def both(self, verb, **arguments):
        return self.group.ask(verb, dict.fromkeys(ROLES, (verb, arguments)), PLENTY_S)

    def prepare(self, rows, tag=""):
        return self.both("prepare", rows=np.asarray(rows).tolist(), addresses=self.addresses, tag=tag)

    def bytes(self, role):
        return np.frombuffer(base64.b64decode(self.ask(role, "bytes")), np.uint8)

    def error(self, role, verb, **arguments):
        """Return the error of one worker whose peer is dead; the supervisor would blame the peer."""
        channel = self.group._workers[role].channel
        channel._socket.settimeout(PLENTY_S)
        channel.send({"do": verb, "with": arguments})
        return channel.receive().get("error")

    def refusal(self, role, question, **arguments):
        return self.ask(role, "refusal", question=question, arguments=arguments)

    def kill(self, role):
        os.kill(self.group.pids()[role], signal.SIGKILL)
        self.group._workers[role].process.wait()


@pytest.fixture
def sides(tmp_path):
    """Return a context manager: two workers with connected endpoints."""

    @contextmanager
    def sides(nbytes=1 << 18, kinds=("host", "host"), settings=None, **more):
        python_path = os.pathsep.join(filter(None, [str(SERVERS), os.environ.get("PYTHONPATH")]))
        specs = [
            WorkerSpec(
                role,
                "ucx_sides:Sides",
                {
                    **os.environ,
                    **TRANSPORT.traits.environment,
                    "PYTHONPATH": python_path,
                    "UCX_LOG_FILE": str(tmp_path / f"{role}.ucx.log"),
                    **more,
                },
                sorted(os.sched_getaffinity(0)),
                tmp_path / f"{role}.log",
            )
            for role in ROLES
        ]
        with Group(specs) as group:
            yield Sides(group, nbytes, kinds, settings)

    return sides


PLANS = {
    "contiguous": (IN_ORDER, "Direct"),
    "one row inside": ([[5, 77, 1001]], "Direct"),
    "shuffled": (SHUFFLED, "Grid"),
    "some neighbours": (IN_ORDER[[0, 2, 3, 7, 9, 11, 12, 13, 40, 43, 44, 45, 50]], "Grid"),
    "off by one word": (SHUFFLED[:63] + np.array([8, 8, 0]), "Grid"),
    "off by 3 bytes": (SHUFFLED[:63] + np.array([3, 3, 0]), "Grid"),
    "rows of 100 bytes, every 200": ([[i * 200, i * 200 + 50, 100] for i in range(1000)], "Grid"),
    "rows of 100 bytes, every 250": ([[i * 250, i * 250 + 7, 100] for i in range(1000)], "Runs"),
}


def test_every_byte_arrives_at_its_place_and_nothing_else_changes(sides, moved, random_rows):
    """One message for each plan, sent from its place where the plan is one row; two posts each."""
    with sides((1 << 18) + 64) as two:
        source, expected = two.bytes("prefill"), two.bytes("decode")
        plans = PLANS | {"any length at any place": (random_rows(500, 1 << 18, 5), "Runs")}
        for number, (name, (rows, packing)) in enumerate(plans.items()):
            told = two.prepare(rows)
            assert told["prefill"] == {"descriptors": 1, "packing": packing}, name
            two.both("run", order=[number], times=2)
            expected = moved(source, expected, rows)
            np.testing.assert_array_equal(two.bytes("decode"), expected, name)
        np.testing.assert_array_equal(two.bytes("prefill"), source)


@pytest.mark.parametrize("error_handling", ["on", pytest.param("off", marks=pytest.mark.deep)])
def test_thousands_of_rows(sides, moved, error_handling):
    rows = [[index * 64, to * 64, 64] for index, to in enumerate(np.random.default_rng(3).permutation(5000).tolist())]
    with sides(1 << 19, settings={"error_handling": error_handling}) as two:
        expected = moved(two.bytes("prefill"), two.bytes("decode"), np.array(rows))
        two.prepare(rows)
        two.both("run", times=3)
        np.testing.assert_array_equal(two.bytes("decode"), expected)


@pytest.mark.parametrize(("error_handling", "wire"), [("on", "tcp"), ("off", "cma")])
def test_the_wire_is_named_and_every_endpoint_has_its_own_evidence(sides, error_handling, wire):
    """Two endpoints after each other in the same processes; large messages are a rendezvous, which has two sides."""
    with sides(1 << 22, settings={"error_handling": error_handling}) as two:
        for posts in (3, 5):
            two.prepare(SHUFFLED * 16)
            two.both("run", times=posts)
            found = two.both("close")
            assert {role: one["wire"] for role, one in found.items()} == {"prefill": wire, "decode": wire}
            assert found["decode"]["count"] == posts
            assert "rendezvous data fetch" in found["decode"]["operation"]
            if error_handling == "on":  # the sender wrote, in fragments
                assert "rendezvous data send" in found["prefill"]["operation"]
                assert found["prefill"]["count"] % posts == 0
            else:
                assert found["prefill"]["count"] == posts
            two.open({"error_handling": error_handling})
    assert [worker.process.returncode for worker in two.group._workers.values()] == [0, 0]


@pytest.mark.parametrize(
    ("error_handling", "wires"), [pytest.param("on", {"tcp"}, marks=pytest.mark.deep), ("off", {"sysv", "posix"})]
)
def test_small_messages_are_counted_by_their_sender(sides, error_handling, wires):
    """4 KiB are eager: the receiver has nothing to tell. What the endpoints tell each other is not counted."""
    with sides(settings={"error_handling": error_handling}) as two:
        two.prepare(IN_ORDER[:1])
        two.both("run", times=4)
        found = two.both("close")
    assert found["prefill"]["wire"] in wires
    assert found["prefill"]["count"] == 4
    assert found["decode"]["wire"] == "unknown"


def test_samples_under_way_together_do_not_mix(sides, moved):
    """Twenty of one size, received in the opposite order of sending, many times over."""
    samples = [[[i * LENGTH, (ROWS - 1 - i) * LENGTH, LENGTH]] for i in range(20)]
    with sides() as two:
        expected = moved(two.bytes("prefill"), two.bytes("decode"), np.concatenate(samples))
        for rows in samples:
            two.prepare(rows)
        orders = {"prefill": list(range(20)), "decode": list(range(19, -1, -1))}
        two.group.ask("run", {role: ("run", {"order": order, "times": 5}) for role, order in orders.items()}, PLENTY_S)
        np.testing.assert_array_equal(two.bytes("decode"), expected)


@pytest.mark.deep
def test_posts_are_counted_round(sides, moved):
    """More posts of one transfer than the tag has numbers for."""
    with sides() as two:
        expected = moved(two.bytes("prefill"), two.bytes("decode"), SHUFFLED[:2])
        two.prepare(SHUFFLED[:2])
        two.both("run", times=9000)
        np.testing.assert_array_equal(two.bytes("decode"), expected)


def test_phases_add_up_over_posts(sides):
    with sides() as two:
        two.prepare(SHUFFLED)
        seconds = two.both("run", times=3)
        after_three = two.both("phases")
        two.both("run", times=3)
        after_six = two.both("phases")
    assert set(after_three["prefill"]) == {"gather", "send"}
    assert set(after_three["decode"]) == {"receive", "scatter"}
    for role in ROLES:
        assert sum(after_three[role].values()) <= seconds[role] * 1e9
        assert all(0 < after_three[role][phase] < after_six[role][phase] for phase in after_three[role])


def test_notifications_go_both_ways_and_a_tag_comes_after_its_bytes(sides):
    with sides() as two:
        two.prepare(SHUFFLED, tag="there")
        two.both("run")
        assert two.ask("decode", "await_tags", count=1) == [["prefill", "there"]]
        for role, peer in (ROLES, ROLES[::-1]):
            for tag in ("one", "two", "x" * 4096):
                questions = {role: ("notify", {"peer": peer, "tag": tag}), peer: ("await_tags", {"count": 1})}
                assert two.group.ask("notify", questions, PLENTY_S)[peer] == [[role, tag]]
        for tag in ("", "x" * 4097):
            assert two.refusal("prefill", "notify", peer="decode", tag=tag)["code"] == "bad-tag"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([[0, 0, 100]], [[0, 0, 4096]]),  # too short: UCX delivers it as if it were whole
        pytest.param([[0, 0, 4096]], [[0, 0, 100]], marks=pytest.mark.deep),  # too long
        pytest.param(  # as long, but cut otherwise
            [[0, 0, 100], [300, 300, 50]], [[0, 0, 50], [300, 300, 100]], marks=pytest.mark.deep
        ),
        pytest.param([[0, 0, 1 << 17]], [[0, 0, 1 << 16]], marks=pytest.mark.deep),  # a rendezvous
    ],
)
def test_a_message_of_another_plan_is_a_failure(sides, ours, theirs):
    with sides() as two:
        before = two.bytes("decode")
        for role, rows in zip(ROLES, (ours, theirs), strict=True):
            two.ask(role, "prepare", rows=rows, addresses=two.addresses)
        two.ask("decode", "post")
        two.ask("prefill", "post")
        questions = {
            "prefill": ("pump", {"seconds": 0.3}),
            "decode": ("refusal", {"question": "poll", "arguments": {"seconds": 20}}),
        }
        refusal = two.group.ask("poll", questions, PLENTY_S)["decode"]
        after = two.bytes("decode")
    assert refusal["code"] == "plans-differ"
    sizes = [sum(row[2] for row in rows) for rows in (ours, theirs)]
    assert refusal["message"].startswith(f"ucx: the sender has {sizes[0]} bytes in {len(ours)} rows")
    assert f"expects {sizes[1]} in {len(theirs)}" in refusal["message"]
    untouched = 0 if len(theirs) > 1 else theirs[0][2]  # staged; else UCX may fill the buffer before it finds out
    np.testing.assert_array_equal(after[untouched:], before[untouched:])


def test_a_buffer_that_ucxx_would_send_wrongly_is_refused(sides):
    with sides() as two:
        for what in ("gaps", "strided", "words", "grid"):
            assert two.refusal("prefill", "buffer", what=what)["code"] == "not-contiguous"


def test_a_transfer_under_way_is_not_posted_again(sides):
    with sides() as two:
        two.prepare(SHUFFLED)
        two.ask("decode", "post")
        assert two.refusal("decode", "post")["code"] == "active"


def test_rows_outside_the_region_are_refused(sides):
    with sides() as two:
        for rows in ([[0, 0, (1 << 18) + 1]], [[1 << 18, 1 << 18, 1]], [[0, 0, 8], [-8, -8, 8]]):
            for role in ROLES:
                assert two.refusal(role, "prepare", rows=_wrapped(rows), addresses=two.addresses)["code"] == (
                    "not-registered"
                )


def _wrapped(rows):
    return np.array(rows).astype(np.uint64).tolist()


@pytest.mark.parametrize("first", [True, pytest.param(False, marks=pytest.mark.deep)])
def test_a_sender_that_dies_is_lost_to_its_receiver(sides, first):
    """Its receive would be pending for ever; before the first message as after it. The worker leaves in good order."""
    with sides() as two:
        two.prepare(SHUFFLED)
        if not first:
            two.both("run")
        two.ask("decode", "post")
        two.kill("prefill")
        error = two.error("decode", "poll", seconds=20)
        assert error["code"] == "peer-lost"
        assert "receive a message" in error["message"]
        assert two.error("decode", "close") is None
    assert two.group._workers["decode"].process.returncode == 0


def test_a_receiver_that_dies_is_lost_to_its_sender(sides):
    """In the middle of a message: more than the sockets hold, to one that is stopped first."""
    nbytes = 64 << 20
    with sides(nbytes) as two:
        two.prepare([[0, 0, nbytes]])
        two.both("run")
        os.kill(two.group.pids()["decode"], signal.SIGSTOP)
        assert two.ask("prefill", "post") == "PENDING"
        two.kill("decode")
        assert two.error("prefill", "poll", seconds=20)["code"] == "peer-lost"
        assert two.error("prefill", "notify", peer="decode", tag="x")["code"] == "peer-lost"


def test_what_a_dead_peer_was_still_to_get_does_not_stop_the_others(sides):
    """Driving UCX goes on without an error; who asks for that peer again is told."""
    with sides() as two:
        rows = {"rows": SHUFFLED.tolist(), "addresses": two.addresses}
        two.kill("decode")
        assert two.error("prefill", "prepare", **rows) is None  # the announcement is under way
        assert two.error("prefill", "pump", seconds=1) is None
        assert two.error("prefill", "prepare", **rows)["code"] == "peer-lost"
        assert two.error("prefill", "close") is None


@pytest.mark.deep
def test_without_error_handling_a_dead_sender_is_not_noticed(sides):
    """As UCX has it: the supervisor, which sees the process die, ends the point."""
    with sides(settings={"error_handling": "off"}) as two:
        two.prepare(SHUFFLED)
        two.both("run")
        two.ask("decode", "post")
        two.kill("prefill")
        assert two.error("decode", "poll", seconds=3) is None


@pytest.mark.parametrize("given", [{}, pytest.param({"UCX_RNDV_THRESH": "12345"}, marks=pytest.mark.deep)])
def test_importing_ucxx_changes_nothing_that_ucx_reads(sides, given):
    """UCX has its own defaults, as under TensorRT-LLM, and the caller's variables."""
    with sides(**given) as two:
        variables, configured = two.ask("prefill", "variables"), two.ask("prefill", "configuration")
    assert {name: value for name, value in variables.items() if name != "UCX_LOG_FILE"} == {
        "UCX_PROTO_INFO": "used",
        "UCX_MEMTYPE_CACHE": "try",
        "UCX_RNDV_PIPELINE_ERROR_HANDLING": "y",
        **given,
    }
    assert configured["RNDV_PIPELINE_ERROR_HANDLING"] == "y"
    assert configured["RNDV_THRESH"] == "intra:{0},inter:{0}".format(given.get("UCX_RNDV_THRESH", "auto"))
    assert configured["MAX_RNDV_RAILS"] == "2"


def test_the_callers_variables_win_over_ours(monkeypatch):
    monkeypatch.setenv("UCX_MEMTYPE_CACHE", "y")
    assert UcxTransport("ucx").traits.environment["UCX_MEMTYPE_CACHE"] == "y"


@pytest.fixture
def emulated(tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    return environment(2, base=os.environ, logs=tmp_path)


@pytest.mark.deep
@pytest.mark.parametrize("kinds", [("cuda:0", "cuda:1"), ("cuda:1", "host"), ("host", "cuda:1"), ("cuda:0", "cuda:0")])
@pytest.mark.parametrize("error_handling", ["on", "off"])
def test_device_memory_on_the_emulated_driver(sides, moved, emulated, kinds, error_handling):
    """Gathered and scattered on the device; one row goes from its place."""
    with sides(kinds=kinds, settings={"error_handling": error_handling}, **emulated) as two:
        expected = two.bytes("decode")
        for number, rows in enumerate((UNEVEN, SHUFFLED, np.array([[64, 128, 1 << 17]]))):
            expected = moved(two.bytes("prefill"), expected, rows)
            two.prepare(rows)
            two.both("run", order=[number], times=2)
            np.testing.assert_array_equal(two.bytes("decode"), expected)
        found = two.both("close")
    if "host" not in kinds:
        assert {one["wire"] for one in found.values()} == {"cuda_ipc"}
    assert found["prefill"]["wire"] != "unknown"
    assert [worker.process.returncode for worker in two.group._workers.values()] == [0, 0]
