"""The published sizes of models, and the pieces of a block."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.kv.geometry import MODELS, Layout, Order, gqa, layout, mla

KIB = 1 << 10
LAYOUTS = st.builds(
    Layout,
    st.builds(gqa, st.just("any"), layers=st.integers(1, 9), kv_heads=st.integers(1, 9), head_dim=st.integers(1, 99))
    | st.builds(
        mla,
        st.just("any"),
        layers=st.integers(1, 9),
        kv_lora_rank=st.integers(1, 99),
        qk_rope_head_dim=st.integers(1, 9),
    ),
    st.integers(1, 99),
    st.sampled_from((1, 2)),
)


@pytest.mark.parametrize(
    ("model", "bf16", "fp8"),
    [("llama-3.1-8b", 131072, 65536), ("llama-3.1-70b", 327680, 163840), ("deepseek-v3", 70272, 35136)],
)
def test_bytes_per_token_are_the_published_ones(model: str, bf16: int, fp8: int) -> None:
    """A token of each preset takes the bytes that its model's configuration gives, in two bytes and in one."""
    assert MODELS[model].bytes_per_token(2) == bf16
    assert MODELS[model].bytes_per_token(1) == fp8


def test_llama_is_cut_into_heads_pages_layers_and_blocks() -> None:
    """The pieces of a 32-token block of llama-3.1-8b are 8 KiB, 64 KiB, 128 KiB and 4 MiB."""
    shape = layout("llama-3.1-8b")
    sizes = {unit: shape.unit_bytes(unit) for unit in shape.units}
    assert sizes == {"head": 8 * KIB, "page": 64 * KIB, "layer": 128 * KIB, "block": 4096 * KIB}


def test_latent_attention_has_layers_and_blocks_only() -> None:
    """MLA has neither heads nor a K/V pair, so nothing smaller than a layer; asking for it says what there is."""
    shape = layout("deepseek-v3")
    assert {unit: shape.unit_bytes(unit) for unit in shape.units} == {"layer": 36864, "block": 61 * 36864}
    with pytest.raises(BadInput, match="deepseek-v3 in this layout has no unit 'head'") as caught:
        shape.unit_bytes("head")
    assert caught.value.code == "unknown-unit"
    assert caught.value.hint == "units: layer, block"


@given(LAYOUTS)
def test_units_are_distinct_pieces_that_divide_each_other(shape: Layout) -> None:
    """The units of any layout grow, each divides the next, and the last is the block."""
    sizes = [shape.unit_bytes(unit) for unit in shape.units]
    assert sizes == sorted(set(sizes))
    assert all(large % small == 0 for small, large in pairwise(sizes))
    assert shape.units[-1] == "block"
    assert sizes[-1] == shape.block_bytes


@given(LAYOUTS)
def test_a_block_is_its_tokens(shape: Layout) -> None:
    """A block holds the bytes of its tokens over all layers, no more and no less."""
    assert shape.block_bytes == shape.tokens_per_block * shape.geometry.bytes_per_token(shape.element_bytes)
    assert shape.block_bytes == shape.logical_bytes(shape.tokens_per_block)


@given(LAYOUTS, st.integers(1, 100_000))
def test_blocks_are_the_fewest_that_hold_a_request(shape: Layout, tokens: int) -> None:
    """A request gets as many blocks as its tokens need and not one more."""
    blocks = shape.blocks(tokens)
    assert blocks * shape.tokens_per_block >= tokens > (blocks - 1) * shape.tokens_per_block


def test_blocks_round_up_for_each_request() -> None:
    """Two requests of 33 tokens take two blocks each, not three together."""
    shape = layout("llama-3.1-8b")
    assert shape.blocks(33) + shape.blocks(33) == 4
    assert shape.blocks(66) == 3
    assert shape.logical_bytes(33) == 33 * 131072


def test_an_unknown_unit_is_refused_with_the_units() -> None:
    """A name that is no unit, even one that is a property of layouts, is refused with the names that are."""
    for name in ("pages", "geometry", "unit", ""):
        with pytest.raises(BadInput, match="no unit") as caught:
            layout("llama-3.1-8b").unit_bytes(name)
        assert caught.value.hint == "units: head, page, layer, block"


def test_an_unknown_model_is_refused_with_a_suggestion() -> None:
    """A near miss is answered with the name that was meant, any other with all names."""
    with pytest.raises(BadInput, match=r"no model preset 'lama-3\.1-8b'") as caught:
        layout("lama-3.1-8b")
    assert caught.value.code == "unknown-model"
    assert caught.value.hint.startswith("did you mean llama-3.1-8b? presets: llama-3.1-8b, ")
    with pytest.raises(BadInput) as caught:
        layout("!")
    assert caught.value.hint.startswith("presets: ")


def test_a_layout_is_made_as_asked() -> None:
    """Tokens of a block and bytes of an element are the caller's."""
    shape = layout("deepseek-v3", tokens_per_block=64, element_bytes=1)
    assert shape.unit_bytes("layer") == 64 * 576


def test_a_model_of_several_pools_is_no_layout() -> None:
    """No single layout describes windows beside full attention: the groups are named, and what fits."""
    with pytest.raises(BadInput, match="gpt-oss-120b keeps its cache in several pools: full, window") as caught:
        layout("gpt-oss-120b")
    assert caught.value.code == "several-pools"
    assert caught.value.hint.startswith("of one pool: llama-3.1-8b, ")
    assert "gpt-oss-120b" not in MODELS


def test_a_head_is_no_piece_of_an_nhd_page() -> None:
    """With tokens outside, a head's bytes lie apart; the other units are as in HND."""
    shape = Layout(gqa("g", layers=2, kv_heads=4, head_dim=8), 16, 2, Order.NHD)
    assert shape.units == ("page", "layer", "block")
    assert (shape.token_stride, shape.head_stride) == (4 * 16, 16)
    hnd = Layout(shape.geometry, 16, 2)
    assert (hnd.token_stride, hnd.head_stride) == (16, 16 * 16)
    assert hnd.block_bytes == shape.block_bytes
