"""Rank 0's hub and ranks in one event loop, over loopback, with little patience."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from suite.cluster.meeting.failure import MeetingFailed
from suite.cluster.meeting.greeting import Me
from suite.cluster.meeting.hub import Hub
from suite.cluster.meeting.member import Member
from suite.cluster.meeting.proof import Token
from suite.cluster.meeting.roll import Patience, Run
from suite.cluster.world import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

LOOPBACK = Address("127.0.0.1", 0)
TOKEN, OTHER = Token(b"a" * 16, given=True), Token(b"b" * 16, given=True)
SPEC = "0" * 64
PATIENCE = Patience(join_s=5.0, greet_s=0.3, beat_s=0.05, silence_s=0.5)
HASTY = Patience(join_s=0.3, greet_s=0.3, beat_s=0.05, silence_s=0.5)
LONG = 20.0  # for what should happen: a busy machine may take its time


class Kept:
    """What rank 0 was given to keep."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def __call__(self, rank: int, line: str) -> None:
        self.lines.append((rank, line))

    def of(self, rank: int) -> list[str]:
        return [line for of, line in self.lines if of == rank]


def hub(size: int = 2, keep: Callable[[int, str], None] | None = None, **changes: Any) -> Hub:
    options: dict[str, Any] = {"address": LOOPBACK, "token": TOKEN, "patience": PATIENCE} | changes
    return Hub(options["address"], Run(size, "1.0", SPEC), options["token"], keep or Kept(), options["patience"])


def member(at: Hub | Address, rank: int, size: int = 2, **changes: Any) -> Member:
    me = {"version": "1.0", "spec": SPEC, "host": f"host{rank}", "pid": 100 + rank} | changes
    token, patience = me.pop("token", TOKEN), me.pop("patience", PATIENCE)
    return Member(at if isinstance(at, Address) else at.address, Me(rank, size, **me), token, patience)


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Hub, Member, Member]]:
    """Give a hub and both its ranks, joined."""
    async with hub() as place, member(place, 0) as first, member(place, 1) as second:
        await place.everyone()
        yield place, first, second


def stop(rank: Member) -> None:
    """Let a rank say no more, with its connection open: as one that is stopped, or behind a cut cable."""
    for task in rank._tasks:
        task.cancel()


def cut(rank: Member) -> None:
    """Let a rank's connection end as its process's death ends it."""
    rank._frames.cut()


async def failed(waiting: Awaitable[object]) -> MeetingFailed:
    """Return how a wait failed."""
    with pytest.raises(MeetingFailed) as caught:
        await waiting
    assert caught.value.message.isprintable()
    return caught.value


async def in_time(work: Awaitable[object]) -> None:
    """Run a check; what never ends is a failure of it."""
    async with asyncio.timeout(LONG):
        await work
        await asyncio.sleep(0.05)  # the loop closes the sockets of connections that were ended


def framed(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
