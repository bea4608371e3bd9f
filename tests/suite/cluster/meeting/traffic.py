"""What a run's course costs at rank 0, in messages and bytes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from suite.cluster.meeting.roll import Patience
from tests.suite.cluster.meeting.together import Kept, hub, member


async def traffic_of(size: int, launches: int = 3) -> tuple[int, int]:
    """Return messages and bytes at rank 0, both ways, of a run's course without beats."""
    calm = Patience(join_s=60.0, greet_s=30.0, beat_s=600.0, silence_s=900.0)
    record = json.dumps({"point": "x" * 4000})

    async def one(rank: int, place: Any) -> None:
        async with member(place, rank, size, patience=calm) as me:
            await me.exchange("place", {"host": f"node{rank:06}", "gpus": ["GPU-" + "0" * 32] * 8}, 60)
            for launch in range(launches):
                me.phase(f"launch {launch}", 600, quiet=True)
                await me.exchange(f"launch {launch}", None, 60)
                await me.keep(record, 60)
            me.leave()

    async def lead(place: Any) -> None:
        await place.everyone()
        await place.gather("place", 60)
        place.scatter("place", [{"pairs": [rank, size - rank - 1]} for rank in range(size)])
        for launch in range(launches):
            await place.barrier(f"launch {launch}", 60)
        await place.all_left(60)

    kept = Kept()
    async with hub(size, keep=kept, patience=calm) as place:
        await asyncio.gather(lead(place), *(one(rank, place) for rank in range(size)))
        assert len(kept.lines) == size * launches
        sent = place.traffic
        return sent.messages_in + sent.messages_out, sent.bytes_in + sent.bytes_out


async def traffic_grows_with_the_ranks() -> None:
    few, many = await traffic_of(2, 1), await traffic_of(12, 1)
    assert many[0] == 6 * few[0]
    assert many[1] == pytest.approx(6 * few[1], rel=0.02)
