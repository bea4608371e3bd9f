"""Lives and pool in step: what one request gives back the next one has in the same turn."""

from __future__ import annotations

import pytest

from suite.errors import BadInput
from suite.transfer.requests.actions import Announce, TellUser
from suite.transfer.requests.blocks import PoolMisused, new_pool
from suite.transfer.requests.events import Cancelled, Finished, PeerLost, PeerReady, Stopped
from suite.transfer.requests.ledger import Ledger, forget, handle, handle_all, next_deadline_ns, submit, tick
from suite.transfer.requests.request import Side, State
from tests.suite.transfer.requests.conftest import PAIRS, THEIRS, request


def three(blocks: int) -> Ledger:
    ledger = Ledger(new_pool(blocks))
    for number, name in enumerate(("r1", "r2", "r3")):
        ledger = submit(ledger, request(name=name), number).ledger
    return ledger


def states(ledger: Ledger) -> list[State]:
    return [life.state for life in ledger.lives.values()]


def test_who_waits_begins_in_the_turn_in_which_blocks_come_back() -> None:
    ledger = handle_all(three(4), PeerReady(THEIRS), 3).ledger
    assert states(ledger) == [State.TRANSFERRING, State.TRANSFERRING, State.WAITING]
    ledger = handle(ledger, "r1", Cancelled(), 4).ledger
    assert states(ledger) == [State.IN_DOUBT, State.TRANSFERRING, State.WAITING]
    turn = handle(ledger, "r1", Stopped(frozenset(PAIRS), THEIRS), 5)
    assert states(turn.ledger) == [State.CANCELLED, State.TRANSFERRING, State.TRANSFERRING]
    assert [(order.request, order.action) for order in turn.orders] == [("r3", Announce((0, 1), THEIRS))]


def test_what_can_never_be_served_is_refused_and_leaves_no_trace() -> None:
    ledger = Ledger(new_pool(1))
    with pytest.raises(BadInput, match="'r1' needs 2 blocks; the whole pool has 1"):
        submit(ledger, request(), 0)
    assert not ledger.lives
    with pytest.raises(BadInput, match="'r1' already"):
        submit(three(6), request(name="r1"), 0)


def test_a_lost_rank_ends_every_request_and_all_blocks_come_back() -> None:
    turn = handle_all(three(6), PeerLost(Side.PREFILL, 0), 3)
    assert states(turn.ledger) == [State.FAILED] * 3
    assert [order.request for order in turn.orders if isinstance(order.action, TellUser)] == ["r1", "r2", "r3"]
    assert sorted(turn.ledger.pool.free) == [0, 1, 2, 3, 4, 5]


def test_the_driver_knows_when_to_look_at_the_clock_again() -> None:
    ledger = three(4)
    assert next_deadline_ns(ledger) == 300  # r1 was allocated at 0; r3 waits until 402
    ledger = tick(ledger, 300).ledger
    assert states(ledger) == [State.FAILED, State.ALLOCATED, State.ALLOCATED]
    assert next_deadline_ns(ledger) == 301
    assert next_deadline_ns(Ledger(new_pool(1))) is None


def test_a_word_about_an_unknown_request_is_refused() -> None:
    turn = handle(three(4), "r9", Cancelled(), 0)
    assert turn.refused == ("Cancelled for a request 'r9' that is not known",)


def test_only_what_has_ended_is_forgotten() -> None:
    ledger = handle_all(three(4), PeerReady(THEIRS), 3).ledger
    for name in ("r1", "r3"):
        with pytest.raises(PoolMisused, match=name):
            forget(ledger, name)
    ledger = handle(ledger, "r3", Cancelled(), 4).ledger
    assert list(forget(ledger, "r3").lives) == ["r1", "r2"]
    assert handle(ledger, "r1", Finished(), 4).refused


def test_a_complete_request_is_not_forgotten_with_its_blocks() -> None:
    ledger = submit(Ledger(new_pool(4)), request(agreed={}), 0).ledger
    assert states(ledger) == [State.COMPLETE]
    with pytest.raises(PoolMisused, match=r"complete with blocks \(0, 1\)"):
        forget(ledger, "r1")
    ledger = forget(handle(ledger, "r1", Finished(), 1).ledger, "r1")
    assert (ledger.lives, ledger.pool.free) == ({}, (2, 3, 0, 1))
