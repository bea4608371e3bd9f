"""Addresses of a paged pool, against a walk through it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.kv.geometry import Geometry, Layout, Order, gqa, mla
from suite.kv.pool import Pool

NAMES = ("block", "layer", "page", "head")
ADDRESSES = st.sampled_from((0, 8, 4096, (1 << 47) - (1 << 20)))


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    small = st.integers(1, 3)
    geometry = draw(
        st.builds(gqa, st.just("gqa"), layers=small, kv_heads=small, head_dim=small)
        | st.builds(mla, st.just("mla"), layers=small, kv_lora_rank=small, qk_rope_head_dim=small)
    )
    shape = Layout(geometry, draw(small), draw(st.sampled_from((1, 2))))
    return Pool(shape, draw(st.integers(1, 5)), draw(ADDRESSES))


def walk(pool: Pool) -> dict[tuple[int, str], list[int]]:
    """Walk through a pool byte by byte; return where each unit of each block starts."""
    geometry = pool.layout.geometry
    starts: dict[tuple[int, str], list[int]] = {}
    at = pool.address
    for block in range(pool.blocks):
        starts.setdefault((block, "block"), []).append(at)
        for _layer in range(geometry.layers):
            starts.setdefault((block, "layer"), []).append(at)
            for _kind in range(geometry.kinds):
                starts.setdefault((block, "page"), []).append(at)
                for _head in range(geometry.heads):
                    starts.setdefault((block, "head"), []).append(at)
                    for _token in range(pool.layout.tokens_per_block):
                        for _element in range(geometry.dim):
                            at += pool.layout.element_bytes
    assert at == pool.address + pool.nbytes
    return starts


@given(pools(), st.data())
def test_unit_addresses_are_where_a_walk_meets_them(pool: Pool, data: st.DataObject) -> None:
    """The addresses of any unit of any blocks, in any order, are those that a walk through the pool finds."""
    unit = data.draw(st.sampled_from(pool.layout.units))
    blocks = data.draw(st.lists(st.integers(0, pool.blocks - 1)))
    found = pool.unit_addresses(np.array(blocks, np.int64), unit)
    starts = walk(pool)
    assert found.dtype == np.uint64
    assert found.tolist() == [address for block in blocks for address in starts[block, unit]]


@given(pools(), st.data())
def test_describe_undoes_the_address_arithmetic(pool: Pool, data: st.DataObject) -> None:
    """The words for an offset lead back to it: block, layer, K or V, head, token and byte."""
    offset = data.draw(st.integers(0, pool.nbytes - 1))
    text = pool.describe(offset)
    found = {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", text)}
    geometry, shape = pool.layout.geometry, pool.layout
    if geometry.kinds == 1:
        assert ", latent, " in text
        assert set(found) == {"block", "layer", "token", "byte"}
    else:
        assert set(found) == {"block", "layer", "head", "token", "byte"}
    assert found["block"] < pool.blocks
    assert found["layer"] < geometry.layers
    assert found.get("head", 0) < geometry.heads
    assert found["token"] < shape.tokens_per_block
    assert found["byte"] < geometry.dim * shape.element_bytes
    at = found["block"] * geometry.layers + found["layer"]
    at = at * geometry.kinds + (", V, " in text)
    at = at * geometry.heads + found.get("head", 0)
    at = at * shape.tokens_per_block + found["token"]
    assert at * geometry.dim * shape.element_bytes + found["byte"] == offset


def test_the_words_are_those_of_an_engineer() -> None:
    """A byte of a grouped-query cache has K or V and a head, one of a latent cache has neither."""
    grouped = Pool(Layout(gqa("g", layers=2, kv_heads=2, head_dim=4), 2, 2), 3, 0)
    assert grouped.describe(0) == "block 0, layer 0, K, head 0, token 0, byte 0"
    assert grouped.describe(grouped.nbytes - 1) == "block 2, layer 1, V, head 1, token 1, byte 7"
    latent = Pool(Layout(mla("m", layers=2, kv_lora_rank=3, qk_rope_head_dim=1), 2, 2), 3, 0)
    assert latent.describe(latent.nbytes - 1) == "block 2, layer 1, latent, token 1, byte 7"


def test_an_nhd_page_has_its_tokens_outside() -> None:
    """The same offset is another token and head when tokens are the outer ones; a key of several heads names them."""
    shape = Layout(gqa("g", layers=2, kv_heads=2, head_dim=4), 4, 2, Order.NHD)
    assert Pool(shape, 3, 0).describe(3 * 8 + 5) == "block 0, layer 0, K, head 1, token 1, byte 5"
    assert (
        Pool(Layout(shape.geometry, 4, 2), 3, 0).describe(3 * 8 + 5) == "block 0, layer 0, K, head 0, token 3, byte 5"
    )
    keys = Pool(Layout(Geometry("k", 2, 1, 2, 4), 4, 2), 3, 0)
    assert keys.describe(keys.nbytes - 1) == "block 2, layer 1, head 1, token 3, byte 7"


@pytest.mark.parametrize("block", [-1, 3, 1 << 40])
def test_a_block_outside_the_pool_is_refused(block: int) -> None:
    """One block outside is enough, whatever the others are."""
    pool = Pool(Layout(gqa("g", layers=1, kv_heads=1, head_dim=4), 1, 2), 3, 0)
    with pytest.raises(IndexError, match="outside a pool of 3"):
        pool.unit_addresses(np.array([0, block, 2]), "block")
    with pytest.raises(IndexError, match="outside a pool of 3"):
        pool.block_addresses(np.array([0, block, 2]))


def test_no_blocks_have_no_addresses() -> None:
    """An empty block table is no error."""
    pool = Pool(Layout(gqa("g", layers=1, kv_heads=1, head_dim=4), 1, 2), 3, 0)
    assert pool.unit_addresses(np.array([], np.int64), "block").shape == (0,)
