"""The blocks of one pool: who has them, who waits for them, and which may still be written to.

Blocks are given all or nothing, first come, first served. They are reused in
the order in which they came back, as in vLLM's free block queue, so a run can
be repeated to the block. Blocks that somebody may still write to are put in
quarantine: they belong to nobody and are not free. That is the rule to which
TensorRT-LLM's Python runtime keeps (`tensorrt_llm/_torch/disaggregation`: an
ambiguous writer keeps its memory owned), and whose breach is vLLM's issue
52234: a block freed while it was written.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from suite.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Blocks = tuple[int, ...]
Need = tuple[int, ...]  # blocks of each kind


class PoolMisused(Exception):
    """A fault of kvgauge itself: somebody gave back what is not theirs, or gave it back twice."""


@dataclass(frozen=True)
class Waiting:
    """A request in the queue, and how many blocks it needs."""

    owner: str
    need: Need


@dataclass(frozen=True)
class Grant:
    """The blocks that a request now has, in the order of its block table."""

    owner: str
    blocks: Blocks


@dataclass(frozen=True)
class BlockPool:
    """Blocks 0 to `size` - 1; each is free, owned by one request or in quarantine for one. See `new_pool`.

    The first `kinds[0]` blocks are of the first kind, and so on: each layer group
    of a model and each attention-DP group has blocks of its own.
    """

    kinds: Need
    free: Blocks  # the next one to be given comes first
    owned: Mapping[str, Blocks] = field(default_factory=dict)
    quarantined: Mapping[str, Blocks] = field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()

    @property
    def size(self) -> int:
        """Blocks of all kinds."""
        return sum(self.kinds)


Granted = tuple[BlockPool, tuple[Grant, ...]]


def new_pool(*kinds: int, order: Iterable[int] | None = None) -> BlockPool:
    """Return a pool of free blocks, so many of each kind, which are given in `order` (by number)."""
    return BlockPool(kinds, tuple(range(sum(kinds)) if order is None else order))


def allocate(pool: BlockPool, owner: str, need: Need) -> Granted:
    """Ask for blocks, so many of each kind: all of them now, or a place at the end of the queue.

    Raises `BadInput` for more than the pool could ever give, and `PoolMisused`
    if `owner` has blocks or waits already.
    """
    if not sum(need) or any(not 0 <= count <= size for count, size in zip(need, pool.kinds, strict=True)):
        raise BadInput(
            "pool-too-small",
            f"request {owner!r} needs {_listed(need)} blocks; the whole pool has {_listed(pool.kinds)}",
            "make the pool larger, or the prompt shorter; a request has at least one block",
        )
    if _known(pool, owner):
        raise PoolMisused(f"{owner!r} asks for blocks a second time")
    return _serve(replace(pool, waiting=(*pool.waiting, Waiting(owner, need))))


def withdraw(pool: BlockPool, owner: str) -> Granted:
    """Leave the queue; those behind may be served. Raises `PoolMisused` if `owner` does not wait."""
    left = tuple(waiting for waiting in pool.waiting if waiting.owner != owner)
    if left == pool.waiting:
        raise PoolMisused(f"{owner!r} leaves a queue in which it is not")
    return _serve(replace(pool, waiting=left))


def give_back(pool: BlockPool, owner: str, blocks: Blocks) -> Granted:
    """Free `blocks` of `owner`, to which nobody can write any more; those who wait may be served.

    Raises `PoolMisused` for a block that `owner` does not own.
    """
    owned = _without(pool.owned, owner, blocks, "does not own")
    return _serve(replace(pool, owned=owned, free=pool.free + blocks))


def quarantine(pool: BlockPool, owner: str, blocks: Blocks) -> BlockPool:
    """Take `blocks` from `owner` without freeing them: somebody may still write to them."""
    owned = _without(pool.owned, owner, blocks, "does not own")
    held = pool.quarantined.get(owner, ()) + blocks
    return replace(pool, owned=owned, quarantined={**pool.quarantined, owner: held})


def release(pool: BlockPool, owner: str, blocks: Blocks) -> Granted:
    """Free `blocks` that were in quarantine for `owner`: every writer is known to have stopped."""
    quarantined = _without(pool.quarantined, owner, blocks, "has not in quarantine")
    return _serve(replace(pool, quarantined=quarantined, free=pool.free + blocks))


def _serve(pool: BlockPool) -> Granted:
    """Serve the queue from its head, and stop at the first that does not fit: a large request never starves."""
    grants: list[Grant] = []
    while pool.waiting and (blocks := _first(pool, pool.waiting[0].need)) is not None:
        head, taken = pool.waiting[0], set(blocks)
        free = tuple(block for block in pool.free if block not in taken)
        owned = {**pool.owned, head.owner: blocks}
        pool = replace(pool, free=free, owned=owned, waiting=pool.waiting[1:])
        grants.append(Grant(head.owner, blocks))
    return pool, tuple(grants)


def _first(pool: BlockPool, need: Need) -> Blocks | None:
    """Return the free blocks that are next, kind by kind, or None if there are not enough of one."""
    ends = list(accumulate(pool.kinds))
    free: list[list[int]] = [[] for _ in ends]
    for block in pool.free:
        free[bisect_right(ends, block)].append(block)
    if any(len(some) < count for some, count in zip(free, need, strict=True)):
        return None
    return tuple(block for some, count in zip(free, need, strict=True) for block in some[:count])


def _listed(counts: Need) -> str:
    return " + ".join(map(str, counts))


def _known(pool: BlockPool, owner: str) -> bool:
    return owner in pool.owned or owner in pool.quarantined or any(w.owner == owner for w in pool.waiting)


def _without(held: Mapping[str, Blocks], owner: str, blocks: Blocks, fault: str) -> dict[str, Blocks]:
    has = set(held.get(owner, ()))
    foreign = sorted(set(blocks) - has)
    if foreign or len(set(blocks)) != len(blocks) or owner not in held:
        raise PoolMisused(f"{owner!r} gives back blocks that it {fault}, or one twice: {foreign or list(blocks)}")
    gone = set(blocks)
    left = tuple(block for block in held[owner] if block not in gone)
    others = {name: mine for name, mine in held.items() if name != owner}
    return {**others, owner: left} if left else others
