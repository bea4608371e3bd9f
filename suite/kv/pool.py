"""The paged block pool: where (block, layer, K/V, head, token) lies, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from suite.kv.geometry import Order

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

    def block_addresses(self, blocks: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return where each of `blocks` begins, shape (blocks,); a block that the pool has not is an IndexError."""
        if blocks.size and (blocks.min() < 0 or blocks.max() >= self.blocks):
            raise IndexError(f"block {blocks.min()}..{blocks.max()} outside a pool of {self.blocks}")
        return np.asarray(np.uint64(self.address) + blocks.astype(np.uint64) * np.uint64(self.layout.block_bytes))

    def unit_addresses(self, blocks: NDArray[np.int64], unit: str) -> NDArray[np.uint64]:
        """Return the address of every `unit` of `blocks`, in memory order: shape (blocks * units per block,)."""
        starts = self.block_addresses(blocks)
        step = self.layout.unit_bytes(unit)
        inside = np.arange(0, self.layout.block_bytes, step, dtype=np.uint64)
        return (starts[:, None] + inside).ravel()

    def describe(self, offset: int) -> str:
        """Return the place of byte `offset` in words: block, layer, K/V, head, token and byte."""
        block, rest = divmod(offset, self.layout.block_bytes)
        layer, rest = divmod(rest, self.layout.layer_bytes)
        kind, rest = divmod(rest, self.layout.page_bytes)
        row, byte = divmod(rest, self.layout.row_bytes)
        if self.layout.order == Order.HND:
            head, token = divmod(row, self.layout.tokens_per_block)
        else:
            token, head = divmod(row, self.layout.geometry.heads)
        place = [f"block {block}", f"layer {layer}"]
        if self.layout.geometry.kinds > 1:
            place += [KINDS[kind], f"head {head}"]
        else:  # one head of one kind is MLA's latent, whatever the rank
            place += [f"head {head}" if self.layout.geometry.heads > 1 else "latent"]
        return ", ".join([*place, f"token {token}", f"byte {byte}"])
