"""Metadata that is not as it should be, and peers that come, go and come again: XFER-301 to XFER-310."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st

from conformance.properties import transfer_strategies as strategies
from conformance.properties.given import given_case
from conformance.properties.moving import SETTLE, broken, in_place, moved, not_done, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart
from conformance.transfer.crew import Died, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.implementation import MovesBytes
    from conformance.transfer.scene import Scene

_PLAIN = apart([64, 64], tag=b"")
_CUTS = (0, 1, 10, 50, 90, 99)  # percent that is left
_PLACES = (9, 20, 41, 45, 50, 53, 100, 151, 203, 232, 235, 248, 253, 255, 262, 270, 307, 360, 411, 470)
_NOTHING = {"empty": b"", "text": b"hello", "zeros": bytes(1000), "2 MiB": b"x" * (2 << 20)}


def _edited(edit: tuple[str, int, int]) -> Case:
    return replace(_PLAIN, edit=edit)


def _half_set_up(one: Scene) -> None:
    one.lay()
    for role in one.roles:
        one.open(role)
    one.connect("target", "initiator")
    one.stage_bytes()


@requirement("XFER-301")
@given_case(st.builds(lambda at, bits: _edited(("flip", at, bits)), st.integers(0, 4000), st.integers(1, 255)))
def test_a_changed_byte(implementation: MovesBytes, case: Case) -> None:
    """Any byte of the metadata, any bits of it; then a transfer is tried."""
    _harmless(implementation, case)


@requirement("XFER-301")
@pytest.mark.parametrize("case", [_edited(("flip", at, 1)) for at in _PLACES], ids=map(str, _PLACES))
def test_a_changed_bit(implementation: MovesBytes, case: Case) -> None:
    """The lowest of a byte: text stays text."""
    _harmless(implementation, case)


def _harmless(implementation: MovesBytes, case: Case) -> None:
    with scene(implementation, case, ready=False) as one:
        _half_set_up(one)
        whole = bytearray(base64.b64decode(one.metadata["target"]))
        _, at, bits = case.edit or ("", 0, 1)
        whole[at % len(whole)] ^= bits
        try:
            one.connect("initiator", "target", metadata=one.coded(bytes(whole)))
            one.prepare()
            told = one.move(count=0)
        except Refusal:
            return
        if told.late:
            one.spoilt()
            return
        in_place(case, one.damage(), "the metadata was damaged, the transfer is done, and ")


@requirement("XFER-302")
@pytest.mark.parametrize(
    "case", [_edited(("cut", left, 0)) for left in _CUTS], ids=[f"{left} percent left" for left in _CUTS]
)
def test_cut_short(implementation: MovesBytes, case: Case) -> None:
    """What is left is the beginning."""
    with scene(implementation, case, ready=False) as one:
        _half_set_up(one)
        whole = base64.b64decode(one.metadata["target"])
        _takes(one, case, whole[: len(whole) * (case.edit or ("", 0, 0))[1] // 100], "cut short")


def _takes(one: Scene, case: Case, metadata: bytes, what: str) -> None:
    try:
        one.connect("initiator", "target", metadata=one.coded(metadata) or "=")
    except Refusal:
        return
    one.spoilt()
    broken(case, f"metadata that is {what} is taken")


@requirement("XFER-303")
@pytest.mark.parametrize("case", [_PLAIN], ids=["another name"])
def test_of_another_agent(implementation: MovesBytes, case: Case) -> None:
    """The target's, under a name that is not the target's."""
    with scene(implementation, case, ready=False) as one:
        _half_set_up(one)
        try:
            one.connect("initiator", "target", agent=one.agent("nobody"))
        except Refusal:
            return
        broken(case, f"metadata of {one.agent('target')} is taken for that of {one.agent('nobody')}")


@requirement("XFER-304")
@pytest.mark.parametrize("case", [_edited(("be", number, 0)) for number in range(len(_NOTHING))], ids=list(_NOTHING))
def test_no_metadata_at_all(implementation: MovesBytes, case: Case) -> None:
    """Nothing, text, zeros, 2 MiB of one letter."""
    with scene(implementation, case, ready=False) as one:
        _half_set_up(one)
        name = list(_NOTHING)[(case.edit or ("", 0, 0))[1] % len(_NOTHING)]
        _takes(one, case, _NOTHING[name], name)


@requirement("XFER-305")
@pytest.mark.parametrize("case", [_PLAIN, replace(_PLAIN, way="in")], ids=["out", "in"])
def test_of_a_peer_that_has_closed(implementation: MovesBytes, case: Case) -> None:
    """Told before it closed, used after."""
    with scene(implementation, case, ready=False) as one:
        _half_set_up(one)
        one.ask("target", "close", at="")
        try:
            one.connect("initiator", "target")
            one.prepare()
        except Refusal:
            return
        not_done(one, case, "the target has closed, and the transfer is done")


@requirement("XFER-306")
@pytest.mark.parametrize("case", [_PLAIN, replace(_PLAIN, way="in")], ids=["out", "in"])
def test_a_peer_that_comes_back(implementation: MovesBytes, case: Case) -> None:
    """Target and initiator are opened again under their old names, and move."""
    with scene(implementation, case) as one:
        one.prepare()
        moved(one)
        for role in one.roles:
            one.ask(role, "close", at="")
        _half_set_up(one)
        one.connect("initiator", "target")
        one.prepare()
        moved(one)
        in_place(case, one.damage(), "after a restart under the old name, ")


@requirement("XFER-307")
@pytest.mark.parametrize("case", [_PLAIN], ids=["out"])
def test_new_metadata_under_an_old_name(implementation: MovesBytes, case: Case, observe: Callable[[str], None]) -> None:
    """Only the target is opened again; the initiator lives on."""
    try:
        with scene(implementation, case) as one:
            one.prepare()
            moved(one)
            one.spoilt()
            one.ask("target", "close", at="")
            one.open("target")
            one.stage_bytes()
            try:
                one.connect("target", "initiator")
                one.connect("initiator", "target")
                one.prepare("again")
                told = one.move("again")
            except Refusal as refusal:
                observe(f"refused by {refusal.verb} ({refusal.code})")
                return
            damage = one.damage()
            observe("no end" if told.late else "bytes are wrong" if damage else "taken, and the bytes are right")
    except Died as died:
        observe(str(died))


@requirement("XFER-308")
@pytest.mark.parametrize("case", [_PLAIN], ids=["a stranger"])
def test_a_peer_that_was_never_connected(implementation: MovesBytes, case: Case) -> None:
    """A name that nobody has, after a good connection."""
    with scene(implementation, case) as one:
        try:
            one.prepare(agent=one.agent("nobody"))
            told = one.move(count=0)
        except Refusal:
            return
        one.spoilt()
        if not told.late:
            broken(case, f"nobody is called {one.agent('nobody')}, and the transfer is done")


@requirement("XFER-309")
@given_case(strategies.plain(most=4, tag=b""))
def test_two_targets(implementation: MovesBytes, case: Case) -> None:
    """Other bytes for each, prepared before either is posted."""
    with scene(implementation, case, others=True, ready=False) as one:
        one.set_up()
        for number, peer in enumerate(("target", "other")):
            one.stage_bytes(case.seed + number, peer)
            one.prepare(peer, peer=peer)
            moved(one, peer, peer=peer)
            in_place(
                case,
                one.damage(peer),
                f"at the {'first' if peer == 'target' else 'second'} target, " if one.op == "WRITE" else "",
            )


@requirement("XFER-310")
@given_case(strategies.plain(most=4, way="out", tag=b""))
def test_two_initiators(implementation: MovesBytes, case: Case) -> None:
    """Each writes half of the rows; the third worker is the second initiator."""
    if len(case.rows) == 1:
        case = apart([64, 64], tag=b"", seed=case.seed)
    with scene(implementation, case, others=True, ready=False) as one:
        one.lay()
        for role in one.roles:
            one.open(role)
        for role in ("initiator", "other"):
            one.connect(role, "target")
            one.connect("target", role)
        one.stage_bytes()
        one.ask("other", "paint", place="main", seed=case.seed)
        for number, role in enumerate(("initiator", "other")):
            rows = case.rows[number::2]
            told = one.arguments(rows=rows)
            told["rows"] = one.between(role, "target", rows)
            one.ask(role, "prepare", name="t", **told)
        posts = {"names": ["t"], "post": True, "rest": SETTLE}
        driven = one.drive({"initiator": posts, "other": posts, "target": {}})
        if any(answer["late"] for answer in driven.values()):
            broken(case, "no end with two initiators")
        in_place(case, one.damage(), "of two initiators, ")
