"""Copies with a device at the other side, in two real processes on the emulated driver, against numpy."""

from __future__ import annotations

import base64
import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from suite.cuda_emulator.environment import environment
from suite.errors import TransferFailed, Unsupported
from suite.kv import plan as plans
from suite.memory.host import HostRegion
from suite.transports.base import Op
from suite.transports.device_copy import MEMORY, DeviceCopyEndpoint
from suite.world.supervisor import Group, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

pytestmark = pytest.mark.deep  # a process with CUDA for each test

SERVERS = Path(__file__).parent / "servers"
PLENTY_S = 60.0
NBYTES = 1 << 16
ROLES = ("prefill", "decode")
DTOD, HTOD, DTOH, PEER = (f"cuMemcpy{kind}Async" for kind in ("DtoD", "HtoD", "DtoH", "Peer"))


class Pair:
    """A prefill and a decode worker, each with its regions; offsets here, addresses there."""

    def __init__(self, group: Group, places: Mapping[str, list[str]]) -> None:
        self.group = group
        self.addresses = {
            role: self.ask(role, "begin", places=places[role], nbytes=NBYTES, seed=seed)
            for seed, role in enumerate(ROLES)
        }
        self.metadata = {role: self.ask(role, "metadata") for role in ROLES}

    def connected(self, *, peer_access: bool = True) -> Pair:
        for role, peer in (ROLES, ROLES[::-1]):
            self.ask(role, "connect", peer=peer, metadata=self.metadata[peer], peer_access=peer_access)
        return self

    def ask(self, role: str, verb: str, **arguments: Any) -> Any:
        return self.group.ask(verb, {role: (verb, arguments)}, PLENTY_S)[role]

    def sides(self, op: str) -> tuple[str, str]:
        """Return the initiator of `op`, and its target."""
        return ROLES if op == "WRITE" else (ROLES[1], ROLES[0])

    def prepare(self, op: str, rows: NDArray[np.int64], regions: tuple[int, int] = (0, 0), tag: str = "there") -> int:
        """Prepare rows of (source offset, destination offset, length) between one region of each."""
        initiator, peer = self.sides(op)
        tables = {
            name: [[self.addresses[role][regions[column]] + int(row[column]), int(row[2]), 0] for row in rows]
            for column, (name, role) in enumerate(zip(("source", "destination"), ROLES, strict=True))
        }
        return int(self.ask(initiator, "prepare", op=op, peer=peer, tag=tag, **tables))

    def move(self, op: str, times: int = 1) -> list[list[str]]:
        """Run the prepared transfer; return the notifications that the target got."""
        initiator, target = self.sides(op)
        questions: dict[str, tuple[str, dict[str, Any]]] = {
            initiator: ("run", {"times": times}),
            target: ("await_tags", {"count": times}),
        }
        answers = self.group.ask("window", questions, PLENTY_S)
        assert answers[initiator] == ["DONE"] * times
        arrived: list[list[str]] = answers[target]
        return arrived

    def bytes(self, role: str, region: int = 0) -> NDArray[np.uint8]:
        return np.frombuffer(base64.b64decode(self.ask(role, "bytes", region=region)), np.uint8)

    def refused(self, role: str, question: str, **arguments: Any) -> dict[str, str]:
        """Return the error of a question that must be refused; the worker lives on."""
        error: dict[str, str] = self.ask(role, "refusal", question=question, arguments=arguments)
        return error

    def refused_row(self, op: str, starts: tuple[int, int], length: int) -> dict[str, str]:
        """Return the error of preparing one row of these offsets at the source and the destination."""
        initiator, peer = self.sides(op)
        source, destination = (
            [[self.addresses[role][0] + start, length, 0]] for role, start in zip(ROLES, starts, strict=True)
        )
        return self.refused(initiator, "prepare", op=op, peer=peer, tag="", source=source, destination=destination)


