"""What a handover must do, byte by byte, and whether it did: shares no arithmetic with `suite.kv`.

Every byte of a request's cache has a number. Ranks keep them in arrays of the
shape that their layout has on paper; a plan's rows are carried out on the flat
arrays, and what each decode rank then holds is compared, number by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.kv import reshard
from suite.kv.geometry import Order
from suite.kv.pairs import pairs
from suite.kv.parallel import Rank
from suite.kv.plan import ADDRESS, DEVICE, LENGTH
from suite.kv.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from suite.kv.groups import LayerGroup, Model
    from suite.kv.pairs import Pair
    from suite.kv.plan import Plan
    from suite.kv.side import Side

    Numbers = np.ndarray[Any, Any]
    Find = Callable[..., tuple[Pair, ...]]
    MakePlan = Callable[..., Plan]

GUARD = 24  # bytes before and behind each pool


class Wrong(AssertionError):
    """The transfer did not do what it must."""


@dataclass(frozen=True)
class Case:
    """One request between two servers; `spare` blocks are listed in a table beyond what is needed, where there are any."""

    model: Model
    prefill: Side
    decode: Side
    tokens: int
    cached: int = 0
    dp: tuple[int, int] = (0, 0)
    spare: tuple[int, int] = (0, 0)
    seed: int = 0


@dataclass
class Memory:
    """One rank's pool of a layer group, every byte a number."""

    device: int
    layers: list[int]  # positions in the group
    heads: list[int]
    order: Order
    cells: Numbers  # the region: guard, pool, guard
    blocks: int

    @property
    def address(self) -> int:
        return (self.device + 1) << 33

    def put(self, pool: Numbers, numbers: Numbers, block: int, slot: int) -> None:
        """Write this rank's part of one token's `numbers` (layer, kind, head, dim, byte) into a view of the pool."""
        mine = numbers[self.layers][:, :, self.heads]
        if self.order == Order.HND:
            pool[block, :, :, :, slot] = mine
        else:
            pool[block, :, :, slot] = mine

    def places(self, rows: Numbers) -> Numbers:
        """Return where in `cells` the bytes of rows are, shape (rows, length); no row may leave the region."""
        if not len(rows):
            return np.empty((0, 0), np.int64)
        if (rows[:, DEVICE] != self.device).any():
            raise Wrong("a row names another device")
        begin = rows[:, ADDRESS].astype(np.int64) - (self.address - GUARD)
        length = int(rows[0, LENGTH])
        if (rows[:, LENGTH] != length).any() or begin.min() < 0 or begin.max() + length > len(self.cells):
            raise Wrong("a row leaves the region")
        return begin[:, None] + np.arange(length)


