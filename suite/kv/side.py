"""How one side keeps a model's cache, and whether two sides can hand a cache over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from suite.errors import BadInput
from suite.kv.geometry import Geometry, Layout, Order
from suite.kv.parallel import Parallel

if TYPE_CHECKING:
    from suite.kv.groups import LayerGroup, Model
    from suite.kv.parallel import Rank


@dataclass(frozen=True)
class Side:
    """One server: its ranks, the size of its blocks, its data type, and the order inside a page."""

    parallel: Parallel = field(default_factory=Parallel)
    tokens_per_block: int = 32
    element_bytes: int = 2
    order: Order = Order.HND

    def __post_init__(self) -> None:
        if self.tokens_per_block < 1:
            raise BadInput("block-size", f"blocks of {self.tokens_per_block} tokens", "1 or more")
        if self.element_bytes < 1 or self.element_bytes != int(self.element_bytes):
            raise BadInput(
                "sub-byte",
                f"elements of {self.element_bytes} bytes",
                "whole bytes only: NVFP4 and its like are not supported",
            )

    def block_tokens(self, group: LayerGroup) -> int:
        """Return how many tokens a block of the group's pool holds; a state counts as one."""
        return 1 if group.per_request else self.tokens_per_block

    def layers(self, model: Model, group: LayerGroup, rank: Rank) -> tuple[int, ...]:
        """Return which of the group's layers a rank holds, in the order of its pool."""
        stage = self.parallel.stage(rank.pp, model.layers)
        return tuple(layer for layer in group.layers if layer in stage)

    def layout(self, model: Model, group: LayerGroup, rank: Rank) -> Layout:
        """Return how the group's blocks lie on a rank; without a layer there, a block is empty."""
        elements, size = group.row(self.element_bytes)
        layers = len(self.layers(model, group, rank))
        heads = len(self.parallel.heads(rank.tp, group.heads))
        shape = Geometry(f"{model.name}/{group.name}", layers, group.kinds, heads, elements)
        return Layout(shape, self.block_tokens(group), size, self.order)

    def held_bytes(self, model: Model, tokens: int) -> int:
        """Return the bytes of a request's blocks on all ranks of its DP group, replicated heads counted each time."""
        return sum(
            group.blocks(tokens, self.tokens_per_block) * self.layout(model, group, rank).block_bytes
            for rank in self.parallel.ranks(0)
            for group in model.groups
        )


def check(model: Model, prefill: Side, decode: Side) -> None:
    """Raise `BadInput`, naming the reason, if a cache of `model` cannot go from one side to the other.

    The rules are those of TensorRT-LLM's Python runtime, and what its formulas
    need: they misplace data where neither TP divides the other.
    """
    if prefill.element_bytes != decode.element_bytes:
        raise BadInput(
            "element-bytes-differ",
            f"prefill keeps elements of {prefill.element_bytes} bytes, decode of {decode.element_bytes}",
            "a transfer converts nothing: take one data type",
        )
    _divide("block-sizes", "tokens per block", prefill.tokens_per_block, decode.tokens_per_block)
    _divide("tp-does-not-divide", "TP ranks per DP group", prefill.parallel.tp, decode.parallel.tp)
    for parallel in (prefill.parallel, decode.parallel):
        parallel.stage(0, model.layers)
        for group in model.groups:
            parallel.heads(0, group.heads)


def _divide(code: str, what: str, prefill: int, decode: int) -> None:
    if prefill % decode and decode % prefill:
        raise BadInput(code, f"{what}: {prefill} at prefill, {decode} at decode", "one must divide the other")