@pytest.fixture
def copies(tmp_path: Path) -> Callable[..., Any]:
    """Return a context manager: two workers on emulated devices, with regions in the places that are named."""

    @contextmanager
    def copies(
        prefill: str | list[str], decode: str | list[str], devices: Mapping[str, int] | None = None
    ) -> Iterator[Pair]:
        counts = devices or {}
        base = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(SERVERS), os.environ.get("PYTHONPATH")]))}
        specs = [
            WorkerSpec(
                role,
                "device_copies:Copies",
                base | environment(counts.get(role, 2), base=base, logs=tmp_path, memory_bytes=8 << 20, strict=True),
                sorted(os.sched_getaffinity(0)),
                tmp_path / f"{role}.log",
            )
            for role in ROLES
        ]
        places = {
            role: [place] if isinstance(place, str) else place
            for role, place in (("prefill", prefill), ("decode", decode))
        }
        with Group(specs) as group:
            yield Pair(group, places)

    return copies


WHOLE = np.array([[0, 0, NBYTES]])
WAYS = [
    ("WRITE", "cuda:0", "cuda:1", DTOD),
    ("WRITE", "cuda:0", "cuda:0", DTOD),
    ("WRITE", "host", "cuda:1", HTOD),
    ("WRITE", "cuda:1 vmm", "cuda:0", DTOD),
    ("WRITE", "cuda:1 inside", "cuda:1 inside", DTOD),
    ("READ", "cuda:0", "cuda:1", DTOD),
    ("READ", "cuda:1", "cuda:1", DTOD),
    ("READ", "cuda:1", "host", DTOH),
    ("READ", "cuda:0 inside", "cuda:1 vmm", DTOD),
]


@pytest.mark.parametrize("way", WAYS)
def test_the_other_process_holds_what_numpy_says(
    copies: Callable[..., Any],
    moved: Callable[..., Any],
    random_rows: Callable[..., Any],
    way: tuple[str, str, str, str],
) -> None:
    """Rows of any length at any place arrive, nothing else changes, and the call that did it is the evidence."""
    op, source, destination, call = way
    with copies(source, destination) as two:
        two.connected()
        rows = random_rows(300, NBYTES, seed=1)
        before, expected = two.bytes("prefill"), moved(two.bytes("prefill"), two.bytes("decode"), rows)
        posted = two.prepare(op, rows)
        initiator, target = two.sides(op)
        assert posted <= 300
        assert two.move(op, times=2) == [[initiator, "there"]] * 2
        np.testing.assert_array_equal(two.bytes("decode"), expected)
        np.testing.assert_array_equal(two.bytes("prefill"), before)
        evidence = two.ask(initiator, "close", op=op)
        assert evidence == {"wire": "cuda copy", "source": call, "count": 2 * posted, "reason": "", "alive": 0}
        assert two.ask(target, "close", op=op)["reason"] == f"copy: no {op} was posted"


def test_host_memory_is_page_locked_from_connecting_to_closing(copies: Callable[..., Any]) -> None:
    """From pageable memory the driver would copy twice, and the ceiling would be too low."""
    with copies("host", "cuda:0") as two:
        assert not two.ask("prefill", "driver_knows")
        two.connected()
        assert two.ask("prefill", "driver_knows")
        two.ask("prefill", "close_endpoint")
        assert not two.ask("prefill", "driver_knows")


def test_the_peers_memory_is_open_from_connecting_to_closing(copies: Callable[..., Any]) -> None:
    """What stays open keeps the peer's memory from being freed; this side's region keeps its context alive."""
    with copies("cuda:0", "cuda:1") as two:
        two.connected()
        assert two.ask("prefill", "driver_knows", peer="decode")
        two.ask("prefill", "close_endpoint")
        assert not two.ask("prefill", "driver_knows", peer="decode")
        assert two.ask("prefill", "driver_knows")


def test_a_transfer_can_be_posted_by_any_thread(copies: Callable[..., Any]) -> None:
    """A context is a thread's own: posting brings it along."""
    with copies("cuda:0", "cuda:1") as two:
        two.connected()
        two.prepare("WRITE", WHOLE)
        assert two.ask("prefill", "run_in_a_thread") == ["DONE"]
        np.testing.assert_array_equal(two.bytes("decode"), two.bytes("prefill"))


