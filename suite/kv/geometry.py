"""Model shapes -> bytes: what one block of a paged KV cache holds, and in which order.

The layout is TensorRT-LLM's pool in HND order: a block is
`[layer][K/V][head][token][dim]`, so its natural units are a head, a page (K or
V of one layer), a layer and the whole block. MLA keeps one latent vector per
token and layer: no K/V pair and no heads.

Sources: the models' published configurations; the pool layout is described in
NVIDIA/TensorRT-LLM `cpp/tensorrt_llm/batch_manager/kvCacheManager.cpp`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Geometry:
    """The KV-cache shape of a model: per layer `kinds` (K and V) x `heads` x `dim` elements a token."""

    name: str
    layers: int
    kinds: int  # 2: K and V; 1: MLA's joint latent
    heads: int
    dim: int

    def bytes_per_token(self, element_bytes: int) -> int:
        """Return the logical bytes of one token over all layers."""
        return self.layers * self.kinds * self.heads * self.dim * element_bytes


def gqa(name: str, *, layers: int, kv_heads: int, head_dim: int) -> Geometry:
    """Return the geometry of a model with grouped-query attention."""
    return Geometry(name, layers, 2, kv_heads, head_dim)


def mla(name: str, *, layers: int, kv_lora_rank: int, qk_rope_head_dim: int) -> Geometry:
    """Return the geometry of a model with multi-head latent attention."""
    return Geometry(name, layers, 1, 1, kv_lora_rank + qk_rope_head_dim)


MODELS: Mapping[str, Geometry] = MappingProxyType(
    {
        model.name: model
        for model in (
            gqa("llama-3.1-8b", layers=32, kv_heads=8, head_dim=128),
            gqa("llama-3.1-70b", layers=80, kv_heads=8, head_dim=128),
            mla("deepseek-v3", layers=61, kv_lora_rank=512, qk_rope_head_dim=64),
        )
    }
)


@dataclass(frozen=True)
class Layout:
    """A geometry cut into blocks of `tokens_per_block`, elements of `element_bytes`."""

    geometry: Geometry
    tokens_per_block: int = 32
    element_bytes: int = 2

    @property
    def head_bytes(self) -> int:
        """Bytes of one head of K (or V) of one layer in one block."""
        return self.tokens_per_block * self.geometry.dim * self.element_bytes

    @property
    def page_bytes(self) -> int:
        """Bytes of K (or V) of one layer in one block."""
        return self.geometry.heads * self.head_bytes

    @property
    def layer_bytes(self) -> int:
        """Bytes of one layer in one block."""
        return self.geometry.kinds * self.page_bytes

    @property
    def block_bytes(self) -> int:
        """Bytes of one block: all layers of `tokens_per_block` tokens."""
        return self.geometry.layers * self.layer_bytes

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the contiguous pieces of this layout that differ in size, small to large."""
        sizes = {"head": self.head_bytes, "page": self.page_bytes, "layer": self.layer_bytes, "block": self.block_bytes}
        largest_name = {size: name for name, size in sizes.items()}
        return tuple(name for name, size in sizes.items() if largest_name[size] == name)

    def unit_bytes(self, unit: str) -> int:
        """Return the bytes of one `unit`; every unit divides a block."""
        if unit not in self.units:
            raise BadInput(
                "unknown-unit",
                f"{self.geometry.name} in this layout has no unit {unit!r}",
                f"units: {', '.join(self.units)}",
            )
        return int(getattr(self, f"{unit}_bytes"))

    def blocks(self, tokens: int) -> int:
        """Return how many blocks one request of `tokens` takes; the last may be padded."""
        return -(-tokens // self.tokens_per_block)

    def logical_bytes(self, tokens: int) -> int:
        """Return the KV cache's own size for one request, without padding."""
        return tokens * self.geometry.bytes_per_token(self.element_bytes)


def layout(model: str, *, tokens_per_block: int = 32, element_bytes: int = 2) -> Layout:
    """Return the layout of a model preset; an unknown name is a `BadInput` with a suggestion."""
    geometry = MODELS.get(model)
    if geometry is None:
        near = difflib.get_close_matches(model, MODELS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise BadInput("unknown-model", f"no model preset {model!r}", f"{hint}presets: {', '.join(MODELS)}")
    return Layout(geometry, tokens_per_block, element_bytes)
