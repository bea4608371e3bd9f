"""The model says what memory must hold, what it may hold, and what it does not judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conformance.implementations.reference_transport import ReferenceTransport
from conformance.machine.model import Model, Transfer
from conformance.machine.steps import Step
from conformance.transfer.place import GUARD, content, span

ROW = ((0, 16, 8),)
SIZE = span(16 << 10, 0)
TRAITS = ReferenceTransport().traits


def model(*, cancels: bool = True) -> Model:
    one = Model(replace(TRAITS, cancels=cancels))
    for number, who in enumerate(("initiator", "target", "other")):
        one.laid(who, content(number, SIZE))
        one.opened(who, who)
    one.connected("target", refused=False)
    one.connected("other", refused=False)
    return one


def posted(one: Model, number: int = 1, peer: str = "target", way: str = "out") -> Transfer:
    transfer = one.prepared(number, peer, way, ROW)
    one.posted(transfer)
    return transfer


def wrong(one: Model, who: str, found: np.ndarray) -> list[int]:
    memory = one.sides[who].memory
    assert memory is not None
    return (memory.wrong(found) - GUARD).tolist()


def target_with(data: np.ndarray) -> np.ndarray:
    found = content(1, SIZE)
    found[GUARD + 16 : GUARD + 24] = data
    return found


OLD, NEW = content(1, SIZE)[GUARD + 16 : GUARD + 24], content(0, SIZE)[GUARD : GUARD + 8]


def test_what_is_done_is_there_and_nothing_else_has_changed() -> None:
    one = model()
    one.done(posted(one))
    assert wrong(one, "target", target_with(NEW)) == []
    assert wrong(one, "target", target_with(OLD)) == list(range(16, 24))
    beside = target_with(NEW)
    beside[GUARD + 24] ^= 1
    beside[0] ^= 1
    assert wrong(one, "target", beside) == [-GUARD, 24]
    assert wrong(one, "other", content(2, SIZE)) == []


def test_what_was_cancelled_is_the_old_byte_or_the_new_one_and_no_third() -> None:
    one = model()
    one.cancelled(posted(one))
    for data in (OLD, NEW, np.concatenate((NEW[:4], OLD[4:]))):
        assert wrong(one, "target", target_with(data)) == []
    assert wrong(one, "target", target_with(~OLD))
    one.filled("target", content(9, SIZE))
    assert wrong(one, "target", target_with(NEW))  # nothing of it may come later


def test_released_under_way_is_judged_only_where_the_transport_can_cancel() -> None:
    for cancels in (True, False):
        one = model(cancels=cancels)
        posted(one)
        one.released(1)
        one.filled("target", content(9, SIZE))
        late = content(9, SIZE)
        late[GUARD + 16 : GUARD + 24] = NEW
        assert bool(wrong(one, "target", late)) is cancels


@pytest.mark.parametrize("what", ["deregister", "close", "kill"])
def test_what_is_posted_to_a_target_that_is_gone_is_not_judged(what: str) -> None:
    one = model()
    transfer = one.prepared(1, "target", "in", ROW)
    {"deregister": lambda: one.registered("target", there=False), "close": lambda: one.closed("target"), "kill": lambda: one.killed("target")}[what]()  # fmt: skip
    assert not one.due(transfer)
    one.posted(transfer)
    one.done(transfer)
    assert wrong(one, "initiator", ~content(0, SIZE)) == [n for n in range(-GUARD, SIZE - GUARD) if not 16 <= n < 24]


def test_done_is_judged_also_where_the_target_has_died_meanwhile() -> None:
    one = model()
    transfer = posted(one, way="in")
    one.killed("target")
    one.done(transfer)
    assert wrong(one, "initiator", content(0, SIZE)) == list(range(16, 24))


def test_a_failure_excuses_its_own_pair_alone() -> None:
    one = model()
    one.failed(posted(one))
    assert not one.due(one.prepared(2, "target", "out", ROW))
    assert one.due(one.prepared(3, "other", "out", ROW))


def test_a_known_name_may_be_refused_and_a_new_one_may_not() -> None:
    one = model()
    one.closed("target")
    one.opened("target", "target")
    assert not one.new_to_each_other("target")
    one.closed("target")
    one.opened("target", "another")
    assert one.new_to_each_other("target")
    one.connected("target", refused=False)
    assert one.due(one.prepared(1, "target", "out", ROW))


def test_two_that_write_the_same_bytes_at_once_are_not_judged() -> None:
    one = model()
    first, second = posted(one, 1, way="in"), posted(one, 2, "other", way="in")
    one.done(first)
    one.done(second)
    found = content(0, SIZE)
    assert wrong(one, "initiator", found) == []
    found[0] ^= 1
    assert wrong(one, "initiator", found) == [-GUARD]


def test_steps_that_make_no_sense_are_known() -> None:
    one = model()
    transfer = posted(one)
    allowed = {verb: one.allows(Step(verb, (1,))) for verb in ("wait", "again", "cancel", "release")}
    assert allowed == {"wait": True, "again": False, "cancel": True, "release": True}
    one.done(transfer)
    assert one.allows(Step("again", (1,)))
    assert not one.allows(Step("wait", (1,)))
    assert not one.allows(Step("post", (1, "target", "out", ROW)))
    assert not one.allows(Step("connect", ("initiator",)))
    one.closed("initiator")
    assert not one.allows(Step("again", (1,)))
    assert not one.allows(Step("connect", ("target",)))
    assert not one.allows(Step("open", ("nobody", True)))
