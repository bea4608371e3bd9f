"""Names of memory, wildcards, and what a transport's traits allow."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.memory import Pair, can_move, expanded, kind_of, ops_for, ordinal_of, parse_pair
from suite.errors import BadInput
from suite.transports import base

UCX, GDS, POSIX, COPY = (base.load(name).traits for name in ("nixl:UCX", "nixl:GDS", "nixl:POSIX", "copy"))


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("host -> host", ("host", "host")),
        ("cuda:0->cuda:15", ("cuda:0", "cuda:15")),
        ("  file  ->  cuda:* ", ("file", "cuda:*")),
    ],
)
def test_a_pair_is_read(text, pair):
    assert parse_pair(text) == pair
    assert parse_pair(str(parse_pair(text))) == pair


@pytest.mark.parametrize(
    "text", ["", "host", "host -> ", "host => host", "cuda -> host", "cuda:x -> host", "gpu:0 -> host"]
)
def test_what_is_no_pair_is_told_with_what_is_accepted(text):
    with pytest.raises(BadInput, match="names no pair of memories") as caught:
        parse_pair(text)
    assert "cuda:0 -> cuda:1" in caught.value.hint


def test_a_file_alone_moves_nothing():
    with pytest.raises(BadInput, match="file -> file moves no KV cache"):
        parse_pair("file -> file")


@given(st.text(max_size=40))
def test_hostile_text_is_bad_input(text):
    with contextlib.suppress(BadInput):
        assert isinstance(parse_pair(text), Pair)


def test_every_ordered_pair_of_devices_and_no_other():
    found = expanded([Pair("cuda:*", "cuda:*")], range(3))
    assert len(found) == 9
    assert set(found) == {Pair(f"cuda:{one}", f"cuda:{other}") for one in range(3) for other in range(3)}
    assert expanded([Pair("cuda:*", "host"), Pair("cuda:0", "host")], range(2)) == [
        ("cuda:0", "host"),
        ("cuda:1", "host"),
    ]
    assert [kind_of(name) for name in ("host", "file", "cuda:3")] == ["host", "file", "cuda"]
    assert [ordinal_of(name) for name in ("host", "file", "cuda:13")] == [None, None, 13]


@pytest.mark.parametrize(
    ("traits", "op", "pair", "possible"),
    [
        (UCX, "push", "cuda:0 -> host", True),
        (UCX, "handoff", "host -> host", False),
        (UCX, "push", "host -> file", False),
        (GDS, "handoff", "cuda:0 -> cuda:1", True),
        (GDS, "handoff", "host -> cuda:1", True),
        (GDS, "store", "cuda:0 -> file", True),
        (GDS, "fetch", "cuda:0 -> file", False),
        (GDS, "store", "file -> cuda:0", False),
        (GDS, "push", "cuda:0 -> cuda:1", False),
        (POSIX, "handoff", "host -> host", True),
        (POSIX, "handoff", "cuda:0 -> host", False),
        (COPY, "push", "host -> host", True),
        (COPY, "handoff", "host -> host", False),
    ],
)
def test_what_can_move(traits, op, pair, possible):
    assert can_move(traits, op, parse_pair(pair)) is possible


def test_storage_hands_over_what_others_push_and_pull():
    """`DYN_KVBM_NIXL_BACKEND_GDS=true kvgauge run` must measure something, though GDS cannot push."""
    assert ops_for(GDS, ["push", "pull"]) == ["handoff"]
    assert ops_for(UCX, ["handoff"]) == ["push", "pull"]
    assert ops_for(GDS, ["push", "store"]) == ["store"]
    assert ops_for(UCX, ["pull", "handoff"]) == ["pull"]
