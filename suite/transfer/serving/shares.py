"""What each pair of ranks moves of a request, in pieces: the whole share, or one for each stretch of layers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from suite.kv import reshard
from suite.transfer.requests.consensus import Pair, Piece
from suite.transfer.task import seat_of

if TYPE_CHECKING:
    from suite.kv import pairs
    from suite.transfer.requests.consensus import Agreed
    from suite.transfer.task import Task, Way


def stretches(task: Task, layers_each: int) -> tuple[range, ...]:
    """Return the model's layers in stretches of `layers_each`; 0: in one."""
    count = task.model.layers
    each = layers_each or count
    return tuple(range(first, min(first + each, count)) for first in range(0, count, each))


def pieces(task: Task, way: Way, layers_each: int) -> tuple[tuple[int, tuple[pairs.Pair, ...]], ...]:
    """Return each piece of a pair of ranks: the number of its stretch, and what it moves of each layer group."""
    found = []
    for number, layers in enumerate(stretches(task, layers_each)):
        kept = tuple(only for pair in way.pairs if (only := pair.only(layers)).layers)
        if kept:
            found.append((number, kept))
    return tuple(found)


def agreed(task: Task, request: int, layers_each: int) -> Agreed:
    """Return the shares of a request, as both servers compute them for themselves: bytes on the wire, and descriptors."""
    groups = task.group_of("prefill", request), task.group_of("decode", request)
    return _agreed(task, request % (task.prefill.parallel.dp * task.decode.parallel.dp), groups, layers_each)


@cache  # all requests between the same two DP groups are alike
def _agreed(task: Task, request: int, _groups: tuple[int, int], layers_each: int) -> Agreed:
    return {
        pair_of(way): tuple(_piece(task, kept) for _, kept in pieces(task, way, layers_each))
        for way in task.ways(request)
    }


def pair_of(way: Way) -> Pair:
    """Return the numbers of the two ranks."""
    return Pair(seat_of(way.source)[1], seat_of(way.destination)[1])


def _piece(task: Task, kept: tuple[pairs.Pair, ...]) -> Piece:
    sizes = [reshard.sizes(pair, tokens=task.tokens, cached=task.cached) for pair in kept]
    return Piece(sum(size.wire_bytes for size in sizes), sum(size.descriptors for size in sizes))
