"""One rank's part of one request: pieces that are prepared, posted when their layers are computed, and driven."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suite.errors import KvgaugeError
from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.transfer.requests.consensus import Pair
    from suite.transfer.serving.rooms import Table
    from suite.transports.base import Transfer

Report = dict[str, Any]  # what a rank tells its server; JSON
_clock = time.perf_counter_ns


@dataclass
class PieceJob:
    """One post: the piece of a pair whose layers are stretch `stretch` of the model."""

    pair: Pair
    index: int  # of the pair's pieces
    stretch: int
    nbytes: int
    rows: int
    transfer: Transfer
    prepared_ns: int
    posted_at: int = 0


_KEPT: list[PieceJob] = []  # of dead peers, until this process ends


@dataclass
class Job:
    """What a rank does for one request."""

    request: int
    table: Table
    stops: bool  # a failed post of this transport has stopped: the call itself moves the bytes
    computed: int = 0  # stretches of layers
    computing: bool = False
    compute_from: int = 0  # clock: when the present stretch was begun
    ordered_at: int = 0  # clock: when all pieces were prepared
    waiting: list[PieceJob] = field(default_factory=list)
    running: list[PieceJob] = field(default_factory=list)
    posted: set[Pair] = field(default_factory=set)
    broken: set[Pair] = field(default_factory=set)  # an error says nothing about what is still written
    announced: dict[tuple[str, str], Pair] = field(default_factory=dict)  # (agent, tag) that are yet to come

    def drive(self) -> Iterator[Report]:
        """Post what may be posted, ask how the rest is; yield what the server is to know."""
        ready = [piece for piece in self.waiting if piece.stretch < self.computed]
        for piece in ready:
            self.waiting.remove(piece)
            yield from self._post(piece)
        for piece in list(self.running):
            yield from self._poll(piece)

    def stop(self, pairs: set[Pair]) -> None:
        """Post nothing more for these pairs; what is under way runs on, because nothing can prove that it was cut off."""
        self.waiting = [piece for piece in self.waiting if piece.pair not in pairs]

    def still(self, pairs: set[Pair]) -> bool:
        """Tell whether nothing of these pairs is under way any more, as far as a rank can know."""
        return not any(piece.pair in pairs for piece in (*self.running, *self.waiting)) and not pairs & self.broken

    def abandon(self) -> None:
        """Let go of what was never posted. What was is kept: releasing it could wait for a peer that is gone."""
        for piece in self.waiting:
            piece.transfer.release()
        _KEPT.extend(self.running)
        self.waiting, self.running = [], []

    def _post(self, piece: PieceJob) -> Iterator[Report]:
        piece.posted_at = _clock()
        if piece.pair not in self.posted:
            self.posted.add(piece.pair)
            yield self._report("posted", piece.pair)
        try:
            state = piece.transfer.post()
        except KvgaugeError as error:
            yield self._failed(piece, error)
            return
        self.running.append(piece)
        if state is State.DONE:
            yield from self._done(piece)

    def _poll(self, piece: PieceJob) -> Iterator[Report]:
        try:
            if piece.transfer.poll() is State.DONE:
                yield from self._done(piece)
        except KvgaugeError as error:
            self.running.remove(piece)
            yield self._failed(piece, error)

    def _done(self, piece: PieceJob) -> Iterator[Report]:
        arrived = _clock()
        piece.transfer.finish()
        finished = _clock()
        piece.transfer.release()
        self.running.remove(piece)
        yield self._report("done", piece.pair) | {
            "index": piece.index,
            "moved": [piece.nbytes, piece.rows],
            "posted_descriptors": piece.transfer.posted_descriptors,
            "preparation_ns": piece.prepared_ns,
            "queue_ns": piece.posted_at - self.ordered_at,
            "transmission_ns": arrived - piece.posted_at,
            "postprocessing_ns": finished - arrived,
        }

    def _failed(self, piece: PieceJob, error: KvgaugeError) -> Report:
        if not self.stops:
            self.broken.add(piece.pair)
        self.stop({piece.pair})
        reason = f"{error.code}: {error.message}"[:400]
        return self._report("failed", piece.pair) | {"reason": reason, "stopped": self.stops}

    def _report(self, kind: str, pair: Pair) -> Report:
        return {"kind": kind, "request": self.request, "pair": list(pair)}
