"""Two real processes with an endpoint each, and what numpy says they must hold."""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from suite.world import supervisor
from suite.world.supervisor import Group, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

SERVERS = Path(__file__).parent / "servers"
ROLES = ("prefill", "decode")
PLENTY_S = 60.0


class Pair:
    """A prefill and a decode worker; offsets here, addresses there."""

    def __init__(self, group: Group, transport: str, nbytes: int, kinds: tuple[str, str]) -> None:
        self.group = group
        self.addresses = {
            role: self.ask(role, "begin", nbytes=nbytes, seed=seed, kind=kinds[seed]) for seed, role in enumerate(ROLES)
        }
        self.metadata = self.both("open", transport=transport)
        for role, peer in (ROLES, ROLES[::-1]):
            self.ask(role, "connect", peer=peer, metadata=self.metadata[peer])

    def ask(self, role: str, verb: str, **arguments: Any) -> Any:
        return self.group.ask(verb, {role: (verb, arguments)}, PLENTY_S)[role]

    def both(self, verb: str, **arguments: Any) -> dict[str, Any]:
        return self.group.ask(verb, dict.fromkeys(ROLES, (verb, arguments)), PLENTY_S)

    def initiator(self, op: str) -> tuple[str, str]:
        """Return who posts `op`, and its peer."""
        return ROLES if op == "WRITE" else (ROLES[1], ROLES[0])

    def prepare(self, op: str, rows: NDArray[np.int64], tag: str = "there") -> int:
        """Prepare rows of (source offset, destination offset, length); return the descriptors to be posted."""
        initiator, peer = self.initiator(op)
        sides = {
            name: [[self.addresses[role] + int(row[column]), int(row[2]), 0] for row in rows]
            for name, role, column in (("source", "prefill", 0), ("destination", "decode", 1))
        }
        return int(self.ask(initiator, "prepare", op=op, peer=peer, tag=tag, **sides))

    def move(self, op: str, times: int = 1) -> list[list[str]]:
        """Run the prepared transfer; return the notifications that the target got."""
        initiator, target = self.initiator(op)
        questions: Mapping[str, tuple[str, Mapping[str, Any]]] = {
            initiator: ("run", {"times": times}),
            target: ("await_tags", {"count": times}),
        }
        arrived: list[list[str]] = self.group.ask("window", questions, PLENTY_S)[target]
        return arrived

    def bytes(self, role: str) -> NDArray[np.uint8]:
        return np.frombuffer(base64.b64decode(self.ask(role, "bytes")), np.uint8)

    def error(self, role: str, verb: str) -> dict[str, str]:
        """Return the error of one worker whose peer is dead; the supervisor would blame the peer."""
        channel = self.group._workers[role].channel
        channel._socket.settimeout(PLENTY_S)
        channel.send({"do": verb, "with": {}})
        error: Any = channel.receive()["error"]
        return error


@pytest.fixture
def believe_complaints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the supervisor believe a worker's complaint at once: no peer is dying in this test."""
    monkeypatch.setattr(supervisor, "_GRACE_S", 0.05)


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., Any]:
    """Return a context manager: two connected workers over a transport."""

    @contextmanager
    def pair(
        transport: str, nbytes: int = 1 << 18, kinds: tuple[str, str] = ("host", "host"), **environment: str
    ) -> Iterator[Pair]:
        python_path = os.pathsep.join(filter(None, [str(SERVERS), os.environ.get("PYTHONPATH")]))
        specs = [
            WorkerSpec(
                role,
                "endpoints:Endpoints",
                os.environ
                | {"PYTHONPATH": python_path, "UCX_LOG_FILE": str(tmp_path / f"{role}.ucx.log")}
                | environment,
                sorted(os.sched_getaffinity(0)),
                tmp_path / f"{role}.log",
            )
            for role in ROLES
        ]
        with Group(specs) as group:
            yield Pair(group, transport, nbytes, kinds)

    return pair


@pytest.fixture
def moved() -> Callable[..., NDArray[np.uint8]]:
    """Return the oracle: what the destination must hold once rows of (source, destination, length) have been moved."""

    def moved(source: NDArray[np.uint8], destination: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        expected = destination.copy()
        for start, to, length in rows:
            expected[to : to + length] = source[start : start + length]
        return expected

    return moved


@pytest.fixture
def random_rows() -> Callable[..., NDArray[np.int64]]:
    """Return a builder of rows of any length at any place, no destination byte twice."""

    def rows(count: int, nbytes: int, seed: int) -> NDArray[np.int64]:
        rng = np.random.default_rng(seed)
        slot = nbytes // count
        lengths = rng.integers(1, slot, count)
        places = [rng.permutation(count) * slot + rng.integers(0, slot - lengths + 1) for _ in range(2)]
        return np.column_stack((*places, lengths))

    return rows
