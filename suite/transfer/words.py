"""What every byte of a region must be, from what it is and not from any plan.

A word of content is its identity (epoch, layer group, request, token, layer,
K/V, head, word of the row) times an odd constant, so that all words of all
requests differ, ranks that hold the same head hold the same bytes, and any
word can be read back into whose it is. Everything else is paint: its identity
is (rank, epoch, word of the region).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from suite.errors import BadInput
from suite.kv.pool import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from suite.kv.groups import LayerGroup
    from suite.transfer.task import Task

WORD = 8
EPOCHS = 1 << 10
_ODD = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: neighbours differ in every byte
_INVERSE = pow(_ODD, -1, 1 << 64)
_WRAP = (1 << 64) - 1
_PAINT, _RANK_BIT, _PAINT_EPOCH_BIT = 1 << 63, 50, 40
_EPOCH_BIT, _GROUP_BIT = 53, 48


@dataclass(frozen=True)
class Numbering:
    """How the words of one layer group are counted: the identity is linear in each coordinate."""

    group: LayerGroup
    index: int  # of the group in the model
    layers: int
    tokens: int
    words: int  # of a row; the last may be cut
    requests: int

    @classmethod
    def of(cls, task: Task, index: int) -> Numbering:
        """Return the numbering of a group; `BadInput` for more words than can be told apart."""
        group = task.model.groups[index]
        elements, size = group.row(task.prefill.element_bytes)
        largest = max(task.prefill.tokens_per_block, task.decode.tokens_per_block)
        tokens = 1 if group.per_request else -(-task.tokens // largest) * largest
        found = cls(group, index, task.model.layers, tokens, -(-elements * size // WORD), task.requests)
        if found.request_stride * task.requests >= 1 << _GROUP_BIT:
            raise BadInput("too-large", f"{task.requests} requests of {task.tokens} tokens", "take fewer")
        return found

    @property
    def head_stride(self) -> int:
        """Words from a head to the next."""
        return self.words

    @property
    def kind_stride(self) -> int:
        """Words from K to V."""
        return self.group.heads * self.head_stride

    @property
    def layer_stride(self) -> int:
        """Words from a layer to the next."""
        return self.group.kinds * self.kind_stride

    @property
    def token_stride(self) -> int:
        """Words from a token to the next."""
        return self.layers * self.layer_stride

    @property
    def request_stride(self) -> int:
        """Words from a request to the next."""
        return self.tokens * self.token_stride

    def base(self, epoch: int) -> int:
        """Return the identity of the group's first word in an epoch."""
        return (epoch % EPOCHS) << _EPOCH_BIT | self.index << _GROUP_BIT

    def describe(self, rest: int) -> str:
        """Return the place of word `rest` of the group in words."""
        request, rest = divmod(rest, self.request_stride)
        token, rest = divmod(rest, self.token_stride)
        layer, rest = divmod(rest, self.layer_stride)
        kind, rest = divmod(rest, self.kind_stride)
        return f"request {request}, {place(self.group, layer, kind, rest // self.head_stride)}, token {token}"


def place(group: LayerGroup, layer: int, kind: int, head: int) -> str:
    """Return layer, K/V and head, as the model numbers them, in words."""
    inside = f"{KINDS[kind]}, head {head}" if group.kinds > 1 else f"head {head}" if group.heads > 1 else group.name
    return f"layer {layer}, {inside}"


def times_odd(identities: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the words of identities; sums of words are words of sums."""
    return np.asarray(identities * np.uint64(_ODD))


def paint(rank: int, epoch: int, start: int, nbytes: int) -> NDArray[np.uint8]:
    """Return `nbytes` bytes of a region's paint from byte `start` on, for the rank with that number among all."""
    first, last = start // WORD, -(-(start + nbytes) // WORD)
    base = _PAINT | rank << _RANK_BIT | (epoch % EPOCHS) << _PAINT_EPOCH_BIT
    words = times_odd(np.arange(base + first, base + last, dtype=np.uint64))
    return words.view(np.uint8)[start - first * WORD :][:nbytes]


def held(found: int, numberings: tuple[Numbering, ...], *, rank: int, epoch: int) -> str:
    """Say what a word is that should be another one, on the rank with that number in that epoch."""
    identity = found * _INVERSE & _WRAP
    if identity & _PAINT:
        of, when = identity >> _RANK_BIT & 0x1FFF, identity >> _PAINT_EPOCH_BIT & EPOCHS - 1
        if of == rank and when == epoch % EPOCHS:
            return "untouched"
        return "corrupt" if of >= 1 << 12 else f"holds what lay unused on rank {of} in epoch {when}"
    when, index = identity >> _EPOCH_BIT, identity >> _GROUP_BIT & 0x1F
    rest = identity & (1 << _GROUP_BIT) - 1
    if index >= len(numberings) or rest >= numberings[index].request_stride * numberings[index].requests:
        return "corrupt: holds what nobody wrote"
    stale = "" if when == epoch % EPOCHS else f"stale, of epoch {when}: "
    return f"{stale}holds {numberings[index].describe(rest)}"
