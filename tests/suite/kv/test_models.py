"""Every figure of the published model table, and the blocks of windows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.errors import BadInput
from suite.kv.groups import LayerGroup, Model, stale_blocks
from suite.kv.models import PRESETS, preset

K = 1024
# name, layers, bytes of a token at 2 and at 1 byte, constant bytes (MB at bf16), GB of 8k, 32k and 128k tokens
PUBLISHED = [
    ("llama-3.1-8b", 32, 131072, 65536, 0, 1.07, 4.29, 17.2),
    ("llama-3.1-70b", 80, 327680, 163840, 0, 2.68, 10.74, 42.9),
    ("llama-3.1-405b", 126, 516096, 258048, 0, 4.23, 16.9, 67.6),
    ("mixtral-8x7b", 32, 131072, 65536, 0, 1.07, 4.29, 17.2),
    ("qwen3-8b", 36, 147456, 73728, 0, 1.21, 4.83, 19.3),
    ("qwen3-32b", 64, 262144, 131072, 0, 2.15, 8.59, 34.4),
    ("qwen3-30b-a3b", 48, 98304, 49152, 0, 0.805, 3.22, 12.9),
    ("qwen3-235b-a22b", 94, 192512, 96256, 0, 1.58, 6.31, 25.2),
    ("qwen3-coder-480b", 62, 253952, 126976, 0, 2.08, 8.32, 33.3),
    ("minimax-m2.5", 62, 253952, 126976, 0, 2.08, 8.32, 33.3),
    ("deepseek-v3", 61, 70272, 35136, 0, 0.576, 2.30, 9.21),
    ("deepseek-r1", 61, 70272, 35136, 0, 0.576, 2.30, 9.21),
    ("kimi-k2", 61, 70272, 35136, 0, 0.576, 2.30, 9.21),
    ("deepseek-v3.2", 61, 70272 + 8052, 40016 + 8052, 0, 0.642, 2.57, 10.3),
    ("gpt-oss-20b", 24, 24576, 12288, 3.15, 0.204, 0.808, 3.22),
    ("gpt-oss-120b", 36, 36864, 18432, 4.72, 0.307, 1.21, 4.84),
    ("gemma-4-26b-a4b", 30, 20480, 10240, 209.7, 0.377, 0.881, 2.89),
    ("mimo-v2-flash", 48, 23040, 11520, 25.6, 0.214, 0.781, 3.05),
    ("nemotron-3-nano-30b", 52, 6144, 3072, 49.1, 0.099, 0.250, 0.854),
    ("nemotron-3-super-120b", 88, 8192, 4096, 170.2, 0.237, 0.439, 1.24),
    ("qwen3.5-397b-a17b", 60, 30720, 15360, 192.1, 0.444, 1.20, 4.22),
]
INDEXED = ("glm-5", "glm-5.1")  # their published lengths leave the indexer out


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row[0])
def test_bytes_are_the_published_ones(row: tuple[str, int, int, int, float, float, float, float]) -> None:
    """Bytes of a token, of windows and states, and of prompts are those of the table, to its digits."""
    name, layers, bf16, fp8, constant, *lengths = row
    model = preset(name)
    assert model.layers == layers
    assert (model.bytes_per_token(2), model.bytes_per_token(1)) == (bf16, fp8)
    assert model.constant_bytes(2) / 1e6 == pytest.approx(constant, rel=2e-3)
    for tokens, gigabytes in zip((8 * K, 32 * K, 128 * K), lengths, strict=True):
        assert model.logical_bytes(tokens, 2) / 1e9 == pytest.approx(gigabytes, rel=5e-3)


@pytest.mark.parametrize("name", INDEXED)
def test_an_indexer_is_counted_apart(name: str) -> None:
    """GLM's latent is the published one, and its indexer's key adds 132 bytes a layer in every data type."""
    latent, indexer = preset(name).groups
    assert (latent.bytes_per_token(2), latent.bytes_per_token(1)) == (89856, 44928)
    assert indexer.bytes_per_token(2) == indexer.bytes_per_token(1) == 10296
    for tokens, gigabytes in ((8 * K, 0.736), (32 * K, 2.94), (128 * K, 11.8)):
        assert latent.logical_bytes(tokens, 2) / 1e9 == pytest.approx(gigabytes, rel=5e-3)


def test_no_preset_is_untested() -> None:
    """A new model needs a figure from somewhere else."""
    assert {row[0] for row in PUBLISHED} | set(INDEXED) == set(PRESETS)


@pytest.mark.parametrize("model", PRESETS.values(), ids=lambda model: model.name)
def test_groups_are_layers_of_their_model(model: Model) -> None:
    """Layers are numbers of the model, rising, and K-V attention layers are in one group each."""
    for group in model.groups:
        assert list(group.layers) == sorted(set(group.layers))
        assert group.layers[0] >= 0
        assert group.layers[-1] < model.layers
    attention = [
        layer for group in model.groups if group.kinds == 2 and not group.per_request for layer in group.layers
    ]
    assert len(attention) == len(set(attention))


@pytest.mark.parametrize(
    ("name", "group", "layers"),
    [
        ("gpt-oss-120b", "window", range(0, 36, 2)),
        ("gemma-4-26b-a4b", "full", (5, 11, 17, 23, 29)),
        ("mimo-v2-flash", "full-v", (0, 5, 11, 17, 23, 29, 35, 41, 47)),
        ("nemotron-3-nano-30b", "full", (5, 12, 19, 26, 33, 42)),
        ("nemotron-3-super-120b", "full", (7, 16, 25, 36, 47, 58, 69, 78)),
        ("qwen3.5-397b-a17b", "full", range(3, 60, 4)),
    ],
)
def test_layers_lie_where_the_configuration_puts_them(name: str, group: str, layers: tuple[int, ...]) -> None:
    """Which stage of a pipeline keeps what depends on the numbers of the layers."""
    assert preset(name).group(group).layers == tuple(layers)


@pytest.mark.parametrize(
    ("tokens", "per_block", "window", "total", "stale"),
    [(32, 8, 16, 4, 2), (33, 8, 16, 5, 2), (31, 8, 16, 4, 2), (40, 8, 17, 5, 3), (39, 8, 17, 5, 2), (64, 8, 128, 8, 0),
     (7, 8, 16, 1, 0)],
)  # fmt: skip
def test_blocks_of_a_window_are_upstreams(tokens: int, per_block: int, window: int, total: int, stale: int) -> None:
    """The examples of TensorRT-LLM's rule."""
    group = LayerGroup("window", (0,), 2, 1, 4, window)
    assert stale_blocks(tokens, per_block, window) == stale
    assert group.blocks(tokens, per_block) == total - stale
    assert group.padded_bytes(tokens, per_block, 2) == (total - stale) * per_block * 16


