"""The timed region: nothing in it but the transfers and one clock read each."""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from suite.transports.base import Endpoint, Transfer

ACKNOWLEDGED = b"acknowledged"
DELIVERED = b"delivered"


@dataclass(frozen=True)
class Timing:
    """One window by the initiator's clock: ns from post to local completion of each sample, and until delivered."""

    durations_ns: list[int]
    delivered_ns: int


def run_window(transfers: Sequence[Transfer], wait_for_delivery: Callable[[], None]) -> Timing:
    """Post one transfer after the other, each when the one before is complete.

    The clock is read once between samples, so the durations add up to the
    window. `wait_for_delivery` returns when the destination has said that all
    of it is there; where the initiator is the destination it has nothing to do.
    """
    stamps = [0] * (len(transfers) + 1)
    steps = [(transfer.post, transfer.poll) for transfer in transfers]
    clock, done = time.perf_counter_ns, State.DONE
    gc.collect()
    gc.disable()
    try:
        stamps[0] = clock()
        for index, (post, poll) in enumerate(steps, 1):
            if post() is not done:
                while poll() is not done:
                    pass
            stamps[index] = clock()
        wait_for_delivery()
        delivered = clock()
    finally:
        gc.enable()
    durations = [after - before for before, after in pairwise(stamps)]
    return Timing(durations, delivered - stamps[0])


def await_tag(endpoint: Endpoint, tag: bytes) -> None:
    """Drive `endpoint` until its peer has sent `tag`. The supervisor keeps the deadline.

    A target polls too, and yields its core after every look: NIXL's progress
    thread beside a napping main thread kept acknowledgements waiting for 5 to
    20 ms where this takes 0.1 ms (measured with both on one core).
    """
    while all(arrived != tag for _, arrived in endpoint.progress()):
        os.sched_yield()


def receive_all(transfers: Sequence[Transfer]) -> None:
    """Take what a peer sends in one window, in order, each to its place; all receives wait before the first is there."""
    for transfer in transfers:
        transfer.post()
    for transfer in transfers:
        while transfer.poll() is not State.DONE:
            pass
        transfer.finish()