class Handover:
    """One layer group of a case: block tables, numbers, and the memories of both sides."""

    def __init__(self, case: Case, group: LayerGroup) -> None:
        rng = np.random.default_rng(case.seed)
        self.case, self.group = case, group
        self.tokens, self.cached = (1, 0) if group.per_request else (case.tokens, case.cached)
        sides = (case.prefill, case.decode)
        self.per_block = [1 if group.per_request else side.tokens_per_block for side in sides]
        first_of = [list(range(0, self.tokens, size)) for size in self.per_block]
        kept = [self._listed(*listed) for listed in zip(first_of, self.per_block, case.spare, strict=True)]
        self.tables = [rng.permutation(len(every) + 2)[: len(few)] for every, few in zip(first_of, kept, strict=True)]
        self.block_of = [
            {first + slot: (int(block), slot) for first, block in zip(few, table, strict=True) for slot in range(size)}
            for few, table, size in zip(kept, self.tables, self.per_block, strict=True)
        ]
        elements, size = group.row(case.prefill.element_bytes)
        shape = (max(first_of[0][-1] + self.per_block[0], first_of[1][-1] + self.per_block[1]),)
        shape = (*shape, len(group.layers), group.kinds, group.heads, elements, size)
        self.numbers = np.arange(1, 1 + np.prod(shape)).reshape(shape)
        self.memories = [
            self._memories(sides[which], case.dp[which], len(first_of[which]) + 2, which) for which in (0, 1)
        ]
        for memory in self.memories[0].values():
            pool = self.view(memory, memory.cells, 0)
            for token, place in self.block_of[0].items():
                memory.put(pool, self.numbers[token], *place)

    def _listed(self, firsts: list[int], size: int, spare: int) -> list[int]:
        """Return the first tokens of the blocks that a table lists: the needed ones, and `spare` before them."""
        needed = sum(first + size > self.cached and not self._stale(first, size) for first in firsts)
        return firsts[max(0, len(firsts) - needed - spare) :]

    def _stale(self, first: int, size: int) -> bool:
        """Tell whether the next token sees no token of a block: it sees itself and `window - 1` before it."""
        return self.group.window is not None and first + size - 1 + self.group.window <= self.tokens

    def _memories(self, side: Side, dp: int, blocks: int, which: int) -> dict[Rank, Memory]:
        parallel, found = side.parallel, {}
        cuts = np.cumsum(parallel.stages)[:-1] if parallel.stages else parallel.pp
        heads = np.arange(self.group.heads)
        shares = (
            np.array_split(heads, parallel.tp)
            if parallel.tp <= len(heads)
            else [[head] for head in np.repeat(heads, parallel.tp // len(heads))]
        )
        for pp, stage in enumerate(np.array_split(np.arange(self.case.model.layers), cuts)):
            layers = [i for i, layer in enumerate(self.group.layers) if layer in stage]
            for tp, share in enumerate(shares):
                memory = Memory(len(found), layers, list(share), side.order, np.empty(0), blocks)
                size = np.prod(self._shape(memory, which), dtype=int) + 2 * GUARD
                memory.cells = np.arange(-1, -1 - size, -1)  # paint
                found[Rank(pp, dp, tp)] = memory
        return found

    def _shape(self, memory: Memory, which: int) -> tuple[int, ...]:
        inner = (len(memory.heads), self.per_block[which])
        if memory.order == Order.NHD:
            inner = (inner[1], inner[0])
        return (memory.blocks, len(memory.layers), self.group.kinds, *inner, *self.numbers.shape[4:])

    def view(self, memory: Memory, cells: Numbers, which: int) -> Numbers:
        """Return the pool in `cells` in the shape of its layout."""
        return cells[GUARD : len(cells) - GUARD].reshape(self._shape(memory, which))

    def must_move(self, token: int) -> bool:
        """Tell whether a token, or a slot behind the last one, must arrive."""
        piece = min(self.per_block)
        real = token - token % piece < self.tokens
        gone = any(self._stale(token - token % size, size) for size in self.per_block)
        return real and token >= self.cached and self.cached < self.tokens and not gone

    def expected(self, memory: Memory) -> Numbers:
        """Return what a decode rank's region must hold in the end."""
        cells = memory.cells.copy()
        pool = self.view(memory, cells, 1)
        for token, place in self.block_of[1].items():
            if self.must_move(token):
                memory.put(pool, self.numbers[token], *place)
        return cells

    def run(self, find: Find, make: MakePlan) -> list[tuple[Pair, Plan]]:
        """Carry out every pair's plan; raise `Wrong` unless each byte that must arrive did, once, and no other changed."""
        case, done = self.case, []
        wanted = {rank: self.expected(memory) for rank, memory in self.memories[1].items()}
        written = {rank: np.zeros(len(memory.cells), np.int64) for rank, memory in self.memories[1].items()}
        found = find(case.model, self.group, case.prefill, case.decode, prefill_dp=case.dp[0], decode_dp=case.dp[1])
        for pair in found:
            ends = self.memories[0][pair.source.rank], self.memories[1][pair.destination.rank]
            pools = tuple(
                Pool(part.layout, memory.blocks, memory.address, memory.device)
                for part, memory in zip((pair.source, pair.destination), ends, strict=True)
            )
            plan = make(pair, pools, tuple(self.tables), tokens=case.tokens, cached=case.cached)
            origin, target = ends[0].places(plan.source), ends[1].places(plan.destination)
            ends[1].cells[target] = ends[0].cells[origin]
            written[pair.destination.rank] += np.bincount(target.ravel(), minlength=len(ends[1].cells))
            done.append((pair, plan))
        for rank, memory in self.memories[1].items():
            changed = wanted[rank] > 0
            if not np.array_equal(memory.cells, wanted[rank]):
                raise Wrong(f"{rank}: {np.flatnonzero(memory.cells != wanted[rank])[:8]} are not as they must be")
            if not np.array_equal(written[rank], changed):
                raise Wrong(f"{rank}: {np.flatnonzero(written[rank] != changed)[:8]} are not written exactly once")
        return done


@dataclass(frozen=True)
class Done:
    """What was carried out of one layer group."""

    handover: Handover
    plans: list[tuple[Pair, Plan]]


def run(case: Case, find: Find = pairs, make: MakePlan = reshard.plan) -> list[Done]:
    """Carry out a case, all layer groups; return what was done, or raise `Wrong`."""
    handovers = [Handover(case, group) for group in case.model.groups]
    return [Done(handover, handover.run(find, make)) for handover in handovers]


def counted(case: Case, done: list[Done]) -> None:
    """Check the formulas against plans that moved what they must."""
    request = {"tokens": case.tokens, "cached": case.cached}
    for one in done:
        for pair, plan in one.plans:
            sizes = reshard.sizes(pair, **request)
            assert sizes.descriptors == len(plan)
            assert sizes.wire_bytes == plan.wire_bytes == plan.source[:, LENGTH].sum()
            assert (sizes.logical_bytes, sizes.padded_bytes) == (plan.logical_bytes, plan.padded_bytes)
        group, tokens = one.handover.group, one.handover.tokens
        plans = [plan for _, plan in one.plans]
        whole = reshard.group_total(case.model, group, case.prefill, case.decode, **request)
        assert (whole.descriptors, whole.wire_bytes) == (sum(map(len, plans)), sum(plan.wire_bytes for plan in plans))
        moved = [token for token in range(len(one.handover.numbers)) if one.handover.must_move(token)]
        seen = [t for t in moved if t < tokens and (group.window is None or t >= tokens - group.window)]
        per_token = one.handover.numbers[0].size
        assert (whole.logical_bytes, whole.padded_bytes) == (len(seen) * per_token, len(moved) * per_token)
        assert whole.wire_bytes == max(1, case.decode.parallel.tp // group.heads) * whole.padded_bytes
