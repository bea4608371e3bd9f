"""Which ranks of prefill talk to which ranks of decode, and which layers and heads each pair moves.

The rules are those of TensorRT-LLM's Python runtime, its newer head rule
(`tensorrt_llm/_torch/disaggregation/native/peer.py`): pipeline stages that
overlap, TP ranks whose numbers meet, and of ranks that hold the same heads the
one whose turn it is, so that every destination byte has exactly one writer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from suite.kv.side import check

if TYPE_CHECKING:
    from suite.kv.geometry import Layout
    from suite.kv.groups import LayerGroup, Model
    from suite.kv.parallel import Rank
    from suite.kv.side import Side


@dataclass(frozen=True)
class Part:
    """One rank's half of a pair: how its blocks lie, and where in a block the pair's layers and heads begin."""

    rank: Rank
    layout: Layout
    first_layer: int  # counted in the rank's pool of the group
    first_head: int  # counted on the rank


@dataclass(frozen=True)
class Pair:
    """What one prefill rank writes into one decode rank: `layers` (numbers of the model) and `heads` of them."""

    group: LayerGroup
    layers: tuple[int, ...]
    heads: int
    source: Part
    destination: Part

    def only(self, layers: range) -> Pair:
        """Return the pair for a stretch of the model's layers, for a transfer layer by layer; it may be left with none."""
        kept = tuple(layer for layer in self.layers if layers.start <= layer < layers.stop)
        skipped = sum(layer < layers.start for layer in self.layers)
        source, destination = (
            replace(part, first_layer=part.first_layer + skipped) for part in (self.source, self.destination)
        )
        return replace(self, layers=kept, source=source, destination=destination)


class _Holding(NamedTuple):
    """What one rank holds of a layer group."""

    rank: Rank
    layout: Layout
    layers: tuple[int, ...]


def pairs(
    model: Model, group: LayerGroup, prefill: Side, decode: Side, *, prefill_dp: int = 0, decode_dp: int = 0
) -> tuple[Pair, ...]:
    """Return the pairs that hand over one layer group of a request, by prefill rank, then by decode rank.

    The request lives in one attention-DP group of each side. `BadInput` if the
    sides cannot hand over this model (see `suite.kv.side.check`).
    """
    check(model, prefill, decode)
    tp = prefill.parallel.tp, decode.parallel.tp
    sources = [
        _hold(model, group, prefill, rank)
        for rank in prefill.parallel.ranks(prefill_dp)
        if writes(group.heads, *tp, rank.tp, decode_dp)
    ]
    destinations = [_hold(model, group, decode, rank) for rank in decode.parallel.ranks(decode_dp)]
    return tuple(
        _pair(group, tp, source, destination)
        for source, destination in product(sources, destinations)
        if destination.rank.tp in peers(source.rank.tp, *tp) and _common(source, destination)
    )


def peers(own: int, own_tp: int, peer_tp: int) -> range:
    """Return which of the peer's TP ranks a TP rank shares heads with."""
    if own_tp <= peer_tp:
        share = peer_tp // own_tp
        return range(own * share, (own + 1) * share)
    first = own // (own_tp // peer_tp)
    return range(first, first + 1)


def writes(heads: int, prefill_tp: int, decode_tp: int, tp: int, decode_dp: int) -> bool:
    """Tell whether TP rank `tp` of prefill writes, where several hold the same heads: they take turns by DP group."""
    held, taken = max(1, heads // prefill_tp), max(1, heads // decode_tp)
    copies = max(1, held * prefill_tp // (taken * decode_tp))
    return tp % copies == decode_dp % copies


def first_heads(heads: int, prefill_tp: int, decode_tp: int, tp: tuple[int, int]) -> tuple[int, int]:
    """Return at which of their own heads the two ranks of a pair begin; `tp` are their TP ranks, prefill's first."""
    held, taken = max(1, heads // prefill_tp), max(1, heads // decode_tp)
    source, destination = tp
    return (
        destination * held * prefill_tp // decode_tp % held if prefill_tp < decode_tp else 0,
        source * taken * decode_tp // prefill_tp % taken if prefill_tp > decode_tp else 0,
    )


def _hold(model: Model, group: LayerGroup, side: Side, rank: Rank) -> _Holding:
    return _Holding(rank, side.layout(model, group, rank), side.layers(model, group, rank))


def _common(source: _Holding, destination: _Holding) -> tuple[int, ...]:
    """Return the layers that both hold, always a stretch of either's: stages are intervals."""
    return tuple(layer for layer in source.layers if layer in destination.layers)


def _pair(group: LayerGroup, tp: tuple[int, int], source: _Holding, destination: _Holding) -> Pair:
    layers = _common(source, destination)
    heads = first_heads(group.heads, *tp, (source.rank.tp, destination.rank.tp))
    ends = [
        Part(end.rank, end.layout, end.layers.index(layers[0]), head)
        for end, head in zip((source, destination), heads, strict=True)
    ]
    moved = min(end.layout.geometry.heads for end in ends)
    return Pair(group, layers, moved, ends[0], ends[1])
