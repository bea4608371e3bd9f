"""Who is told, how often, and with which bytes: XFER-101 to XFER-108."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st

from conformance.properties import transfer_strategies as strategies
from conformance.properties.given import given_case
from conformance.properties.moving import broken, moved, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart
from conformance.transfer.crew import Refusal
from conformance.transfer.scene import REST

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.implementation import MovesBytes

_LONG = (4095, 4096, 4097, 1 << 16, 1 << 20)


@requirement("XFER-101")
@given_case(st.builds(lambda case, posts: replace(case, posts=posts), strategies.plain(most=3), st.integers(1, 3)))
def test_once_for_each_post(implementation: MovesBytes, case: Case) -> None:
    """And no second time while both sides rest."""
    with scene(implementation, case) as one:
        one.prepare()
        arrived = []
        for _ in range(case.posts):
            arrived += [tag for _, tag in moved(one, rest=REST).arrived]
        if arrived != [case.tag] * case.posts:
            broken(case, f"{case.posts} posts, and {len(arrived)} notifications")


@requirement("XFER-102")
@given_case(strategies.tags(strategies.binary_tags()))
def test_any_bytes(implementation: MovesBytes, case: Case) -> None:
    """NUL in the middle, bytes that are not UTF-8."""
    _arrives_whole(implementation, case)


def _arrives_whole(implementation: MovesBytes, case: Case) -> None:
    with scene(implementation, case) as one:
        one.prepare()
        found = {tag for _, tag in moved(one).arrived}
        if found != {case.tag}:
            broken(case, f"sent {_told(case.tag)}, arrived {', '.join(map(_told, sorted(found))) or 'nothing'}")


@requirement("XFER-103")
@pytest.mark.parametrize("case", [apart([64], tag=b"x" * size) for size in _LONG], ids=map(str, _LONG))
def test_long_ones(implementation: MovesBytes, case: Case) -> None:
    """Or an error for those that are too long, before or when it is posted."""
    with scene(implementation, case) as one:
        try:
            one.prepare()
            told = one.move()
        except Refusal:
            one.spoilt()
            return
        found = [tag for _, tag in told.arrived]
        if told.late and not found:
            broken(case, f"{len(case.tag)} bytes: no error, and no notification")
        if any(tag != case.tag for tag in found):
            broken(case, f"{len(case.tag)} bytes were sent, {len(found[0])} arrived")


@requirement("XFER-104")
@pytest.mark.parametrize("case", [apart([64], tag=b"")], ids=["empty"])
def test_empty_ones(implementation: MovesBytes, case: Case, observe: Callable[[str], None]) -> None:
    """With a transfer, and without."""
    with scene(implementation, case) as one:
        one.prepare()
        observe(f"with a transfer: {len(moved(one, rest=REST).arrived)} arrived")
        try:
            early = one.notify("initiator", "target", b"").arrived
        except Refusal as refusal:
            observe(f"alone: refused ({refusal.code})")
            return
        observe(f"alone: {len(early + one.wait('target', rest=REST).arrived)} arrived")


@requirement("XFER-105")
@given_case(strategies.tags(st.from_regex(rb"[a-z]{1,20}", fullmatch=True)))
def test_prefixes_of_each_other(implementation: MovesBytes, case: Case) -> None:
    """The longer one first, both under way before the target looks."""
    longer = case.tag + b"1"
    with scene(implementation, case) as one:
        one.prepare("longer", tag=longer)
        one.prepare("shorter")
        found = {tag for _, tag in moved(one, "longer", "shorter", rest=REST).arrived}
        if found != {longer, case.tag}:
            broken(
                case, f"{_told(longer)} and {_told(case.tag)} were sent, {', '.join(map(_told, sorted(found)))} arrived"
            )


@requirement("XFER-106")
@given_case(strategies.tags(st.binary(min_size=1, max_size=40)))
def test_without_a_transfer(implementation: MovesBytes, case: Case) -> None:
    """In both directions."""
    with scene(implementation, case) as one:
        for sender, receiver in (("initiator", "target"), ("target", "initiator")):
            early = one.notify(sender, receiver, case.tag).arrived
            found = early + one.wait(receiver, count=1 - len(early), rest=REST).arrived
            if found != [(one.agent(sender), case.tag)]:
                broken(case, f"{sender} sent {_told(case.tag)} once; arrived: {found or 'nothing'}")


@requirement("XFER-107")
@given_case(strategies.plain(most=2))
def test_nothing_when_only_prepared(implementation: MovesBytes, case: Case) -> None:
    """While both sides rest."""
    with scene(implementation, case) as one:
        one.prepare()
        if one.wait("target", rest=REST).arrived:
            broken(case, "notified of a transfer that was never posted")


@requirement("XFER-108")
@pytest.mark.parametrize("case", [apart([64])], ids=["two peers"])
def test_names_that_are_prefixes(implementation: MovesBytes, case: Case) -> None:
    """Two peers, `...-1` and `...-11`, notify a third."""
    with scene(implementation, case, others=True, ready=False) as one:
        short, long = one.agent("kv") + "-1", one.agent("kv") + "-11"
        names = {"initiator": one.agent("initiator"), "target": short, "other": long}
        one.lay()
        for role in one.roles:
            one.open(role, agent=names[role])
        for peer in ("target", "other"):
            one.connect("initiator", peer, agent=names[peer])
            one.connect(peer, "initiator")
        found = set()
        for sender in ("other", "target"):
            found |= set(one.notify(sender, "initiator", sender.encode()).arrived)
        found |= set(one.wait("initiator", count=2 - len(found), rest=REST).arrived)
        if found != {(short, b"target"), (long, b"other")}:
            broken(case, f"{short} and {long} notified; arrived: {sorted(found)}")


def _told(tag: bytes) -> str:
    return repr(tag) if len(tag) <= 40 else f"{len(tag)} bytes"  # noqa: PLR2004  a line of a terminal
