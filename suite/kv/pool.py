"""The paged block pool: where (block, layer, K/V, head, token) lies, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from suite.kv.geometry import Layout

KINDS = ("K", "V")


@dataclass(frozen=True)
class Pool:
    """`blocks` blocks of one layout, back to back from `address` on `device`."""

    layout: Layout
    blocks: int
    address: int
    device: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the whole pool."""
        return self.blocks * self.layout.block_bytes

    def unit_addresses(self, blocks: NDArray[np.int64], unit: str) -> NDArray[np.uint64]:
        """Return the address of every `unit` of `blocks`, in memory order: shape (blocks * units per block,)."""
        if blocks.size and (blocks.min() < 0 or blocks.max() >= self.blocks):
            raise IndexError(f"block {blocks.min()}..{blocks.max()} outside a pool of {self.blocks}")
        step = self.layout.unit_bytes(unit)
        starts = np.uint64(self.address) + blocks.astype(np.uint64) * np.uint64(self.layout.block_bytes)
        inside = np.arange(0, self.layout.block_bytes, step, dtype=np.uint64)
        return (starts[:, None] + inside).ravel()

    def describe(self, offset: int) -> str:
        """Return the place of byte `offset` in words: block, layer, K/V, head, token and byte."""
        block, rest = divmod(offset, self.layout.block_bytes)
        layer, rest = divmod(rest, self.layout.layer_bytes)
        kind, rest = divmod(rest, self.layout.page_bytes)
        head, rest = divmod(rest, self.layout.head_bytes)
        token, byte = divmod(rest, self.layout.geometry.dim * self.layout.element_bytes)
        if self.layout.geometry.kinds == 1:
            return f"block {block}, layer {layer}, latent, token {token}, byte {byte}"
        return f"block {block}, layer {layer}, {KINDS[kind]}, head {head}, token {token}, byte {byte}"
