"""Transports that are wrong on purpose, for workers: each wraps the real `copy` and lies about one thing.

Written before the tests that catch them, and never changed to be caught. A
worker imports this file through PYTHONPATH and takes one of the factories at
its end as its server; the fault is at the initiator, the target is honest.
"""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from perf.server import PointServer
from suite.kv.plan import ADDRESS, LENGTH
from suite.transports import base
from suite.transports.base import Op, State
from suite.transports.evidence import WireEvidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from suite.kv.plan import Plan

LATE_S = 0.075


class FaultyTransport:
    """The transport `name` with `fault` in every transfer that its endpoints prepare."""

    def __init__(self, name: str, fault: Callable[..., Any]) -> None:
        self._real = base.load(name)
        self._fault = fault

    def open(self, *args: Any) -> FaultyEndpoint:
        return FaultyEndpoint(self._real.open(*args), self._fault)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class FaultyEndpoint:
    def __init__(self, real: Any, fault: Callable[..., Any]) -> None:
        self._real = real
        self._fault = fault
        self._prepared = 0

    def prepare(self, op: Op, plan: Plan, peer: str, tag: bytes) -> Any:
        number, self._prepared = self._prepared, self._prepared + 1
        return self._fault(self._real, number, op, plan, peer=peer, tag=tag)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Posts:
    """A transfer that does what it is given when it is posted, and says that it is done."""

    def __init__(self, posted_descriptors: int, post: Callable[[], object]) -> None:
        self.posted_descriptors = posted_descriptors
        self.kept: Any = None  # what must live as long as the transfer
        self._post = post

    def post(self) -> State:
        self._post()
        return State.DONE

    def poll(self) -> State:
        return State.DONE

    def release(self) -> None:
        pass


def drops_a_transfer(real: Any, number: int, op: Op, plan: Plan, *, peer: str, tag: bytes) -> Any:
    """Announce the second sample of a window, and move none of it."""
    if number != 1:
        return real.prepare(op, plan, peer, tag)
    return Posts(len(plan.merged()), lambda: tag and real.notify(peer, tag))


def drops_the_last_descriptor(real: Any, _number: int, op: Op, plan: Plan, *, peer: str, tag: bytes) -> Any:
    """Post all rows but the last."""
    return real.prepare(op, replace(plan, source=plan.source[:-1], destination=plan.destination[:-1]), peer, tag)


def swaps_two(real: Any, _number: int, op: Op, plan: Plan, *, peer: str, tag: bytes) -> Any:
    """Bring the first row to the last one's place, and the last to the first one's."""
    destination = plan.destination.copy()
    destination[[0, -1]] = destination[[-1, 0]]
    return real.prepare(op, replace(plan, destination=destination), peer, tag)


def writes_one_byte_too_far(real: Any, _number: int, op: Op, plan: Plan, *, peer: str, tag: bytes) -> Any:
    """Count the bytes of every row from one too many."""
    source, destination = plan.source.copy(), plan.destination.copy()
    for side in (source, destination):
        side[:, LENGTH] += np.uint64(1)
    return real.prepare(op, replace(plan, source=source, destination=destination), peer, tag)


def completes_early(real: Any, _number: int, op: Op, plan: Plan, *, peer: str, tag: bytes) -> Any:
    """Say that all is there; a thread moves it a moment later."""
    transfer = real.prepare(op, plan, peer, b"")

    def post() -> None:
        threading.Timer(LATE_S, transfer.post).start()
        if tag:
            real.notify(peer, tag)

    return Posts(transfer.posted_descriptors, post)


def delivers_the_former_epoch(real: Any, _number: int, op: Op, plan: Plan, *, peer: str, tag: bytes) -> Any:
    """Keep what was moved the first time and deliver it ever after, as a cache that is never emptied does."""
    honest = real.prepare(op, plan, peer, b"")
    local = plan.source if op is Op.WRITE else plan.destination
    kept = np.empty(int(local[:, LENGTH].sum()), np.uint8)
    former = local.copy()
    former[:, ADDRESS] = np.uint64(kept.ctypes.data) + np.cumsum(local[:, LENGTH]) - local[:, LENGTH]
    cached = real.prepare(op, replace(plan, source=former), peer, b"") if op is Op.WRITE else None
    full = False

    def post() -> None:
        nonlocal full
        if not full:
            honest.post()
            _copy(former, local)
            full = True
        elif cached:
            cached.post()
        else:
            _copy(local, former)
        if tag:
            real.notify(peer, tag)

    transfer = Posts(honest.posted_descriptors, post)
    transfer.kept = kept  # the rows of `former` hold its addresses only
    return transfer


def _copy(to: Any, of: Any) -> None:
    for target, source, nbytes in zip(to[:, ADDRESS], of[:, ADDRESS], of[:, LENGTH], strict=True):
        ctypes.memmove(int(target), int(source), int(nbytes))


def _server(role: Any, fault: Callable[..., Any]) -> PointServer:
    return PointServer(role, load=lambda name: FaultyTransport(name, fault))


dropped_transfer = partial(_server, fault=drops_a_transfer)
dropped_descriptor = partial(_server, fault=drops_the_last_descriptor)
swapped = partial(_server, fault=swaps_two)
overrun = partial(_server, fault=writes_one_byte_too_far)
early = partial(_server, fault=completes_early)
former_epoch = partial(_server, fault=delivers_the_former_epoch)


def touches_with_the_cpu(real: Any, _number: int, op: Op, plan: Plan, *, peer: str, tag: bytes) -> Any:
    """Read the first byte of what is to be moved as if it were host memory, before moving it."""
    honest = real.prepare(op, plan, peer, tag)
    local = plan.source if op is Op.WRITE else plan.destination

    def post() -> None:
        ctypes.string_at(int(local[0, ADDRESS]), 1)
        if honest.post() is not State.DONE:
            while honest.poll() is not State.DONE:
                pass

    return Posts(honest.posted_descriptors, post)


touched_by_cpu = partial(_server, fault=touches_with_the_cpu)


class Liar:
    """An endpoint that moves every byte and says that `wire` did."""

    def __init__(self, real: Any, wire: str) -> None:
        self._real = real
        self._wire = wire

    def evidence(self, *_told: Any) -> WireEvidence:
        return WireEvidence(wire=self._wire, source="trust me")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class LyingTransport:
    def __init__(self, name: str, wire: str) -> None:
        self._real = base.load(name)
        self._wire = wire

    def open(self, *args: Any) -> Liar:
        return Liar(self._real.open(*args), self._wire)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _lying(role: Any, wire: str) -> PointServer:
    return PointServer(role, load=lambda name: LyingTransport(name, wire))


def hides_tcp(role: Any) -> PointServer:
    """Force TCP where the supervisor cannot see it, and say that it was cma."""
    os.environ["UCX_TLS"] = "tcp,self"
    return _lying(role, "cma")


claims_cma = partial(_lying, wire="cma")
claims_tcp = partial(_lying, wire="tcp")
