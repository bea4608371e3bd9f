"""A handoff by storage: prefill stores, tells decode, decode fetches and answers, sample after sample.

To the timed window it is one transfer: it is done when decode has answered, so a
handoff stands beside a push or pull of the same KV cache.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from suite.errors import Unsupported
from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite.transports.base import Endpoint, Transfer

STORED = b"stored"
FETCHED = b"fetched"
_DONE, _PENDING = State.DONE, State.PENDING


class Handoff:
    """Prefill's side of one sample."""

    __slots__ = ("_endpoint", "_peer", "_store", "_told", "posted_descriptors")

    def __init__(self, store: Transfer, endpoint: Endpoint, peer: str) -> None:
        self._store, self._endpoint, self._peer = store, endpoint, peer
        self._told = False
        self.posted_descriptors = store.posted_descriptors

    def post(self) -> State:
        """Start to store."""
        self._told = False
        return self._tell() if self._store.post() is _DONE else _PENDING

    def poll(self) -> State:
        """Drive the store; once it is done tell decode, then look for decode's answer."""
        if not self._told:
            return self._tell() if self._store.poll() is _DONE else _PENDING
        return _DONE if any(tag == FETCHED for _, tag in self._endpoint.progress()) else _PENDING

    def finish(self) -> None:
        """Nothing to scatter."""

    def cancel(self) -> State:
        """Refuse, as its halves do."""
        raise Unsupported("cannot-cancel", "a handoff has no cancel that proves the writes have stopped")

    def release(self) -> None:
        """Free the store."""
        self._store.release()

    def _tell(self) -> State:
        self._endpoint.notify(self._peer, STORED)
        self._told = True
        return _PENDING


def fetch_each(fetches: Sequence[Transfer], endpoint: Endpoint, peer: str) -> None:
    """Drive decode's side of a window: fetch a sample whenever prefill has stored one, and answer."""
    for fetch in fetches:
        while all(tag != STORED for _, tag in endpoint.progress()):
            os.sched_yield()
        if fetch.post() is not _DONE:
            while fetch.poll() is not _DONE:
                pass
        endpoint.notify(peer, FETCHED)
