"""Sessions: the right run, the right peer, the right incarnation, each message once and in its order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import TransferFailed
from suite.transfer.requests.inbox import Inbox, Outbox, new_incarnation
from suite.transfer.requests.messages import Hello, PairOf, PostedSays
from tests.suite.transfer.requests.conftest import NEWER, OURS, THEIRS

TOKEN = "5" * 32
HELLO = Hello(ranks=2, pool_blocks=8)
BODY = PostedSays(request="r1", pair=PairOf(prefill=0, decode=0))
EMPTY = Inbox("prefill", OURS, TOKEN)
SENDER = Outbox("prefill", THEIRS, TOKEN)


def sealed(outbox: Outbox, count: int, to: str | None = OURS) -> list[bytes]:
    """Return a hello and `count` messages of one session."""
    outbox, data = outbox.seal(HELLO, None)
    sent = [data]
    for _ in range(count):
        outbox, data = outbox.seal(BODY, to)
        sent.append(data)
    return sent


def heard(*sent: bytes, inbox: Inbox = EMPTY) -> Inbox:
    for data in sent:
        inbox, _ = inbox.open(data)
    return inbox


def refusal(inbox: Inbox, data: bytes) -> str:
    with pytest.raises(TransferFailed) as caught:
        inbox.open(data)
    return caught.value.message


@given(st.lists(st.integers(0, 5), max_size=12))
def test_messages_are_taken_once_and_in_order_whatever_is_lost_doubled_or_mixed_up(arrivals: list[int]) -> None:
    sent = sealed(SENDER, 5)
    inbox, taken = EMPTY, 0
    for number in arrivals:
        try:
            inbox, message = inbox.open(sent[number])
        except TransferFailed:
            assert number != taken
        else:
            assert (number, message.sequence) == (taken, taken)
            taken += 1


def test_nothing_is_heard_before_a_hello() -> None:
    hello, first = sealed(SENDER, 1)
    assert "incarnation: " in refusal(EMPTY, first)
    assert heard(hello, first).sequence == 2


def test_another_run_is_not_heard_and_its_token_not_repeated() -> None:
    for data in sealed(Outbox("prefill", THEIRS, "6" * 32), 1):
        told = refusal(EMPTY, data)
        assert told == "message of 'prefill': token: not of this run"


def test_another_sender_is_not_heard() -> None:
    assert "sender: signed by decode" in refusal(EMPTY, sealed(Outbox("decode", THEIRS, TOKEN), 0)[0])


def test_words_to_an_earlier_incarnation_of_ours_are_not_for_us() -> None:
    hello, late = sealed(SENDER, 1, to=NEWER)
    assert f"meant for incarnation {NEWER}; this is {OURS}" in refusal(heard(hello), late)
    assert "to: " in refusal(heard(hello), sealed(SENDER, 1, to=None)[1])


def test_with_a_newer_hello_the_old_incarnation_is_not_heard_any_more() -> None:
    hello, first, late = sealed(SENDER, 2)
    newer, next_one = sealed(Outbox("prefill", NEWER, TOKEN), 1)
    inbox = heard(hello, first, newer)
    assert inbox.heard == NEWER
    for old in (hello, first, late):
        assert THEIRS in refusal(inbox, old)
    assert heard(next_one, inbox=inbox).sequence == 2
    assert f"{THEIRS} greets, but {NEWER} has already" in refusal(heard(newer), hello)


def test_a_hello_begins_a_session() -> None:
    outbox, _ = SENDER.seal(HELLO, None)
    assert "a hello as number 1" in refusal(EMPTY, outbox.seal(HELLO, None)[1])


def test_a_refused_message_changes_nothing() -> None:
    hello, first = sealed(SENDER, 1)
    inbox = heard(hello)
    refusal(inbox, b"{}")
    assert heard(first, inbox=inbox).sequence == 2


def test_a_later_incarnation_is_greater_and_no_two_are_the_same() -> None:
    assert new_incarnation(5) < new_incarnation(6)
    assert new_incarnation(5) != new_incarnation(5)
    assert len(new_incarnation(1 << 70)) == 32
