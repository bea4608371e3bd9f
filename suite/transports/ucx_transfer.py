"""Both sides of one transfer by tag messages: gather and send, receive and scatter.

TensorRT-LLM's layout of a tag: the connection in the upper 32 bits, the message in
the lower, all compared. Ours numbers transfer and post in the message, so that
samples under way together cannot be taken for each other.
"""

from __future__ import annotations

import struct
import time
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.errors import PeerLost, TransferFailed, Unsupported
from suite.kv.plan import LENGTH
from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from suite.kv.plan import Plan
    from suite.transports.ucx_core import Ucxx
    from suite.transports.ucx_packing import Packing

NOTIFICATION = 0  # a message's number; transfers count from 1
MAX_TRANSFERS = (1 << 20) - 1  # of one connection
_POSTS = 1 << 12  # numbers of posts; 0 is that of the announcement
_ANNOUNCEMENT = struct.Struct("<QQI")  # bytes, rows, CRC of the rows' lengths
ANNOUNCEMENT_BYTES = _ANNOUNCEMENT.size
_DONE, _PENDING = State.DONE, State.PENDING
_clock = time.perf_counter_ns


def tag_of(connection: int, transfer: int, post: int = 0) -> int:
    """Return a tag; posts are counted round."""
    return connection << 32 | transfer * _POSTS | post


def announcement(plan: Plan) -> bytes:
    """Return what a sender tells of a transfer before its first post.

    A message that is shorter than its receiver's buffer arrives as if nothing
    were wrong, and its length is not told. So the plans are compared, once.
    """
    lengths = plan.source[:, LENGTH]
    return _ANNOUNCEMENT.pack(int(lengths.sum()), len(lengths), zlib.crc32(lengths.tobytes()))


class Line:
    """The way to or from a peer. Its endpoint closes it: then no transfer keeps UCX's context alive."""

    __slots__ = ("connection", "endpoint", "ucxx", "worker")

    def __init__(self, ucxx: Ucxx, worker: Any, endpoint: Any, connection: int) -> None:
        self.ucxx = ucxx
        self.worker = worker
        self.endpoint = endpoint
        self.connection = connection  # the sender's number, of 32 bits

    def check_alive(self, doing: str) -> None:
        """Raise `PeerLost` for an endpoint that UCX has given up; without error handling it never does."""
        if not self.endpoint.alive:
            raise PeerLost("peer-lost", f"UCX could not {doing}: the peer is gone (its connection is closed)")

    def close(self) -> None:
        """Let go of UCX."""
        self.worker = self.endpoint = None


class SendTransfer:
    """The initiator's side: `post` gathers and starts to send; done when UCX has no more use for the message.

    `phases_ns` adds up over posts: gather; send, from there to local completion.
    """

    posted_descriptors = 1

    def __init__(self, line: Line, number: int, packing: Packing) -> None:
        self._message = _Message(line, number, packing, "send a message")
        self._packing = packing
        self.phases_ns = {"gather": 0, "send": 0}
        self._started = 0

    def post(self) -> State:
        """Gather, then start to send."""
        message, packing = self._message, self._packing
        message.refuse_active()
        start = _clock()
        packing.gather()
        self._started = _clock()
        self.phases_ns["gather"] += self._started - start
        message.start(message.line.endpoint.tag_send)
        return self._state(complete=message.finished())

    def poll(self) -> State:
        """Drive UCX on, once; raises `PeerLost` where UCX reports that (error handling on)."""
        return self._state(complete=self._message.drive())

    def finish(self) -> None:
        """Nothing to scatter on this side."""

    def cancel(self) -> State:
        """Refuse: UCXX's cancel leaves requests pending."""
        raise _cannot_cancel()

    def release(self) -> None:
        """Let go of the message and of all that holds UCX's context."""
        self._message.release()

    def _state(self, *, complete: bool) -> State:
        if not complete:
            return _PENDING
        self.phases_ns["send"] += _clock() - self._started
        return _DONE


