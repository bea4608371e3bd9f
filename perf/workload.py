"""A point's window: which bytes of the prefill region go where in the decode region, or in a file between them.

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

    from numpy.typing import NDArray

    from perf.planning import PlannedPoint
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
    hot: bool  # all samples use one place
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
            hot=planned.point.pattern == "hot",
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


@dataclass(frozen=True)
class Route:
    """One sample: where its bytes are, row by row, in each of the places that they pass.

    `addresses` has shape (N,) for each place: `prefill`, `decode`, `file`.
    """

    addresses: Mapping[str, NDArray[np.uint64]]
    descriptor_bytes: int
    logical_bytes: int

    def hop(self, source: str, destination: str) -> Plan:
        """Return the plan from one place to another."""
        return plans.rows(
            self.addresses[source],
            self.addresses[destination],
            self.descriptor_bytes,
            logical_bytes=self.logical_bytes,
        )


def window(work: Work, regions: Mapping[str, int], *, nbytes: int) -> list[Route]:
    """Return the route of each sample of a window; in no place do two of them use the same byte, unless it is hot.

    `regions` are the addresses of the regions, of `nbytes` each, by place; a file's is 0.
    """
    rng = np.random.default_rng(work.seed)
    if work.layout is None:
        return _messages(work, regions, nbytes=nbytes, rng=rng)
    pools = [_pool(work.layout, address, nbytes) for address in regions.values()]
    count = work.layout.blocks(work.tokens)
    tables = [_block_table(pool.blocks, work.samples * count, work.scattered, rng) for pool in pools]
    return [
        _route(
            regions,
            plans.kv_addresses(
                pools,
                [table[start : start + count] for table in tables],
                unit=work.unit,
                shuffle=rng if work.scattered else None,
            ),
            work.layout.unit_bytes(work.unit),
            work.layout.logical_bytes(work.tokens),
        )
        for start in range(0, work.samples * count, count)
    ]


def _route(regions: Mapping[str, int], addresses: list[NDArray[np.uint64]], nbytes: int, logical: int) -> Route:
    return Route(dict(zip(regions, addresses, strict=True)), nbytes, logical)


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


def _messages(work: Work, regions: Mapping[str, int], *, nbytes: int, rng: np.random.Generator) -> list[Route]:
    """Give each message a slot of its own, at random in every place."""
    if work.message_bytes % WORD:
        raise BadInput("bad-size", f"messages of {work.message_bytes} B", f"sizes must be multiples of {WORD} bytes")
    slots = (nbytes - 2 * GUARD_BYTES) // work.message_bytes
    if (1 if work.hot else work.samples) > slots:
        raise BadInput("pool-too-small", f"a window needs {work.samples} messages, the pool has {slots}")
    count = 1 if work.hot else work.samples
    chosen = [np.resize(rng.choice(slots, count, replace=False).astype(np.uint64), work.samples) for _ in regions]
    step = np.uint64(work.message_bytes)
    starts = [
        np.uint64(region + GUARD_BYTES) + slot * step for region, slot in zip(regions.values(), chosen, strict=True)
    ]
    return [
        _route(regions, [side[i : i + 1] for side in starts], work.message_bytes, work.message_bytes)
        for i in range(work.samples)
    ]


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
