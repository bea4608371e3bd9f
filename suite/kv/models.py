"""The KV-cache shapes of published models, as data.

Sources: the models' published configurations, most of them as stored in
ai-dynamo/aiconfigurator `aic-core/src/aiconfigurator_core/model_configs/`.
Layers of multi-token prediction are not counted. From memory, not re-checked:
the 656 and 132 bytes of DeepSeek-V3.2's fp8 rows, and which layers of Gemma-4
and Qwen3.5 have full attention (their number is published). Left out, because what a token keeps is not known well enough:
DeepSeek-V4 (compressed windows) and Kimi-K3 (its linear attention).
"""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.kv.groups import LayerGroup, Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FP32, BF16, FP8 = 4, 2, 1  # bytes of what has a data type of its own
# M: Mamba-2, E: experts (no state), *: attention; `hybrid_override_pattern` of the configurations
_NANO = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"
_SUPER = "MEMEMEM*EMEMEMEM*EMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEM*EMEMEMEME"


def _attention(name: str, layers: Iterable[int], heads: int, dim: int, window: int | None = None) -> LayerGroup:
    return LayerGroup(name, tuple(layers), 2, heads, dim, window)


def _full(name: str, *, layers: int, heads: int, dim: int) -> Model:
    return Model(name, layers, (_attention("full", range(layers), heads, dim),))


def _latent(name: str, *, layers: int, indexer: bool = False, fp8_dim: int | None = None) -> Model:
    """MLA of DeepSeek's sizes; `indexer` adds the fp8 key (128 and a 4-byte scale) of sparse attention."""
    every = tuple(range(layers))
    latent = LayerGroup("latent", every, 1, 1, 512 + 64, fp8_dim=fp8_dim)
    key = LayerGroup("indexer", every, 1, 1, 128 + 4, element_bytes=FP8)
    return Model(name, layers, (latent, key) if indexer else (latent,))


def _windowed(name: str, full: LayerGroup, *, heads: int, dim: int, window: int, layers: int) -> Model:
    """Every layer that has not full attention has a window."""
    rest = (layer for layer in range(layers) if layer not in full.layers)
    return Model(name, layers, (full, _attention("window", rest, heads, dim, window)))


def _mimo() -> Model:
    """K and V rows differ in length, so they lie in pools of their own."""
    full = (0, *range(5, 48, 6))
    rest = tuple(layer for layer in range(48) if layer not in full)
    kept = [
        LayerGroup(f"{name}-{kind}", layers, 1, heads, dim, window)
        for name, layers, heads, window in (("full", full, 4, None), ("window", rest, 8, 128))
        for kind, dim in (("k", 192), ("v", 128))
    ]
    return Model("mimo-v2-flash", 48, tuple(kept))


def _states(
    layers: tuple[int, ...], *, heads: int, state: int, conv: int, groups: int, group_conv: int
) -> list[LayerGroup]:
    """Return what a recurrent layer keeps: `heads` fp32 states, and the last three inputs of its convolution.

    Those are `heads` rows of `conv` channels, and two sorts (B and C; Q and K)
    of `groups` rows of `group_conv`. Engines lay them out in one buffer; here
    each sort has a pool, since each is split over ranks in its own way.
    """
    steps = 4 - 1
    once = {"per_request": True}
    return [
        LayerGroup("state", layers, 1, heads, state, element_bytes=FP32, **once),
        LayerGroup("conv", layers, 1, heads, conv * steps, element_bytes=BF16, **once),
        LayerGroup("conv-groups", layers, 2, groups, group_conv * steps, element_bytes=BF16, **once),
    ]


def _mamba(name: str, pattern: str, *, heads: int) -> Model:
    mamba, attention = (tuple(i for i, kind in enumerate(pattern) if kind == wanted) for wanted in "M*")
    states = _states(mamba, heads=heads, state=64 * 128, conv=64, groups=8, group_conv=128)
    return Model(name, len(pattern), (_attention("full", attention, 2, 128), *states))


def _delta_net() -> Model:
    full = tuple(range(3, 60, 4))
    rest = tuple(layer for layer in range(60) if layer not in full)
    states = _states(rest, heads=64, state=128 * 128, conv=128, groups=16, group_conv=128)
    return Model("qwen3.5-397b-a17b", 60, (_attention("full", full, 2, 256), *states))


PRESETS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            _full("llama-3.1-8b", layers=32, heads=8, dim=128),
            _full("llama-3.1-70b", layers=80, heads=8, dim=128),
            _full("llama-3.1-405b", layers=126, heads=8, dim=128),
            _full("mixtral-8x7b", layers=32, heads=8, dim=128),
            _full("qwen3-8b", layers=36, heads=8, dim=128),
            _full("qwen3-32b", layers=64, heads=8, dim=128),
            _full("qwen3-30b-a3b", layers=48, heads=4, dim=128),
            _full("qwen3-235b-a22b", layers=94, heads=4, dim=128),
            _full("qwen3-coder-480b", layers=62, heads=8, dim=128),
            _full("minimax-m2.5", layers=62, heads=8, dim=128),
            _latent("deepseek-v3", layers=61),
            _latent("deepseek-r1", layers=61),
            _latent("kimi-k2", layers=61),
            _latent("deepseek-v3.2", layers=61, indexer=True, fp8_dim=656),
            _latent("glm-5", layers=78, indexer=True),
            _latent("glm-5.1", layers=78, indexer=True),
            _windowed(
                "gpt-oss-20b", _attention("full", range(1, 24, 2), 8, 64), heads=8, dim=64, window=128, layers=24
            ),
            _windowed(
                "gpt-oss-120b", _attention("full", range(1, 36, 2), 8, 64), heads=8, dim=64, window=128, layers=36
            ),
            _windowed(
                "gemma-4-26b-a4b", _attention("full", range(5, 30, 6), 2, 512), heads=8, dim=256, window=1024, layers=30
            ),
            _mimo(),
            _mamba("nemotron-3-nano-30b", _NANO, heads=64),
            _mamba("nemotron-3-super-120b", _SUPER, heads=128),
            _delta_net(),
        )
    }
)


def preset(name: str) -> Model:
    """Return the model of that name; an unknown one is a `BadInput` with a suggestion."""
    model = PRESETS.get(name)
    if model is None:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise BadInput("unknown-model", f"no model preset {name!r}", f"{hint}presets: {', '.join(PRESETS)}")
    return model
