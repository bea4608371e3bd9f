"""From prepared to released, and what may not happen after: XFER-401 to XFER-411."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import strategies as st

from conformance.properties import transfer_strategies as strategies
from conformance.properties.given import given_case
from conformance.properties.moving import broken, in_place, moved, not_done, scene
from conformance.requirement import requirement
from conformance.transfer.case import Case, apart, many
from conformance.transfer.crew import Refusal
from conformance.transfer.scene import REST

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.implementation import MovesBytes
    from conformance.transfer.scene import Scene

_BLOCKING_MS = 1000
_LARGE = [256 << 10] * 8  # rows: enough to be under way for a moment where anything ever is
_NEVER = "no transfer was under way: all were done when post returned"
_LONGER = [apart([1 << 20] * 8, way=way, tag=b"") for way in ("out", "in")]
_LONG = [apart(_LARGE, way=way, tag=b"") for way in ("out", "in")]


@requirement("XFER-401")
@given_case(
    st.builds(lambda case, posts: replace(case, posts=posts), strategies.plain(most=4, tag=b""), st.integers(2, 4))
)
def test_again_and_again(implementation: MovesBytes, case: Case) -> None:
    """The source has other bytes each time."""
    with scene(implementation, case) as one:
        one.prepare()
        for number in range(case.posts):
            one.stage_bytes(case.seed + number)
            moved(one)
            in_place(case, one.damage(), f"post {number + 1}: ")


def _under_way(one: Scene) -> None:
    """Post without driving the peer; skip if the transfer is over already."""
    if one.ask("initiator", "post", names=["t"])[0] == "DONE":
        pytest.skip(_NEVER)


@requirement("XFER-402")
@pytest.mark.parametrize("case", _LONGER, ids=["out", "in"])
def test_twice_at_once(implementation: MovesBytes, case: Case) -> None:
    """8 MiB, posted again right after a poll said that it was under way."""
    with scene(implementation, case, ready=False) as one:
        one.set_up()  # and nothing painted: no byte is compared
        one.prepare()
        one.spoilt()
        try:
            under_way = one.ask("initiator", "post_twice", name="t")
        except Refusal:
            return
        if not under_way:
            pytest.skip(_NEVER)
        broken(case, "it was under way, and could be posted again")


def _nothing_later(one: Scene, case: Case, after: str) -> None:
    if changed := one.later():
        broken(case, f"{changed} bytes arrived {after}")


@requirement("XFER-403")
@pytest.mark.parametrize("case", _LONG, ids=["out", "in"])
def test_released_under_way(implementation: MovesBytes, case: Case) -> None:
    """An error of the release will do: then it is not released."""
    with scene(implementation, case) as one:
        one.prepare()
        one.spoilt()
        _under_way(one)
        try:
            one.ask("initiator", "release", name="t")
        except Refusal:
            return
        _nothing_later(one, case, "after the transfer had been released")


@requirement("XFER-404")
@given_case(strategies.plain(most=2, tag=b""))
def test_released_twice_or_unposted(implementation: MovesBytes, case: Case) -> None:
    """An error is no disturbance; the next transfer moves."""
    with scene(implementation, case) as one:
        one.prepare("first")
        one.prepare("second")
        moved(one, "first")
        for name in ("second", "first", "first"):
            try:
                one.ask("initiator", "release", name=name)
            except Refusal:
                continue
        one.stage_bytes()
        one.prepare("third")
        moved(one, "third")
        in_place(case, one.damage(), "after releases, ")


@requirement("XFER-405")
@pytest.mark.parametrize("case", [apart([64] * 4, way=way, tag=b"") for way in ("out", "in")], ids=["out", "in"])
def test_the_target_has_closed(implementation: MovesBytes, case: Case) -> None:
    """It was prepared and moved once before."""
    with scene(implementation, case) as one:
        one.prepare()
        moved(one)
        one.stage_bytes()
        one.ask("target", "close", at="")
        not_done(one, case, "the target has closed its endpoint, and the transfer is done")


@requirement("XFER-406")
@pytest.mark.parametrize("case", [apart([4096] * 8, tag=b""), many(20_000, tag=b"")], ids=["a bad row", "20,000 rows"])
def test_failed_is_stopped(implementation: MovesBytes, case: Case) -> None:
    """Good rows before one that cannot be moved; more rows than queues may hold."""
    rows = case.rows if case.many else np.concatenate((case.rows, [[case.rows[0, 0], 1 << 40, 64]]))
    with scene(implementation, case) as one:
        try:
            one.prepare(rows=rows)
            one.move(count=0)
        except Refusal:
            one.spoilt()
            _nothing_later(one, case, "after the transfer had failed")


@requirement("XFER-407")
@pytest.mark.parametrize("case", [apart([4096] * 9, tag=b"")], ids=["out"])
def test_cancelled(implementation: MovesBytes, case: Case) -> None:
    """After the first poll."""
    with scene(implementation, case) as one:
        one.prepare()
        _under_way(one)
        one.ask("initiator", "poll", name="t")
        one.ask("initiator", "cancel", name="t")
        _nothing_later(one, case, "after the transfer had been cancelled")


@requirement("XFER-408")
@given_case(strategies.plain(most=2))
def test_done_stays_done(implementation: MovesBytes, case: Case) -> None:
    """Asked three times more."""
    with scene(implementation, case) as one:
        one.prepare()
        moved(one, rest=REST)
        for _ in range(3):
            state = one.ask("initiator", "poll", name="t")
            if state != "DONE":
                broken(case, f"it was done, and is {state} when asked again")
        if not one.stored and one.wait("target", rest=REST).arrived:
            broken(case, "notified again when asked again")


@requirement("XFER-409")
@pytest.mark.parametrize("case", [apart([4096] * 4, way=way, tag=b"") for way in ("out", "in")], ids=["out", "in"])
def test_an_idle_target(implementation: MovesBytes, case: Case, observe: Callable[[str], None]) -> None:
    """It has connected, and calls nothing more."""
    with scene(implementation, case) as one:
        one.prepare()
        told = one.alone()
        observe(f"{one.op}: {'not done' if told.late else 'done'}")
        if told.late:
            one.spoilt()


@requirement("XFER-410")
@pytest.mark.parametrize("case", [apart([4096] * 4, way=way, tag=b"") for way in ("out", "in")], ids=["out", "in"])
def test_calls_return(implementation: MovesBytes, case: Case) -> None:
    """The longest of `prepare`, `post` and `poll`."""
    with scene(implementation, case) as one:
        one.ask("initiator", "slowest_ms")
        one.prepare()
        if one.alone().late:
            one.spoilt()
        if (taken := one.ask("initiator", "slowest_ms")) > _BLOCKING_MS:
            broken(case, f"a call took {taken} ms while the target called nothing")


@requirement("XFER-411")
@pytest.mark.parametrize("case", _LONG, ids=["out", "in"])
def test_closed_under_way(implementation: MovesBytes, case: Case) -> None:
    """The initiator closes; the target goes on to be driven."""
    with scene(implementation, case) as one:
        one.prepare()
        one.spoilt()
        _under_way(one)
        try:
            one.ask("initiator", "close", at="")
        except Refusal:
            return
        _nothing_later(one, case, "after the initiator had closed")
