"""The reference for a KV cache that changes its parallel layout: which bytes go where, pair of ranks by pair of ranks.

Pure functions: `suite.kv.pairs` says which ranks talk, `plan` which bytes of
their two pools move, `sizes` and `total` count the same without a plan. See
NVIDIA/TensorRT-LLM `tensorrt_llm/_torch/disaggregation/native/transfer.py`;
beyond it, sides may differ in the order inside a page, and in block size with
any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from suite.errors import BadInput
from suite.kv import plan as plans
from suite.kv.align import Span, Table, missing
from suite.kv.geometry import Order
from suite.kv.pairs import pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from suite.kv.groups import LayerGroup, Model
    from suite.kv.pairs import Pair, Part
    from suite.kv.plan import Plan
    from suite.kv.pool import Pool
    from suite.kv.side import Side


@dataclass(frozen=True)
class Sizes:
    """What a transfer moves: `logical_bytes` are content, `padded_bytes` whole pieces of blocks.

    `wire_bytes` are what the descriptors carry. A pair's are its own share; in a
    total, what several decode ranks get is on the wire once for each, and once
    in the other two.
    """

    descriptors: int = 0
    logical_bytes: int = 0
    padded_bytes: int = 0
    wire_bytes: int = 0

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(
            self.descriptors + other.descriptors,
            self.logical_bytes + other.logical_bytes,
            self.padded_bytes + other.padded_bytes,
            self.wire_bytes + other.wire_bytes,
        )


class _Loop(NamedTuple):
    """One loop over a pair's rows in a piece of a block: how often, and how far on in each pool."""

    times: int
    source: int
    destination: int


def plan(
    pair: Pair,
    pools: tuple[Pool, Pool],
    tables: tuple[NDArray[np.int64], NDArray[np.int64]],
    *,
    tokens: int,
    cached: int = 0,
) -> Plan:
    """Return the plan of one pair for a prompt of `tokens`, of which decode has the first `cached`.

    `pools` are the two ranks' pools of the pair's group, prefill's first.
    `tables` are their block tables, shape (B,) each: the prompt's last B blocks
    (of a state: its one), wherever they lie in the pool. Rows are in the order
    of the tokens, then of prefill's memory. Raises `BadInput` for pools and
    tables that do not fit, `IndexError` for a block outside its pool.
    """
    ends = list(zip((pair.source, pair.destination), pools, tables, strict=True))
    for part, pool, table in ends:
        _fits(part, pool, table)
    tokens, cached = _kept(pair.group, tokens, cached)
    limits = [Table(part.layout.tokens_per_block, len(table)) for part, _, table in ends]
    span = missing(tokens, *limits, window=pair.group.window, cached=cached)
    loops, nbytes = _loops(pair, span.chunk)
    firsts = np.arange(span.start, span.stop, span.chunk)
    pieces = [
        _pieces(part, pool, table, firsts - limit.start(tokens))
        for (part, pool, table), limit in zip(ends, limits, strict=True)
    ]
    return plans.rows(
        _rows(pieces[0], [(loop.times, loop.source) for loop in loops]),
        _rows(pieces[1], [(loop.times, loop.destination) for loop in loops]),
        nbytes,
        source_device=pools[0].device,
        destination_device=pools[1].device,
        logical_bytes=span.content_tokens * _bytes_per_token(pair),
    )


def sizes(pair: Pair, *, tokens: int, cached: int = 0) -> Sizes:
    """Return what `plan` moves when both tables hold all that the group keeps of the prompt."""
    span = _span(pair, tokens, cached)
    loops, nbytes = _loops(pair, span.chunk)
    rows = span.chunks * prod(loop.times for loop in loops)
    per_token = _bytes_per_token(pair)
    return Sizes(rows, span.content_tokens * per_token, span.chunks * span.chunk * per_token, rows * nbytes)


