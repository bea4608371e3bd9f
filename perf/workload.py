"""A point's window: which bytes of the prefill region go where in the decode region.

Both workers build the same window from the same `Work`, so no plan ever
travels between processes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from suite.errors import BadInput
from suite.kv import plan as plans
from suite.kv.diagnosis import Places
from suite.kv.geometry import Layout, layout
from suite.kv.pool import Pool
from suite.kv.stamp import WORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perf.spec import PlannedPoint
    from suite.kv.plan import Plan

GUARD_BYTES = 4096  # at both ends of a region: nothing may ever be written there
_SPARE = 8  # one eighth of the pool is addressed by no plan, and checked like the rest


@dataclass(frozen=True)
class Work:
    """What a worker must know of a point to build its window; plain JSON values."""

    model: str | None  # None: plain messages
    tokens_per_block: int
    element_bytes: int
    tokens: int
    unit: str
    message_bytes: int
    scattered: bool
    samples: int
    seed: int

    @classmethod
    def of(cls, planned: PlannedPoint, seed: int) -> Self:
        """Return the work of a planned point."""
        shape = planned.layout
        return cls(
            model=shape.geometry.name if shape else None,
            tokens_per_block=shape.tokens_per_block if shape else 0,
            element_bytes=shape.element_bytes if shape else 0,
            tokens=planned.tokens,
            unit=planned.point.unit,
            message_bytes=planned.point.descriptor_bytes,
            scattered=planned.point.pattern == "scattered",
            samples=planned.samples,
            seed=seed,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)

    @property
    def layout(self) -> Layout | None:
        """The paged layout; None for plain messages."""
        if self.model is None:
            return None
        return layout(self.model, tokens_per_block=self.tokens_per_block, element_bytes=self.element_bytes)


def region_bytes(planned: PlannedPoint) -> int:
    """Return the size of a region that holds a point's window, its spare and both guards, in whole pages."""
    largest = planned.layout.block_bytes if planned.layout else planned.point.descriptor_bytes
    payload = planned.pool_bytes + max(largest, planned.pool_bytes // _SPARE)
    return -(-payload // GUARD_BYTES) * GUARD_BYTES + 2 * GUARD_BYTES


def window(work: Work, *, source: int, destination: int, nbytes: int) -> list[Plan]:
    """Return the plan of each sample of a window; together they write no byte twice.

    `source` and `destination` are the addresses of the two regions of `nbytes`.
    """
    rng = np.random.default_rng(work.seed)
    if work.layout is None:
        return _messages(work, source=source, destination=destination, nbytes=nbytes, rng=rng)
    pools = [_pool(work.layout, address, nbytes) for address in (source, destination)]
    count = work.layout.blocks(work.tokens)
    tables = [_block_table(pool.blocks, work.samples * count, work.scattered, rng) for pool in pools]
    return [
        plans.kv_plan(
            pools[0],
            pools[1],
            (tables[0][start : start + count], tables[1][start : start + count]),
            unit=work.unit,
            tokens=work.tokens,
            shuffle=rng if work.scattered else None,
        )
        for start in range(0, work.samples * count, count)
    ]


def places(work: Work, nbytes: int) -> Places:
    """Return how to speak of byte offsets of the two regions of `nbytes`."""
    if work.layout is None:
        describe = partial(_message_place, nbytes=nbytes)
    else:
        describe = partial(_kv_place, pool=_pool(work.layout, 0, nbytes), nbytes=nbytes)
    return Places(describe, describe)


def _pool(shape: Layout, region: int, nbytes: int) -> Pool:
    return Pool(shape, (nbytes - 2 * GUARD_BYTES) // shape.block_bytes, region + GUARD_BYTES)


def _block_table(blocks: int, count: int, scattered: bool, rng: np.random.Generator) -> np.ndarray[Any, Any]:  # noqa: FBT001  private
    if count > blocks:
        raise BadInput("pool-too-small", f"a window needs {count} blocks, the pool has {blocks}")
    return rng.permutation(blocks)[:count] if scattered else np.arange(count)


def _messages(work: Work, *, source: int, destination: int, nbytes: int, rng: np.random.Generator) -> list[Plan]:
    """Give each message a slot of its own, at random places on both sides."""
    if work.message_bytes % WORD:
        raise BadInput("bad-size", f"messages of {work.message_bytes} B", f"sizes must be multiples of {WORD} bytes")
    slots = (nbytes - 2 * GUARD_BYTES) // work.message_bytes
    if work.samples > slots:
        raise BadInput("pool-too-small", f"a window needs {work.samples} messages, the pool has {slots}")
    chosen = [rng.choice(slots, work.samples, replace=False).astype(np.uint64) for _ in range(2)]
    step = np.uint64(work.message_bytes)
    origins = np.uint64(source + GUARD_BYTES) + chosen[0] * step
    targets = np.uint64(destination + GUARD_BYTES) + chosen[1] * step
    return [plans.rows(origins[i : i + 1], targets[i : i + 1], work.message_bytes) for i in range(work.samples)]


def _message_place(offset: int, *, nbytes: int) -> str:
    return _guard_place(offset, nbytes) or f"byte {offset - GUARD_BYTES} of the buffer"


def _kv_place(offset: int, *, pool: Pool, nbytes: int) -> str:
    inside = offset - GUARD_BYTES
    if 0 <= inside < pool.nbytes:
        return pool.describe(inside)
    return _guard_place(offset, nbytes) or f"byte {inside - pool.nbytes} behind the pool"


def _guard_place(offset: int, nbytes: int) -> str:
    if offset < GUARD_BYTES:
        return f"guard band, {GUARD_BYTES - offset} bytes before the pool"
    if offset >= nbytes - GUARD_BYTES:
        return f"guard band, byte {offset - (nbytes - GUARD_BYTES)} behind the pool"
    return ""


def from_json(fields: Mapping[str, Any]) -> Work:
    """Return the work that `Work.as_json` described."""
    return Work(**fields)