class ReceiveTransfer:
    """The target's side: `post` starts to receive, `poll` drives, `finish` scatters.

    `phases_ns` adds up over posts: receive, from the first poll to completion (receives that
    are posted together do not count each other's time); scatter.
    """

    posted_descriptors = 1

    def __init__(
        self, line: Line, number: int, packing: Packing, expected: bytes, arrived: Callable[[], None] | None
    ) -> None:
        self._message = _Message(line, number, packing, "receive a message")
        self._packing = packing
        self.phases_ns = {"receive": 0, "scatter": 0}
        self._since = 0
        self._expected = expected
        self._arrived = arrived  # called when the bytes of a post are in their places
        self._told = np.zeros(ANNOUNCEMENT_BYTES, np.uint8)
        tag = line.ucxx.tag(tag_of(line.connection, number))
        self._announced: Any = line.endpoint.tag_recv(line.ucxx.buffer(self._told), tag)

    def post(self) -> State:
        """Start to receive."""
        self._message.refuse_active()
        self._since = 0
        self._message.start(self._message.line.endpoint.tag_recv)
        return _PENDING  # `poll` takes the time and compares the plans

    def poll(self) -> State:
        """Drive UCX on, once; raises `PeerLost` where UCX reports that, `TransferFailed` if the plans differ."""
        if not self._since:
            self._since = _clock()
        try:
            if not self._message.drive():
                return _PENDING
        except TransferFailed:
            self._compare()  # a message that is too long is the fault of the plans
            raise
        self.phases_ns["receive"] += _clock() - self._since
        self._compare()
        return _DONE

    def finish(self) -> None:
        """Scatter; the bytes are in their places when this returns."""
        start = _clock()
        self._packing.scatter()
        self.phases_ns["scatter"] += _clock() - start
        if self._arrived is not None:
            self._arrived()

    def cancel(self) -> State:
        """Refuse: UCXX's cancel leaves requests pending."""
        raise _cannot_cancel()

    def release(self) -> None:
        """Let go of the message and of all that holds UCX's context."""
        self._message.release()
        self._announced = None

    def _compare(self) -> None:
        """Compare the sender's plan with ours; messages of one connection arrive in order, so it is here."""
        if self._announced is None or not self._announced.completed:
            return
        self._announced = None
        if self._told.tobytes() == self._expected:
            return
        (theirs, rows, _), (ours, own_rows, _) = (
            _ANNOUNCEMENT.unpack(told) for told in (self._told.tobytes(), self._expected)
        )
        raise TransferFailed(
            "plans-differ",
            f"ucx: the sender has {theirs} bytes in {rows} rows, the receiver expects {ours} in {own_rows}",
            "prepare the same plans in the same order on both sides",
        )


class _Message:
    """One message, sent or received as often as wanted."""

    def __init__(self, line: Line, number: int, packing: Packing, doing: str) -> None:
        if number > MAX_TRANSFERS:
            raise Unsupported("too-many", f"ucx: more than {MAX_TRANSFERS} transfers of one connection")
        self.line = line
        self._number, self._packing, self._doing = number, packing, doing
        self._buffer = line.ucxx.buffer(packing.message)
        self._post = 0
        self._request: Any = None

    def refuse_active(self) -> None:
        """Refuse to start again what is under way: its buffer is UCX's."""
        if self._request is not None:
            raise TransferFailed("active", "ucx: the transfer is posted already and not complete")

    def start(self, operation: Callable[[Any, Any], Any]) -> None:
        """Post `operation`, with the next tag."""
        self._post = self._post % (_POSTS - 1) + 1
        tag = self.line.ucxx.tag(tag_of(self.line.connection, self._number, self._post))
        with self.line.ucxx.explained(self._doing):
            self._request = operation(self._buffer, tag)

    def finished(self) -> bool:
        """Tell whether it is complete; raises for a failure."""
        request = self._request
        if request is None:
            return True
        if not request.completed:
            return False
        self._request = None
        try:
            request.check_error()
        except self.line.ucxx.core.UCXError as error:
            raise self.line.ucxx.explanation(error, self._doing) from error
        return True

    def drive(self) -> bool:
        """Let UCX work, once; tell whether it is complete."""
        line = self.line
        worked = line.worker.progress_once()
        if self.finished():
            return True
        if not worked:  # a receive stays pending for ever when its sender dies
            line.check_alive(self._doing)
        return False

    def release(self) -> None:
        """Let go of request and buffer; without a request UCX's context can be destroyed."""
        self._request = self._buffer = None
        self._packing.release()


def _cannot_cancel() -> Unsupported:
    return Unsupported("cannot-cancel", "ucx has no cancel that proves the transfer has stopped")
