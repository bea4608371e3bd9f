from __future__ import annotations

import json
import socket
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.world import channel
from suite.world.channel import Channel, ChannelClosed

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
messages = st.lists(st.dictionaries(st.text(), values, max_size=4), min_size=1, max_size=4)


def received(fragments):
    """Return what a channel makes of `fragments`, each of which arrives alone."""
    ours, theirs = socket.socketpair()
    found = []
    with ours, theirs:
        receiver = Channel(theirs)
        for fragment in fragments:
            ours.sendall(fragment)
            receiver.fill()
            while (message := receiver.take()) is not None:
                found.append(message)
    return found


@given(messages, st.lists(st.integers(0, 400), max_size=8))
def test_any_json_goes_through_in_any_fragments(sent, cuts):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = Channel(ours)
        for message in sent:
            sender.send(message)
        ours.shutdown(socket.SHUT_WR)
        stream = b"".join(iter(lambda: theirs.recv(1 << 16), b""))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert received(stream[start:stop] for start, stop in pairwise(edges)) == sent


@settings(max_examples=10)
@given(messages)
def test_every_byte_may_come_alone(sent):
    lines = b"".join(json.dumps(message).encode() + b"\n" for message in sent[:1])
    assert received(bytes([byte]) for byte in lines) == sent[:1]


def test_receive_waits_for_a_whole_message():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b'{"a": 1}\n{"b"')
        receiver = Channel(theirs)
        assert receiver.receive() == {"a": 1}
        assert receiver.take() is None
        ours.sendall(b": 2}\n")
        assert receiver.receive() == {"b": 2}


def _json(line):
    try:
        return json.loads(line.decode())
    except ValueError:
        return None


@given(st.binary(max_size=200).filter(lambda line: not isinstance(_json(line.partition(b"\n")[0]), dict)))
def test_garbage_closes_the_channel(line):
    with pytest.raises(ChannelClosed, match=r"^not (JSON|an object): b"):
        received([line + b"\n"])


@pytest.mark.parametrize("line", [b"", b"null", b"[]", b"7", b'"text"', b"{", b"{} {}", b"\xff\xfe{\x00}\x00"])
def test_a_line_that_is_no_object_closes_the_channel(line):
    with pytest.raises(ChannelClosed):
        received([line + b"\n"])


def test_json_nested_too_deeply_closes_the_channel():
    with pytest.raises(ChannelClosed, match="not JSON"):
        received([b'{"a":' + b"[" * 50_000, b"[" * 50_000 + b"\n"])


def test_a_line_that_is_too_long_closes_the_channel_before_its_end(monkeypatch):
    monkeypatch.setattr(channel, "MAX_LINE", 100)
    assert received([b'{"a":"' + b"x" * 80, b'"}\n']) == [{"a": "x" * 80}]
    with pytest.raises(ChannelClosed, match="a message of more than 100 bytes"):
        received([b'{"a":"' + b"x" * 80, b"x" * 80])


def test_an_end_closes_the_channel_whichever_side_notices_it():
    ours, theirs = socket.socketpair()
    ours.close()
    here = Channel(theirs)
    with pytest.raises(ChannelClosed, match="end of file"):
        here.receive()
    with pytest.raises(ChannelClosed, match="Broken pipe"):
        here.send({})
    here.close()
    with pytest.raises(ChannelClosed, match="Bad file descriptor"):
        here.fill()


def test_half_a_message_before_the_end_is_no_message():
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(b'{"a":')
        ours.close()
        with pytest.raises(ChannelClosed, match="end of file"):
            Channel(theirs).receive()
