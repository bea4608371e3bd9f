"""A link over real sockets: whole messages however they arrive, and a peer that does not keep to it is named and cut."""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from suite.errors import TransferFailed
from suite.transfer.requests.messages import MAX_MESSAGE
from suite.transfer.serving.link import Link, connected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(message)) + message for message in messages)


@contextmanager
def raw_peer() -> Iterator[tuple[Link, socket.socket]]:
    """Give a link and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    link = Link(ours, "decode")
    try:
        yield link, theirs
    finally:
        link.close()
        theirs.close()


@contextmanager
def both_ends() -> Iterator[tuple[Link, Link]]:
    ends = connected(("prefill", "decode"))
    try:
        yield ends
    finally:
        for end in ends:
            end.close()


def taken(link: Link, count: int, other: Link | None = None) -> list[bytes]:
    """Return what a link takes until it has `count` messages; loopback TCP may deliver a moment later."""
    found: list[bytes] = []
    for _ in range(100_000):
        if other is not None:
            other.take()  # sends the rest
        found += link.take()
        if len(found) >= count or link.closed:
            break
    return found


def keep_sending(link: Link) -> None:
    for _ in range(100):
        link.send(b"x" * (1 << 20))


def test_each_end_is_told_the_name_of_the_other() -> None:
    with both_ends() as (prefill, decode):
        prefill.close()
        assert taken(decode, 1) == []
        assert decode.closed == "prefill has closed the connection"
        assert prefill.closed == "closed here"


def test_messages_go_both_ways_in_their_order() -> None:
    with both_ends() as (prefill, decode):
        ours = [bytes([number]) * (1 + number * 777) for number in range(50)]
        for message in ours:
            prefill.send(message)
            decode.send(message[::-1] + b"!")
        assert taken(decode, len(ours)) == ours
        assert taken(prefill, len(ours)) == [message[::-1] + b"!" for message in ours]
        assert (prefill.closed, decode.closed) == ("", "")


def test_two_that_send_the_largest_message_at_the_same_time_both_get_it() -> None:
    with both_ends() as (prefill, decode):
        prefill.send(b"p" * MAX_MESSAGE)
        decode.send(b"d" * MAX_MESSAGE)
        got: dict[str, list[bytes]] = {"prefill": [], "decode": []}
        while not all(got.values()):
            got["prefill"] += prefill.take()
            got["decode"] += decode.take()
        assert [len(message) for message in (*got["prefill"], *got["decode"])] == [MAX_MESSAGE] * 2
        assert (got["prefill"][0][:1], got["decode"][0][-1:]) == (b"d", b"p")


def test_a_message_may_be_cut_anywhere() -> None:
    traffic = framed(b"one", b"2", b"three!")
    for cut in range(len(traffic) + 1):
        with raw_peer() as (link, peer):
            peer.sendall(traffic[:cut])
            first = link.take()
            peer.sendall(traffic[cut:])
            assert [*first, *link.take()] == [b"one", b"2", b"three!"], f"cut at byte {cut}"
            assert not link.closed


def test_byte_by_byte_a_message_is_there_with_its_last_byte_and_not_before() -> None:
    with raw_peer() as (link, peer):
        *most, last = framed(b"slow")
        for byte in most:
            peer.sendall(bytes([byte]))
            assert link.take() == []
        peer.sendall(bytes([last]))
        assert link.take() == [b"slow"]


def test_many_messages_come_out_of_one_read() -> None:
    messages = [b"%d" % number for number in range(5000)]
    with raw_peer() as (link, peer):
        peer.sendall(framed(*messages))
        assert link.take() == messages


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.data())
@settings(max_examples=60, deadline=None)
def test_however_traffic_is_split_it_is_the_same_messages(messages: list[bytes], data: st.DataObject) -> None:
    traffic = framed(*messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(traffic)), max_size=12)))
    found: list[bytes] = []
    with raw_peer() as (link, peer):
        for start, stop in zip([0, *cuts], [*cuts, len(traffic)], strict=True):
            peer.sendall(traffic[start:stop])
            found += link.take()
        assert found == messages
        assert not link.closed


@pytest.mark.parametrize("length", [0, MAX_MESSAGE + 1, (1 << 32) - 1])
def test_a_length_that_cannot_be_ends_the_link_and_names_the_peer(length: int) -> None:
    with raw_peer() as (link, peer):
        peer.sendall(framed(b"before") + struct.pack(">I", length) + framed(b"behind"))
        assert link.take() == [b"before"]
        assert link.closed == f"decode announced a message of {length} bytes; 1 to {MAX_MESSAGE} are taken"
        with pytest.raises(OSError, match=r"[Bb]roken pipe|reset"):
            peer.sendall(framed(b"more"))
        assert link.take() == []


def test_the_largest_length_is_still_taken() -> None:
    with raw_peer() as (link, peer):
        peer.sendall(struct.pack(">I", MAX_MESSAGE))
        assert link.take() == []
        assert not link.closed


def test_what_came_before_the_end_is_taken_and_half_a_message_is_said_to_be_one() -> None:
    with raw_peer() as (link, peer):
        peer.sendall(framed(b"last words") + framed(b"cut off")[:-2])
        peer.close()
        assert link.take() == [b"last words"]
        assert link.closed == "decode has closed the connection, 9 bytes into a message"
        assert link.take() == []


def test_a_connection_that_is_reset_is_closed_and_does_not_raise() -> None:
    with both_ends() as (prefill, decode):
        prefill._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # close as a crash does
        prefill.close()
        assert taken(decode, 1) == []
        assert decode.closed == "the connection to prefill broke: Connection reset by peer"


def test_sending_to_a_peer_that_is_gone_neither_raises_nor_keeps_anything() -> None:
    with raw_peer() as (link, peer):
        peer.close()
        for _ in range(40):
            link.take()
            link.send(b"x" * MAX_MESSAGE)
        assert link.closed == "decode has closed the connection"
        assert len(link._unsent) == 0


def test_a_peer_that_never_reads_is_given_up_and_no_more_is_kept_for_it() -> None:
    with raw_peer() as (link, _):
        with pytest.raises(TransferFailed, match=r"^decode has left \d+ bytes unread$") as failed:
            keep_sending(link)
        assert failed.value.code == "peer-does-not-read"
        assert len(link._unsent) <= 4 * MAX_MESSAGE + 4
        kept = len(link._unsent)
        with pytest.raises(TransferFailed):
            link.send(b"x" * (1 << 20))
        assert len(link._unsent) == kept


def test_what_was_not_read_for_a_while_arrives_whole() -> None:
    messages = [bytes([number]) * (1 << 20) for number in range(8)]
    with both_ends() as (prefill, decode):
        for message in messages:
            prefill.send(message)
        assert taken(decode, len(messages), prefill) == messages


def test_a_peer_that_sends_without_end_is_read_in_bounded_parts() -> None:
    with raw_peer() as (link, peer):
        peer.settimeout(0)
        traffic, sent, most = memoryview(framed(*[b"y" * 1000] * 20_000)), 0, 0
        found = 0
        while sent < len(traffic):
            try:
                sent += peer.send(traffic[sent:])
            except BlockingIOError:
                found += len(link.take())
                most = max(most, len(link._unread))
        found += len(link.take())
        assert found == 20_000
        assert most < 2 * MAX_MESSAGE


@given(st.lists(st.binary(max_size=64), max_size=6))
@settings(max_examples=60, deadline=None)
@example([b"\xff" * 64])
@example([b"\x00" * 4])
@example([b"GET / HTTP/1.1\r\n\r\n"])
def test_random_bytes_never_raise(parts: Sequence[bytes]) -> None:
    with raw_peer() as (link, peer):
        for part in parts:
            if link.closed:
                break
            peer.sendall(part)
            assert all(0 < len(message) <= MAX_MESSAGE for message in link.take())
        assert not link.closed or link.closed.startswith("decode announced a message of ")
