"""The model: who is there, who is connected, what is under way, and what each call may make of memory. Pure.

It knows what nobody promises, and does not judge it: what a deregistered, closed or
dead target makes of a transfer, whether a known name may be connected again, what a transfer
does that was released under way where the transport cannot cancel, what arrives where two transfers,
or a transfer and the owner, write the same bytes at once. Such bytes are in doubt. "Done" without any of
that is a promise, and so is that nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.machine.memory import ANY, Memory, Piece
from conformance.machine.steps import INITIATOR, PEERS, SIZE
from conformance.transfer.place import GUARD, span
from suite.transports.base import Op

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from conformance.machine.steps import Step
    from suite.transports.base import Traits

    Rows = tuple[tuple[int, int, int], ...]
    Stamp = tuple[int, int, int]


@dataclass
class Side:
    """One worker, its one region and its one endpoint. The numbers count what makes old knowledge of it void."""

    memory: Memory | None = None  # none: no process, or a new one
    open: bool = False
    registered: bool = False
    name: str = ""
    lives: int = 0
    openings: int = 0
    registrations: int = 0
    knows: set[str] = field(default_factory=set)  # names that this endpoint was ever connected to

    @property
    def stamp(self) -> Stamp:
        """Return what is other after each kill, open, close, register and deregister."""
        return self.lives, self.openings, self.registrations

    @property
    def ready(self) -> bool:
        """Tell whether it is open with its region."""
        return self.open and self.registered


@dataclass
class Link:
    """What was true when the initiator and a peer were connected."""

    name: str  # the peer's, then
    stamps: tuple[Stamp, Stamp]
    sure: bool  # False: a refusal from now on is nobody's fault


@dataclass
class Transfer:
    """One prepared transfer, as often as it is posted."""

    peer: str
    way: str
    rows: NDArray[np.int64]
    stamps: tuple[Stamp, Stamp]  # when it was prepared
    state: str = "prepared"  # then active, done, failed or cut
    judged: bool = False  # "done" says something about bytes
    mixed: bool = False  # others wrote where it reads or writes, while it did
    piece: Piece | None = None  # what is under way


class Model:
    """All of it. `allows` tells whether a step makes sense now; the others take what has come of one."""

    def __init__(self, traits: Traits, peers: tuple[str, ...] = PEERS) -> None:
        self.traits, self.peers = traits, peers
        self.sides = {who: Side() for who in (INITIATOR, *peers)}
        self.links: dict[str, Link] = {}
        self.transfers: dict[int, Transfer] = {}

    @property
    def ways(self) -> tuple[str, ...]:
        """Return the ways that the transport goes."""
        return tuple(way for way, op in (("out", Op.WRITE), ("in", Op.READ)) if op in self.traits.ops)

    def allows(self, step: Step) -> bool:
        """Tell whether a step can be taken now."""
        verb, first = step.verb, step.arguments[0]
        if verb in {"again", "wait", "cancel", "release"}:
            return self._allows_transfer(verb, self.transfers.get(first))
        if verb == "post":
            return first not in self.transfers and self.can_post(step.arguments[1], step.arguments[2])
        side = self.sides.get(first)
        if side is None:
            return False
        here = {
            "open": not side.open,
            "close": side.open,
            "kill": side.memory is not None,
            "register": side.open and not side.registered and self.traits.deregisters,
            "deregister": side.ready and self.traits.deregisters,
            "connect": first != INITIATOR and side.ready and self.sides[INITIATOR].ready,
            "fill": side.memory is not None,
        }
        return here[verb]

    def can_post(self, peer: str, way: str) -> bool:
        """Tell whether the initiator can post to a peer that it is connected to; one that takes part must be there."""
        return (
            peer in self.links
            and way in self.ways
            and self.sides[INITIATOR].ready
            and (not self.traits.two_sided or self._same(peer))
        )

    def _same(self, peer: str) -> bool:
        return self.links[peer].stamps[1] == self.sides[peer].stamp

    def _allows_transfer(self, verb: str, one: Transfer | None) -> bool:
        if one is None or (self.traits.two_sided and (one.peer not in self.links or not self._same(one.peer))):
            return False
        return {
            "again": one.state in {"done", "failed", "cut"} and self.sides[INITIATOR].ready,
            "wait": one.state == "active",
            "cancel": one.state == "active" and self.traits.cancels,
            "release": True,
        }[verb]

    # --- sides ---

    def laid(self, who: str, content: NDArray[np.uint8]) -> None:
        """Note that a process has a region."""
        self.sides[who].memory = Memory(content)

    def opened(self, who: str, name: str) -> None:
        """Note that its endpoint is open, under this name, and the region registered."""
        side = self.sides[who]
        side.open, side.registered, side.name, side.knows = True, True, name, set()
        side.openings += 1

    def registered(self, who: str, *, there: bool) -> None:
        """Note that the region was registered or deregistered."""
        side = self.sides[who]
        side.registered = there
        side.registrations += 1

    def closed(self, who: str) -> None:
        """Note that its endpoint is gone, with all that it knew."""
        side = self.sides[who]
        side.open = side.registered = False
        side.openings += 1
        if who == INITIATOR:
            for one in self.transfers.values():
                self._cut(one, stopped=self.traits.cancels)
            self.transfers, self.links = {}, {}

    def killed(self, who: str) -> None:
        """Note that its process is gone."""
        side = self.sides[who]
        side.memory = None
        side.lives += 1
        if side.open:
            self.closed(who)

    def filled(self, who: str, content: NDArray[np.uint8]) -> None:
        """Note that its owner wrote all of its region, whatever was under way."""
        self._memory(who).fill(content)
        for one in self._active():
            if who in {one.peer, INITIATOR}:
                one.mixed = True
                if who == self.destination(one) and one.piece:
                    self._memory(who).anything(one.piece.to)

    # --- links ---

    def new_to_each_other(self, peer: str) -> bool:
        """Tell whether neither knows the other's name: then nothing excuses a refusal."""
        mine, theirs = self.sides[INITIATOR], self.sides[peer]
        return theirs.name not in mine.knows and mine.name not in theirs.knows

    def connected(self, peer: str, *, refused: bool) -> None:
        """Note that both have been given each other's metadata."""
        mine, theirs = self.sides[INITIATOR], self.sides[peer]
        sure = self.new_to_each_other(peer) and not refused
        mine.knows.add(theirs.name)
        theirs.knows.add(mine.name)
        if not refused:
            self.links[peer] = Link(theirs.name, (mine.stamp, theirs.stamp), sure)
            for one in self._active():  # which life of its peer it meets now is nobody's promise
                one.judged &= one.peer != peer or one.stamps == self._stamps(peer)
        elif peer in self.links:
            self.links[peer].sure = False

    # --- transfers ---

    def source(self, one: Transfer) -> str:
        """Return whose memory it reads."""
        return INITIATOR if one.way == "out" else one.peer

    def destination(self, one: Transfer) -> str:
        """Return whose memory it writes."""
        return one.peer if one.way == "out" else INITIATOR

    def prepared(self, number: int, peer: str, way: str, rows: Rows) -> Transfer:
        """Note a transfer that is prepared, and return it."""
        table = np.array(rows, np.int64).reshape(-1, 3)
        self.transfers[number] = Transfer(peer, way, table, self._stamps(peer))
        return self.transfers[number]

    def due(self, one: Transfer) -> bool:
        """Tell whether nothing excuses that it is not done: all is as it was when both were connected."""
        return self._current(one) and self.links[one.peer].sure

    def _current(self, one: Transfer) -> bool:
        link = self.links.get(one.peer)
        return (
            link is not None
            and self.sides[INITIATOR].ready
            and self.sides[one.peer].ready
            and link.stamps == one.stamps == self._stamps(one.peer)
        )

    def posted(self, one: Transfer) -> None:
        """Note that it is under way: from now on its bytes may arrive."""
        one.state, one.judged = "active", self._current(one)
        source, target = self.sides[self.source(one)].memory, self.sides[self.destination(one)].memory
        at, to = (_bytes(one.rows[:, column], one.rows[:, 2]) for column in (0, 1))
        nothing = Piece(to, np.zeros(len(to), np.uint8), np.full(len(to), ANY, np.uint8))
        one.piece = source.taken(at, to) if source is not None else nothing
        one.mixed = False
        for other in self._active():
            if other is not one and other.piece is not None:
                self._mix(one, at, other)
        if target is not None:
            target.may_land(one.piece)
            if one.mixed or not one.judged:
                target.anything(to)

    def _mix(self, one: Transfer, at: NDArray[np.int64], other: Transfer) -> None:
        """Mark those of two transfers at once of which one writes what the other reads or writes."""
        assert one.piece is not None  # noqa: S101  both are under way
        assert other.piece is not None  # noqa: S101  as above
        others_at = _bytes(other.rows[:, 0], other.rows[:, 2])
        if self.destination(one) == self.destination(other) and _meet(one.piece.to, other.piece.to):
            one.mixed = other.mixed = True
        if self.source(one) == self.destination(other) and _meet(at, other.piece.to):
            one.mixed = True
        if self.destination(one) == self.source(other) and _meet(one.piece.to, others_at):
            other.mixed = True

    def done(self, one: Transfer) -> None:
        """Note that it says it is done."""
        memory = self.sides[self.destination(one)].memory
        one.state = "done"
        if memory is None or one.piece is None:
            return
        born_since = self.destination(one) == one.peer and one.stamps[1][0] != self.sides[one.peer].lives
        if one.judged and not one.mixed and not born_since:
            memory.landed(one.piece)
        else:
            memory.anything(one.piece.to)

    def failed(self, one: Transfer) -> None:
        """Note an error: it has stopped, and what happens between the two from now on is nobody's fault."""
        self.doubted(one.peer)
        self._cut(one, stopped=True)
        one.state = "failed"

    def cancelled(self, one: Transfer) -> None:
        """Note that it has been cancelled, and that nothing of it arrives any more."""
        self._cut(one, stopped=True)

    def released(self, number: int) -> None:
        """Forget it; under way it may go on, unless the transport can cancel."""
        one = self.transfers.pop(number)
        if one.state == "active" and not self.traits.cancels:
            self.doubted(one.peer)
        self._cut(one, stopped=self.traits.cancels)

    def doubted(self, peer: str) -> None:
        """Excuse what the initiator and a peer refuse each other from now on."""
        if peer in self.links:
            self.links[peer].sure = False

    def _cut(self, one: Transfer, *, stopped: bool) -> None:
        memory = self.sides[self.destination(one)].memory
        if one.state == "active" and memory is not None and one.piece is not None:
            if one.mixed or not one.judged:
                memory.anything(one.piece.to)
            if not stopped:
                memory.never_sure(one.piece.to)
        one.state = "cut"

    # --- inside ---

    def _active(self) -> list[Transfer]:
        return [one for one in self.transfers.values() if one.state == "active"]

    def _stamps(self, peer: str) -> tuple[Stamp, Stamp]:
        return self.sides[INITIATOR].stamp, self.sides[peer].stamp

    def _memory(self, who: str) -> Memory:
        memory = self.sides[who].memory
        assert memory is not None  # noqa: S101  `allows` has seen to it
        return memory


def _bytes(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the offset of each byte of rows within a place, guards counted."""
    pieces: list[Any] = [
        np.arange(start, start + length) + GUARD for start, length in zip(starts, lengths, strict=True)
    ]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _meet(some: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
    """Tell whether a byte is in both."""
    marked = np.zeros(span(SIZE, 0), np.bool_)
    marked[some] = True
    return bool(marked[others].any())
