"""Faults of a link: two hosts on one machine, and what happens to the link between them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conformance.faults.cells import INITIATOR, TARGET
from conformance.faults.skipped import Skipped
from conformance.implementations.reference_socket import LISTEN
from conformance.transfer.crew import Refusal
from suite.errors import Missing
from suite.world import namespaces
from suite.world.namespaces import ADDRESSES, DEVICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.transfer.scene import Scene

_FAST, _SLOW, _BURST = 1_000_000_000, 8_000_000, 1 << 18  # bit/s, bytes
GAP_S = 1.0


class Hosts:
    """The initiator, and who comes after the fault, on one host; the target on the other.

    Bytes that are written go from the first to the second; where the initiator reads, the hosts change
    places, so that the bytes go the same way.
    """

    def __init__(self, link: namespaces.Link, way: str) -> None:
        self._link = link
        first, second = (link.prefill, link.decode) if way == "out" else (link.decode, link.prefill)
        self._places = {INITIATOR: first, "other": first, TARGET: second}
        near, far = ADDRESSES if way == "out" else ADDRESSES[::-1]
        self._addresses = {INITIATOR: near, "other": near, TARGET: far}
        link.shape(_FAST, _BURST)

    @property
    def prefixes(self) -> Mapping[str, Sequence[str]]:
        """Return role -> the command that starts it on its host."""
        return {role: host.enter for role, host in self._places.items()}

    @property
    def environment(self) -> Mapping[str, Mapping[str, str]]:
        """Return role -> what tells UCX, and the reference, to take the link and nothing else."""
        return {
            role: {"UCX_TLS": "tcp", "UCX_NET_DEVICES": DEVICE, LISTEN: address}
            for role, address in self._addresses.items()
        }

    def warm_up(self, one: Scene) -> None:
        """Move the case's bytes once, and see that they take the link; `Skipped` if they do not."""
        before = self._link.sent_bytes()
        try:
            one.prepare("warm", tag=b"")
            late = bool(one.move("warm", count=0).late)
        except Refusal as refused:  # such as of one that listens on the loopback alone
            raise Skipped(f"it does not move bytes between two hosts here: {refused}") from None
        if late:
            raise Skipped("it does not move bytes between two hosts here")
        if self._link.sent_bytes() - before < int(one.case.lengths.sum()) // 2:
            raise Skipped("its bytes do not take the link")
        one.stage_bytes()

    def strike(self, fault: str) -> None:
        """Bring the fault about."""
        if fault == "slow":
            self._link.shape(_SLOW, _BURST)
        else:
            self._set("down")

    def after(self, fault: str) -> None:
        """Wait until a gap is over, and end it."""
        if fault == "gap":
            time.sleep(GAP_S)
            self._set("up")

    def mend(self) -> None:
        """Have the link as it was."""
        self._set("up")
        self._link.shape(_FAST, _BURST)

    def _set(self, state: str) -> None:
        self._places[TARGET].run("ip", "link", "set", DEVICE, state)


@contextmanager
def hosts(way: str) -> Iterator[Hosts]:
    """Make two hosts and their link; `Skipped` where the machine does not let us."""
    if lacking := namespaces.missing():
        raise Skipped(lacking[0])
    try:
        with namespaces.link() as link:
            yield Hosts(link, way)
    except Missing as error:
        raise Skipped(error.message) from None
