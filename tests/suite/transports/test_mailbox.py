"""A mailbox takes messages from its peers only, and metadata from anyone with suspicion."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput, TransferFailed
from suite.transports import mailbox
from suite.transports.mailbox import Mailbox, read_metadata

GOOD = {"agent": "b", "socket": "kvgauge-" + "0" * 32}


@pytest.fixture
def boxes():
    made = [Mailbox(name) for name in ("a", "b", "stranger")]
    made[0].connect("b", made[1].metadata())
    made[1].connect("a", made[0].metadata(pid=7))
    yield made
    for one in made:
        one.close()


def test_messages_come_whole_in_order_and_with_their_sender(boxes):
    a, b, _ = boxes
    for tag in (b"1", b"", b"x" * 4096):
        a.notify("b", tag)
    b.notify("a", b"back")
    assert b.progress() == [("a", b"1"), ("a", b""), ("a", b"x" * 4096)]
    assert a.progress() == [("b", b"back")]
    assert b.progress() == []


def test_a_message_that_would_be_cut_is_refused(boxes):
    a, b, _ = boxes
    with pytest.raises(BadInput, match="4097 bytes"):
        a.notify("b", b"x" * 4097)
    assert b.progress() == []


def test_a_strangers_messages_are_dropped(boxes):
    a, b, stranger = boxes
    stranger.connect("b", b.metadata())
    stranger.notify("b", b"done")
    assert b.progress() == []
    with pytest.raises(TransferFailed, match="not connected to 'stranger'"):
        a.notify("stranger", b"?")


def test_what_the_transport_adds_comes_back(boxes):
    assert boxes[2].connect("a", boxes[0].metadata(pid=7))["pid"] == 7


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b"{}",
        json.dumps({"agent": 3}).encode(),
        json.dumps(GOOD | {"socket": "/run/dbus/system_bus_socket"}).encode(),
        json.dumps(GOOD | {"socket": "kvgauge-" + "0" * 31}).encode(),
        json.dumps(GOOD | {"socket": ["x"]}).encode(),
        json.dumps({"agent": "b"}).encode(),
        json.dumps(GOOD | {"more": "x" * mailbox.MAX_METADATA}).encode(),
        json.dumps(GOOD | {"agent": "c\x1b[31m"}).encode(),
    ],
)
def test_metadata_of_another_shape_size_or_agent_is_refused(boxes, metadata):
    with pytest.raises(TransferFailed) as refused:
        boxes[0].connect("b", metadata)
    assert refused.value.code in ("bad-metadata", "wrong-peer")
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 400


@given(
    st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.floats(), st.text()),
            lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from(["agent", "socket", "x"]), inner)),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_metadata_is_understood_or_refused(metadata):
    try:
        assert read_metadata(metadata, "b")["agent"] == "b"
    except TransferFailed as refused:
        assert refused.code in ("bad-metadata", "wrong-peer")  # noqa: PT017  either is right
