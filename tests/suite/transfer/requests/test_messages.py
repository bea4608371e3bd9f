"""Control messages: what is ours comes back as it was, all else is refused by peer and field, and only so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from suite.errors import TransferFailed
from suite.transfer.requests import messages
from suite.transfer.requests.messages import (
    MAX_BLOCKS,
    MAX_MESSAGE,
    Announcement,
    Body,
    CancelSays,
    DoneSays,
    FailedSays,
    Hello,
    Message,
    PairOf,
    PieceOf,
    PostedSays,
    ShareOf,
    StoppedSays,
    decode,
    encode,
)

HEX = "0123456789abcdef" * 2
LARGEST = (1 << 63) - 1

ranks = st.integers(0, 65535)
counts = st.integers(0, LARGEST)
names = st.builds(str.__add__, st.sampled_from("aZ0"), st.text("bY9._:-", max_size=9))
hexes = st.text("0123456789abcdef", min_size=32, max_size=32)
reasons = st.text('aZ 0"\\{\u00e9\u6f22\U0001f600', max_size=40)
pairs = st.builds(PairOf, prefill=ranks, decode=ranks)
pieces = st.builds(PieceOf, nbytes=counts, rows=counts)
shares = st.builds(ShareOf, pair=pairs, pieces=st.lists(pieces, min_size=1, max_size=4))
bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(Hello, ranks=st.integers(1, 65536), pool_blocks=st.integers(1, 2**31 - 1)),
    st.builds(
        Announcement,
        request=names,
        blocks=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9),
        shares=st.lists(shares, min_size=1, max_size=3),
    ),
    st.builds(PostedSays, request=names, pair=pairs),
    st.builds(DoneSays, request=names, pair=pairs, index=st.integers(0, 255), moved=pieces),
    st.builds(FailedSays, request=names, pair=pairs, reason=reasons, stopped=st.booleans()),
    st.builds(
        CancelSays,
        request=names,
        outcome=st.sampled_from(("failed", "cancelled")),
        reason=reasons,
        unproven=st.lists(pairs, max_size=4),
    ),
    st.builds(StoppedSays, request=names, pairs=st.lists(pairs, min_size=1, max_size=4)),
)
whole = st.builds(
    Message, sender=names, incarnation=hexes, to=st.none() | hexes, token=hexes, sequence=counts, body=bodies
)

DONE: dict[str, Any] = {
    "sender": "prefill",
    "incarnation": HEX,
    "to": HEX,
    "token": HEX,
    "sequence": 3,
    "body": {
        "kind": "done",
        "request": "r1",
        "pair": {"prefill": 0, "decode": 1},
        "index": 0,
        "moved": {"nbytes": 64, "rows": 4},
    },
}
ANNOUNCED = DONE | {
    "body": {
        "kind": "announcement",
        "request": "r1",
        "blocks": [1, 2],
        "shares": [{"pair": {"prefill": 0, "decode": 1}, "pieces": [{"nbytes": 64, "rows": 4}]}],
    }
}


def changed(document: dict[str, Any], path: str, value: object) -> bytes:
    """Return `document` as JSON with one field set; `...` removes it."""
    copy = json.loads(json.dumps(document))
    place, *keys = copy, *path.split(".")
    for key in keys[:-1]:
        place = place[int(key) if isinstance(place, list) else key]
    if value is ...:
        del place[keys[-1]]
    else:
        place[int(keys[-1]) if isinstance(place, list) else keys[-1]] = value
    return json.dumps(copy).encode()


def parsed_or_refused(data: bytes) -> None:
    """Any other exception than ours is the failure."""
    try:
        message = decode(data, "prefill")
    except TransferFailed as error:
        code, told = error.code, error.message
    else:
        assert decode(encode(message), "prefill") == message
        return
    assert code == "refused-message"
    assert told.startswith("message of 'prefill': ")
    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 700


@given(whole)
def test_what_is_sent_is_what_is_heard(message: Message) -> None:
    assert decode(encode(message), "prefill") == message


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff")
@example(b"[" * 100_000)
@example(b'{"a":' * 50_000)
@example(b"9" * 100_000)
@example(b'{"sequence":NaN}')
@example(b'"\\ud800"')
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    parsed_or_refused(data)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(
    st.sampled_from((DONE, ANNOUNCED)),
    st.sampled_from(
        ("sender", "incarnation", "to", "token", "sequence", "body", "body.kind", "body.request", "body.pair", "more")
    ),
    anything,
)
@example(DONE, "body.kind", "\x1b[31m" * 100)
@example(DONE, "body.\x1b\u202e", 1)
def test_any_json_in_any_field_is_parsed_or_refused(document: dict[str, Any], path: str, value: object) -> None:
    parsed_or_refused(changed(document, path, value))


@given(whole, st.data())
def test_a_part_of_a_message_is_no_message(message: Message, data: st.DataObject) -> None:
    sent = encode(message)
    cut = data.draw(st.integers(0, len(sent) - 1))
    with pytest.raises(TransferFailed):
        decode(sent[:cut], "prefill")
    with pytest.raises(TransferFailed):
        decode(sent + sent[: cut + 1], "prefill")


@pytest.mark.parametrize("document", [DONE, ANNOUNCED], ids=["done", "announcement"])
def test_the_documents_of_this_test_are_accepted(document: dict[str, Any]) -> None:
    assert decode(json.dumps(document).encode(), "prefill").sequence == 3


@pytest.mark.parametrize(
    ("document", "path", "value", "field"),
    [
        (DONE, "sequence", -1, "sequence"),
        (DONE, "sequence", 1 << 63, "sequence"),
        (DONE, "sequence", True, "sequence"),
        (DONE, "sequence", "3", "sequence"),
        (DONE, "sequence", 3.0, "sequence"),
        (DONE, "sequence", ..., "sequence"),
        (DONE, "more", 1, "more"),
        (DONE, "sender", "a b", "sender"),
        (DONE, "sender", "a\n", "sender"),
        (DONE, "sender", "a" * 129, "sender"),
        (DONE, "token", "g" * 32, "token"),
        (DONE, "token", HEX.upper(), "token"),
        (DONE, "token", HEX + "0", "token"),
        (DONE, "incarnation", None, "incarnation"),
        (DONE, "body.kind", "sudo", "body"),
        (DONE, "body.kind", "posted", "body.posted.index"),
        (DONE, "body.index", 256, "body.done.index"),
        (DONE, "body.pair.prefill", 65536, "body.done.pair.prefill"),
        (DONE, "body.pair.node", 0, "body.done.pair.node"),
        (DONE, "body.moved.nbytes", -1, "body.done.moved.nbytes"),
        (DONE, "body.moved.nbytes", 1 << 63, "body.done.moved.nbytes"),
        (DONE, "body.moved", [64, 4], "body.done.moved"),
        (ANNOUNCED, "body.blocks", [], "body.announcement.blocks"),
        (ANNOUNCED, "body.blocks", [0] * (MAX_BLOCKS + 1), "body.announcement.blocks"),
        (ANNOUNCED, "body.blocks.1", 1 << 31, "body.announcement.blocks.1"),
        (ANNOUNCED, "body.shares", [], "body.announcement.shares"),
        (ANNOUNCED, "body.shares.0.pieces", [], "body.announcement.shares.0.pieces"),
        (
            ANNOUNCED,
            "body.shares.0.pieces",
            [{"nbytes": 1, "rows": 1}] * 257,
            "body.announcement.shares.0.pieces",
        ),
    ],
)
def test_what_is_refused_is_named_by_peer_and_field(
    document: dict[str, Any], path: str, value: object, field: str
) -> None:
    with pytest.raises(TransferFailed) as refusal:
        decode(changed(document, path, value), "decode-7")
    assert refusal.value.message.startswith(f"message of 'decode-7': {field}: ")


@pytest.mark.parametrize("reason", ["a\nb", "\x1b[2J", "a\u202eb", "x" * 501])
def test_a_reason_is_one_printable_line(reason: str) -> None:
    body = {
        "kind": "failed",
        "request": "r1",
        "pair": {"prefill": 0, "decode": 1},
        "reason": reason,
        "stopped": True,
    }
    with pytest.raises(TransferFailed, match=r"body\.failed\.reason"):
        decode(json.dumps(DONE | {"body": body}).encode(), "prefill")


def test_what_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(TransferFailed, match=f"size: {MAX_MESSAGE + 1} bytes"):
        decode(b" " * (MAX_MESSAGE + 1), "prefill")


def test_the_largest_announcement_of_one_kind_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two million tokens, 64 pairs, 128 layers."""
    share = [PieceOf(nbytes=1 << 33, rows=MAX_BLOCKS)] * 128
    body = Announcement(
        request="r1",
        blocks=list(range(MAX_BLOCKS)),
        shares=[ShareOf(pair=PairOf(prefill=rank, decode=rank), pieces=share) for rank in range(64)],
    )
    message = Message(sender="decode", incarnation=HEX, to=HEX, token=HEX, sequence=1, body=body)
    assert decode(encode(message), "decode") == message
    monkeypatch.setattr(messages, "MAX_MESSAGE", 1000)
    with pytest.raises(TransferFailed, match="at most 1000 are taken"):
        encode(message)
