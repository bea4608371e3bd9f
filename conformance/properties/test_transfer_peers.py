"""Peers of one name, regions that come later, and many peers: XFER-311 to XFER-313."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest

from conformance.properties.moving import SETTLE, broken, in_place, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart
from conformance.transfer.crew import Refusal

if TYPE_CHECKING:
    from conformance.implementation import MovesBytes
    from conformance.transfer.scene import Scene

_WAYS = [apart([4096] * 4, way=way, tag=b"") for way in ("out", "in")]
_PEERS = 8


@requirement("XFER-311")
@pytest.mark.parametrize("case", _WAYS, ids=["out", "in"])
def test_two_peers_with_one_name(implementation: MovesBytes, case: Case) -> None:
    """Two processes; the initiator learns the second after the first, and addresses the memory of each."""
    with scene(implementation, case, others=True, ready=False) as one:
        name = one.agent("kv")
        one.lay()
        for role in one.roles:
            one.open(role, agent=name if role != "initiator" else "")
        for peer in ("target", "other"):
            one.connect(peer, "initiator")
        one.connect("initiator", "target", agent=name)
        with suppress(Refusal):  # then the first is to stay in reach
            one.connect("initiator", "other", agent=name)
        reached = [peer for peer in ("target", "other") if _reaches(one, case, peer, name)]
        if not reached:
            broken(case, "both are refused now, also the one that was in reach")


def _reaches(one: Scene, case: Case, peer: str, name: str) -> bool:
    """Move to or from a peer's own memory; tell whether that was done, raise if it is done and not there."""
    one.stage_bytes(case.seed + (peer == "other"), peer)
    transfer = f"to the {peer}"
    try:
        one.prepare(transfer, peer=peer, agent=name)
        told = one.move(transfer, count=0, rest=SETTLE, peer=peer)
    except Refusal:
        return False
    if told.late:
        one.spoilt()
        return False
    in_place(case, one.damage(peer), f"two peers have one name, the transfer with the {peer} is done, and ")
    return True


@requirement("XFER-312")
@pytest.mark.parametrize("case", _WAYS, ids=["out", "in"])
def test_a_region_that_came_later(implementation: MovesBytes, case: Case) -> None:
    """The target registers it after its metadata was told; the initiator addresses it."""
    with scene(implementation, case) as one:
        one.lay_one("target", "later", max(case.nbytes), max(case.starts))
        one.ask("target", "register", place="later")
        remote = (np.arange(3) == one.remote) * (one.addresses["target", "later"] - one.addresses["target", "main"])
        rows = case.rows + remote
        if one.op == "WRITE":
            one.ask("target", "stage", place="later", seed=9, rows=case.rows, source=one.painted(case.seed))
        else:
            one.ask("target", "paint", place="later", seed=case.seed)
        watched = ("target", "later") if one.op == "WRITE" else one.destination()
        try:
            one.prepare(rows=rows)
            told = one.move(count=0, rest=SETTLE)
        except Refusal:
            return
        if told.late:
            one.spoilt()
            return
        damage = one.ask(watched[0], "damage", place=watched[1])
        in_place(case, damage, "the region came after the metadata, the transfer is done, and ")


@requirement("XFER-313")
@pytest.mark.parametrize("case", [apart([256] * 4, tag=b"")], ids=[f"{_PEERS} peers"])
def test_many_peers(implementation: MovesBytes, case: Case) -> None:
    """Eight endpoints of two processes, all connected before anything is moved, and all looked at again at the end."""
    with scene(implementation, case, others=True, ready=False) as one:
        if one.op != "WRITE":
            pytest.skip("it does not write")
        one.lay()
        one.open("initiator")
        peers = {f"peer-{number}": ("target", "other")[number % 2] for number in range(_PEERS)}
        for peer, role in peers.items():
            one.lay_one(role, peer, case.nbytes[1], case.starts[1])
            one.open(role, agent=one.agent(peer), at=peer, places=(peer,))
            one.connect(role, "initiator", at=peer)
        for peer in peers:
            one.connect("initiator", peer)
        for number, (peer, role) in enumerate(peers.items()):
            _written(one, case, (role, peer), case.seed + number)
        for peer, role in peers.items():
            in_place(case, one.ask(role, "damage", place=peer), f"in the end, at {peer} of {_PEERS}, ")


def _written(one: Scene, case: Case, to: tuple[str, str], seed: int) -> None:
    """Write other bytes to one of many peers, which is driven alone."""
    role, peer = to
    one.ask("initiator", "paint", place="main", seed=seed)
    one.ask(role, "stage", place=peer, seed=seed + 100, rows=case.rows, source=one.painted(seed))
    told = one.arguments(agent=one.agent(peer))
    told["rows"] = one.between("initiator", role, to=peer)
    one.ask("initiator", "prepare", name=peer, **told)
    driven = one.drive(
        {"initiator": {"names": [peer], "post": True, "rest": SETTLE}, role: {"at": peer, "rest": SETTLE}}
    )
    if any(answer["late"] for answer in driven.values()):
        broken(case, f"no end at {peer} of {_PEERS}")
    in_place(case, one.ask(role, "damage", place=peer), f"at {peer} of {_PEERS}, ")