@pytest.mark.parametrize("op", ["WRITE", "READ"])
def test_devices_without_peer_access_copy_by_the_drivers_peer_copy(copies: Callable[..., Any], op: str) -> None:
    """Where one device cannot map the other's memory, the driver takes the bytes through the host."""
    with copies("cuda:0", "cuda:1") as two:
        two.connected(peer_access=False)
        two.prepare(op, WHOLE)
        two.move(op)
        np.testing.assert_array_equal(two.bytes("decode"), two.bytes("prefill"))
        initiator, _ = two.sides(op)
        assert two.ask(initiator, "close", op=op) == {
            "wire": "cuda copy",
            "source": PEER,
            "count": 1,
            "reason": "",
            "alive": 0,
        }


def test_neighbours_are_merged_and_counted_once(copies: Callable[..., Any]) -> None:
    with copies("cuda:0", "cuda:1") as two:
        two.connected()
        rows = np.column_stack((np.arange(64) * 64, np.arange(64) * 64, np.full(64, 64)))
        assert two.prepare("WRITE", rows) == 1
        assert two.prepare("WRITE", rows[::-1]) == 64


def test_host_and_device_regions_of_one_side_are_told_apart(copies: Callable[..., Any]) -> None:
    """Rows carry no kind: where an address lies decides which call copies it."""
    with copies(["host", "cuda:1"], ["cuda:0", "cuda:0"]) as two:
        two.connected()
        for number in (0, 1):
            two.prepare("WRITE", WHOLE, regions=(number, 1 - number))
            two.move("WRITE")
            np.testing.assert_array_equal(two.bytes("decode", 1 - number), two.bytes("prefill", number))
        assert two.ask("prefill", "close", op="WRITE")["source"] == f"{DTOD} + {HTOD}"


@pytest.mark.parametrize(
    ("op", "source", "destination", "reason"),
    [
        ("WRITE", "cuda:0", "host", "cannot reach another process's host memory"),
        ("READ", "host", "cuda:0", "cannot reach another process's host memory"),
        ("WRITE", "host", "host", "cannot reach another process's host memory"),
        ("WRITE", "cuda:0", "cuda:1 vmm", "has no IPC handle"),
        ("READ", "cuda:1 vmm", "host", "has no IPC handle"),
    ],
)
def test_what_the_driver_cannot_open_is_refused_with_the_reason(
    copies: Callable[..., Any], op: str, source: str, destination: str, reason: str
) -> None:
    with copies(source, destination) as two:
        error = two.connected().refused_row(op, (0, 0), 64)
        assert error["code"] == "unsupported"
        assert reason in error["message"]
        assert error["hint"]


def test_a_device_that_this_process_does_not_see_is_refused(copies: Callable[..., Any]) -> None:
    with copies("cuda:0", "cuda:1", devices={"prefill": 1}) as two:
        error = two.refused("prefill", "connect", peer="decode", metadata=two.metadata["decode"])
        assert error["code"] == "unsupported"
        assert "is not visible in this process" in error["message"]
        assert "CUDA_VISIBLE_DEVICES" in error["hint"]


def test_rows_outside_the_registered_memory_are_refused(copies: Callable[..., Any]) -> None:
    """A row that leaves its region, at either side, never reaches the driver."""
    with copies("cuda:0", "cuda:1") as two:
        two.connected()
        for start, length in ((NBYTES - 8, 9), (NBYTES, 1), (-1, 1), (-8, 16)):
            for side, starts in zip(ROLES, ((start, 0), (0, start)), strict=True):
                error = two.refused_row("WRITE", starts, length)
                assert error["code"] == "not-registered"
                assert error["message"].endswith(f"are in no region of {side}'s")
        assert two.refused_row("WRITE", (0, 0), NBYTES + 1)["code"] == "not-registered"
        assert two.prepare("WRITE", np.array([[NBYTES - 1, 0, 1], [0, NBYTES - 1, 1]])) == 2


