"""Ranks that fail when they are told to, or are wrong on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.errors import TransferFailed
from suite.kv import reshard
from suite.transfer.serving.seat import Seat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.kv.plan import Plan
    from suite.transfer.serving.jobs import Report
    from suite.transports.base import State


class _Broken:
    """A transfer that is never posted."""

    posted_descriptors = 0

    def post(self) -> State:
        raise TransferFailed("broken", "told to break")

    def release(self) -> None:
        """Nothing is held."""


class BreakableSeat(Seat):
    """Does all that a seat does."""

    def break_share(self, request: int) -> dict[str, Any]:
        """Let what this rank has yet to post of a request fail."""
        job = self._jobs.get(request)
        for piece in job.waiting if job else ():
            piece.transfer.release()
            piece.transfer = _Broken()  # type: ignore[assignment]  # only what is called of a transfer that fails
        return {}


class DropsRow(Seat):
    """Leaves out the last descriptor of every plan, and says that all was moved."""

    def __init__(self, role: str) -> None:
        super().__init__(role, _without_last)


def _without_last(*arguments: Any, **named: Any) -> Plan:
    whole = reshard.plan(*arguments, **named)
    source = whole.source.copy()
    source[-1] = source[0]
    return type(whole)(source, whole.destination, whole.logical_bytes, whole.padded_bytes, whole.wire_bytes)


class WritesOn(Seat):
    """Says that a request's writers have stopped, and posts the rest of it when its blocks have come back."""

    def _do_cancel(self, request: int, pairs: Any) -> Iterator[Report]:
        yield {"kind": "stopped", "request": request, "pairs": pairs}

    def _do_wipe(self, request: int) -> Iterator[Report]:
        job = self._jobs.get(request)
        self._late = list(job.waiting) if job else []
        if job:
            job.waiting = []
        yield from super()._do_wipe(request)

    def check(self) -> dict[str, Any]:
        """Write when both sides have long painted what came back, and before decode is looked at."""
        for piece in getattr(self, "_late", []):
            piece.transfer.post()
        return super().check()
