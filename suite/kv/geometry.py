"""Model shapes -> bytes: what one block of a paged KV cache holds, and in which order.

The layout is TensorRT-LLM's pool: a block is `[layer][K/V][head][token][dim]`
in HND order, `[layer][K/V][token][head][dim]` in NHD order. So the natural
units of HND are a head, a page (K or V of one layer), a layer and the whole
block. MLA keeps one latent vector per token and layer: no K/V pair and no heads.

Sources: the models' published configurations; the pool layout is described in
NVIDIA/TensorRT-LLM `cpp/tensorrt_llm/batch_manager/kvCacheManager.cpp`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.kv.models import PRESETS, preset

if TYPE_CHECKING:
    from collections.abc import Mapping


class Order(StrEnum):
    """Which of heads and tokens is the outer one inside a page."""

    HND = "HND"
    NHD = "NHD"


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


@dataclass(frozen=True)
class Layout:
    """A geometry cut into blocks of `tokens_per_block`, elements of `element_bytes`, pages in `order`."""

    geometry: Geometry
    tokens_per_block: int = 32
    element_bytes: int = 2
    order: Order = Order.HND

    @property
    def row_bytes(self) -> int:
        """Bytes of one token of one head of K (or V) of one layer."""
        return self.geometry.dim * self.element_bytes

    @property
    def token_stride(self) -> int:
        """Bytes from a token of a head to its next."""
        return self.row_bytes * (1 if self.order == Order.HND else self.geometry.heads)

    @property
    def head_stride(self) -> int:
        """Bytes from a head of a token to its next."""
        return self.row_bytes * (self.tokens_per_block if self.order == Order.HND else 1)

    @property
    def head_bytes(self) -> int:
        """Bytes of one head of K (or V) of one layer in one block."""
        return self.tokens_per_block * self.row_bytes

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
        sizes = {"page": self.page_bytes, "layer": self.layer_bytes, "block": self.block_bytes}
        if self.order == Order.HND:
            sizes = {"head": self.head_bytes, **sizes}
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


MODELS: Mapping[str, Geometry] = MappingProxyType(  # the presets that keep their whole cache in one pool
    {
        name: Geometry(name, len(group.layers), group.kinds, group.heads, group.dim)
        for name, model in PRESETS.items()
        for group in model.groups
        if len(model.groups) == 1
    }
)


def layout(model: str, *, tokens_per_block: int = 32, element_bytes: int = 2) -> Layout:
    """Return the layout of a model preset.

    An unknown name is a `BadInput` with a suggestion; so is a model of several layer
    groups, which no single layout describes.
    """
    groups = preset(model).groups
    if len(groups) > 1:
        names = ", ".join(group.name for group in groups)
        raise BadInput(
            "several-pools", f"{model} keeps its cache in several pools: {names}", f"of one pool: {', '.join(MODELS)}"
        )
    return Layout(MODELS[model], tokens_per_block, element_bytes)