@given(st.integers(1, 300), st.integers(1, 33), st.integers(1, 80))
def test_a_block_is_stale_when_the_next_token_sees_none_of_it(tokens: int, per_block: int, window: int) -> None:
    """Counted token by token: the next token sees itself and `window - 1` before it."""
    seen = range(max(0, tokens + 1 - window), tokens)
    blocks = [range(at, at + per_block) for at in range(0, tokens, per_block)]
    stale = [block for block in blocks if not set(block) & set(seen) and block.stop <= seen.start]
    assert stale_blocks(tokens, per_block, window) == len(stale)


def test_a_state_is_one_block_however_long_the_prompt() -> None:
    """Hybrids keep a constant for a request, and windows stop growing."""
    model = preset("nemotron-3-nano-30b")
    states = [group for group in model.groups if group.per_request]
    assert [group.blocks(n, 32) for group in states for n in (1, 100_000)] == [1] * 6
    assert sum(group.padded_bytes(77, 32, 2) for group in states) == model.constant_bytes(2)
    assert model.logical_bytes(1000, 2) - model.logical_bytes(999, 2) == 6144
    assert preset("gpt-oss-20b").logical_bytes(1000, 2) - preset("gpt-oss-20b").logical_bytes(999, 2) == 24576


def test_padding_is_per_request_and_window() -> None:
    """A hundred tokens fill one block of 128; a window of 128 keeps four or five blocks of 32."""
    assert preset("llama-3.1-8b").padded_bytes(100, 128, 2) == 128 * 131072
    window = preset("gpt-oss-120b").group("window")
    assert {window.blocks(tokens, 32) for tokens in range(1000, 1100)} == {4, 5}
    ignored = LayerGroup("full", tuple(range(36)), 2, 8, 64)
    assert ignored.logical_bytes(128 * K, 2) / 1e9 == pytest.approx(9.66, rel=1e-3)  # what ignoring windows would say


def test_the_first_layers_are_a_model() -> None:
    """A model is cut to fit a small memory; groups that lose all layers go."""
    cut = preset("gpt-oss-120b").first(3)
    assert [group.layers for group in cut.groups] == [(1,), (0, 2)]
    assert [group.name for group in preset("nemotron-3-nano-30b").first(5).groups] == ["state", "conv", "conv-groups"]
    assert preset("deepseek-v3").first(8).bytes_per_token(2) == 8 * 1152
    for layers in (0, 62, -1):
        with pytest.raises(BadInput, match=f"has 61 layers, not {layers}"):
            preset("deepseek-v3").first(layers)


def test_unknown_names_are_refused() -> None:
    """Models and groups say what there is."""
    with pytest.raises(BadInput, match="no model preset 'gpt-oss'") as caught:
        preset("gpt-oss")
    assert caught.value.hint.startswith("did you mean gpt-oss-")
    with pytest.raises(BadInput, match="no layer group 'sink'") as caught:
        preset("gpt-oss-20b").group("sink")
    assert caught.value.hint == "groups: full, window"