def test_what_the_driver_refuses_fails_the_transfer_in_its_words(copies: Callable[..., Any]) -> None:
    """Memory freed under a prepared transfer: the name of the call and of the error, and no crash."""
    with copies("cuda:0", "cuda:1") as two:
        two.connected()
        two.prepare("WRITE", WHOLE)
        two.ask("prefill", "free")
        error = two.refused("prefill", "run")
        assert error["code"] == "cuda-copy"
        assert error["message"].startswith(f"copy: {DTOD}: CUDA_ERROR_INVALID_VALUE")


def test_a_handle_that_opens_nothing_fails_the_connection(copies: Callable[..., Any]) -> None:
    """Metadata may come from a peer that is gone, or from anyone."""
    with copies("cuda:0", "cuda:1") as two:
        told = json.loads(two.metadata["decode"])
        told["regions"][0]["handle"] = "00" * 64
        error = two.refused("prefill", "connect", peer="decode", metadata=json.dumps(told))
        assert error["code"] == "cuda-ipc"
        assert error["message"].startswith("copy: the memory of decode: cuIpcOpenMemHandle: CUDA_ERROR_")


def test_a_dead_peer_is_lost(copies: Callable[..., Any]) -> None:
    """The memory may outlive its owner; the owner is missed when it is told that its bytes are there."""
    with copies("cuda:0", "cuda:1") as two:
        two.connected()
        two.prepare("WRITE", WHOLE)
        os.kill(two.group.pids()["decode"], signal.SIGKILL)
        two.group._workers["decode"].process.wait()
        channel = two.group._workers["prefill"].channel
        channel._socket.settimeout(PLENTY_S)
        channel.send({"do": "run", "with": {}})
        assert channel.receive()["error"]["code"] == "peer-lost"


@pytest.fixture
def endpoints() -> Iterator[Sequence[DeviceCopyEndpoint]]:
    """Return two connected endpoints of this process, which has host memory and no driver."""
    made = [DeviceCopyEndpoint(name) for name in ("a", "b")]
    regions = [HostRegion(4096, "4k") for _ in made]
    for one, region in zip(made, regions, strict=True):
        one.register(region)
    made[0].connect("b", made[1].metadata())
    made[1].connect("a", made[0].metadata())
    yield made
    for one in made:
        one.close()


def test_notifications_come_with_their_sender(endpoints: Sequence[DeviceCopyEndpoint]) -> None:
    a, b = endpoints
    a.notify("b", b"1")
    assert b.progress() == [("a", b"1")]
    assert b.progress() == []


def test_what_copy_cannot_do_is_refused(endpoints: Sequence[DeviceCopyEndpoint]) -> None:
    """Storage, no peer, a peer that is not connected, another kind of memory, a second device."""
    a, _ = endpoints
    rows = plans.rows(np.zeros(1, np.uint64), np.zeros(1, np.uint64), 8)
    for op, peer in ((Op.STORE, "b"), (Op.WRITE, None)):
        with pytest.raises(Unsupported, match=f"copy cannot {op}"):
            a.prepare(op, rows, peer, b"")
    with pytest.raises(TransferFailed, match="not connected to 'c'"):
        a.prepare(Op.WRITE, rows, "c", b"")
    region: Any = HostRegion(4096, "4k")
    region.kind = "file"
    with pytest.raises(Unsupported, match="not file"):
        a.register(region)
    for ordinal in (0, 1):
        region = HostRegion(4096, "4k")
        region.kind, region.device = "cuda", ordinal
        if ordinal:
            with pytest.raises(Unsupported, match="memory of one device"):
                a.register(region)
        else:
            a.register(region)


def test_the_traits_are_what_the_endpoint_serves() -> None:
    """Every pair of memories of the cases above, as (local, remote), is in the set, and no other is."""
    served = set()
    for op, source, destination, _ in WAYS:
        ends = [name.partition(":")[0].partition(" ")[0] for name in (source, destination)]
        served.add(tuple(ends if op == "WRITE" else ends[::-1]))
    assert served == MEMORY