def total(model: Model, prefill: Side, decode: Side, *, tokens: int, cached: int = 0) -> Sizes:
    """Return what one request moves, over all layer groups and pairs of ranks."""
    groups = (group_total(model, group, prefill, decode, tokens=tokens, cached=cached) for group in model.groups)
    return sum(groups, Sizes())


def group_total(model: Model, group: LayerGroup, prefill: Side, decode: Side, *, tokens: int, cached: int = 0) -> Sizes:
    """Return what one layer group of a request moves, over all pairs of ranks."""
    found = pairs(model, group, prefill, decode)
    moved = sum((sizes(pair, tokens=tokens, cached=cached) for pair in found), Sizes())
    span = _span(found[0], tokens, cached)
    per_token = group.bytes_per_token(prefill.element_bytes)
    padded = span.chunks * span.chunk * per_token
    return Sizes(moved.descriptors, span.content_tokens * per_token, padded, moved.wire_bytes)


def _kept(group: LayerGroup, tokens: int, cached: int) -> tuple[int, int]:
    """Return (tokens, cached) as the group sees them: a state is one token that decode never has."""
    return (1, 0) if group.per_request else (tokens, cached)


def _span(pair: Pair, tokens: int, cached: int) -> Span:
    tokens, cached = _kept(pair.group, tokens, cached)
    per_block = [part.layout.tokens_per_block for part in (pair.source, pair.destination)]
    source, destination = (Table(size, pair.group.blocks(tokens, size)) for size in per_block)
    return missing(tokens, source, destination, window=pair.group.window, cached=cached)


def _bytes_per_token(pair: Pair) -> int:
    return len(pair.layers) * pair.group.kinds * pair.heads * pair.source.layout.row_bytes


def _loops(pair: Pair, chunk: int) -> tuple[list[_Loop], int]:
    """Return the loops over the descriptors of one piece, outermost first, and a descriptor's bytes.

    A loop whose step is what lies inside it, in both pools, is no loop: it makes
    the descriptor longer. So pairs of equal heads and blocks move all layers in
    one, of unequal heads each head range of a page, and so on.
    """
    source, destination = pair.source.layout, pair.destination.layout
    loops = [
        _Loop(len(pair.layers), source.layer_bytes, destination.layer_bytes),
        _Loop(pair.group.kinds, source.page_bytes, destination.page_bytes),
        _Loop(pair.heads, source.head_stride, destination.head_stride),
        _Loop(chunk, source.token_stride, destination.token_stride),
    ]
    if source.order == Order.NHD:
        loops[2:] = reversed(loops[2:])
    nbytes = source.row_bytes
    while joined := [
        loop for loop in loops if loop.times == 1 or (loop.times and loop.source == loop.destination == nbytes)
    ]:
        loops.remove(joined[-1])
        nbytes *= joined[-1].times
    return loops, nbytes


def _fits(part: Part, pool: Pool, table: NDArray[np.int64]) -> None:
    if pool.layout != part.layout:
        raise BadInput("other-pool", f"{part.rank}'s pool is {pool.layout}", f"the pair needs {part.layout}")
    if len(np.unique(table)) != len(table):
        raise BadInput(
            "block-twice", f"{part.rank}'s block table names a block twice", "a block holds one piece of a prompt"
        )


def _pieces(part: Part, pool: Pool, table: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return where the pair's bytes of each piece begin; `tokens` are its first ones, counted from the table's first."""
    layout = part.layout
    index, inside = np.divmod(tokens, layout.tokens_per_block)
    first = part.first_layer * layout.layer_bytes + part.first_head * layout.head_stride
    return np.asarray(pool.block_addresses(table[index]) + (first + inside * layout.token_stride).astype(np.uint64))


def _rows(pieces: NDArray[np.uint64], loops: Sequence[tuple[int, int]]) -> NDArray[np.uint64]:
    """Return the address of every descriptor of all pieces; `loops` are (times, bytes on), outermost first."""
    offsets = [np.arange(times, dtype=np.uint64) * np.uint64(step) for times, step in loops]
    return np.asarray(reduce(np.add.outer, offsets, pieces)).ravel()
