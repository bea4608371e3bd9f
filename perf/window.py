"""The timed region: nothing in it but the transfers and one clock read each."""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from suite.run import processor
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
    usage: dict[str, int | None]  # of this process: `suite.run.processor.Reading.since`
    posted_ns: list[int] = field(default_factory=list)  # inside the call that posts; only of `run_apart`


def run_window(transfers: Sequence[Transfer], wait_for_delivery: Callable[[], None]) -> Timing:
    """Post one transfer after the other, each when the one before is complete.

    The clock is read once between samples, so the durations add up to the
    window. `wait_for_delivery` returns when the destination has said that all
    of it is there; where the initiator is the destination it has nothing to do.
    `settle` has been called before.
    """
    stamps = [0] * (len(transfers) + 1)
    steps = [(transfer.post, transfer.poll) for transfer in transfers]
    clock, done = time.perf_counter_ns, State.DONE
    gc.disable()
    try:
        begun = processor.read()
        stamps[0] = clock()
        for index, (post, poll) in enumerate(steps, 1):
            if post() is not done:
                while poll() is not done:
                    pass
            stamps[index] = clock()
        wait_for_delivery()
        delivered = clock()
        ended = processor.read()
    finally:
        gc.enable()
    durations = [after - before for before, after in pairwise(stamps)]
    return Timing(durations, delivered - stamps[0], ended.since(begun))


def run_apart(transfers: Sequence[Transfer], wait_for_delivery: Callable[[], None]) -> Timing:
    """Run a window that gives no number, with the calls that post timed apart: the clock is read twice between samples.

    The second read would be some percent of a transfer of microseconds, so timed windows do without it.
    """
    posted, stamps = [0] * len(transfers), [0] * (len(transfers) + 1)
    clock, done = time.perf_counter_ns, State.DONE
    gc.disable()
    try:
        begun = processor.read()
        stamps[0] = clock()
        for index, transfer in enumerate(transfers):
            state = transfer.post()
            posted[index] = clock()
            if state is not done:
                while transfer.poll() is not done:
                    pass
            stamps[index + 1] = clock()
        wait_for_delivery()
        delivered = clock()
        ended = processor.read()
    finally:
        gc.enable()
    durations = [after - before for before, after in pairwise(stamps)]
    calls = [after - before for before, after in zip(stamps, posted, strict=False)]
    return Timing(durations, delivered - stamps[0], ended.since(begun), calls)


def settle() -> None:
    """Do before a window what must not happen in it. Both sides do, so that neither waits long for the other to begin."""
    gc.collect()


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
