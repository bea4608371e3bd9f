"""What can happen to a request.

Whoever speaks of a transfer does so in the name of an incarnation: what a
server calls itself from one start (or reconnection) to the next. Its old
words, should they arrive late, are then known as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suite.transfer.requests.blocks import Blocks
    from suite.transfer.requests.consensus import Pair, Piece
    from suite.transfer.requests.request import Side, State


@dataclass(frozen=True)
class Submitted:
    """The request is to begin."""


@dataclass(frozen=True)
class Granted:
    """The pool gave these blocks."""

    blocks: Blocks


@dataclass(frozen=True)
class PeerReady:
    """The target of the posts heard the peer's hello; the initiator its block table. The transfer can begin.

    An initiator that moves the whole share at once is told so only when the
    prefill is computed.
    """

    incarnation: str


@dataclass(frozen=True)
class PeerRestarted:
    """The peer greets under a new incarnation: what the old one held is gone."""

    incarnation: str


@dataclass(frozen=True)
class Posted:
    """A rank has posted the first piece of its share."""

    pair: Pair
    incarnation: str


@dataclass(frozen=True)
class Done:
    """A rank has moved piece `index` of its share, and says how much that was."""

    pair: Pair
    index: int
    moved: Piece
    incarnation: str


@dataclass(frozen=True)
class Noticed:
    """The transport's notification that follows the last byte of a share has arrived."""

    pair: Pair
    incarnation: str


@dataclass(frozen=True)
class RankFailed:
    """A rank failed at its share. `stopped` only if nothing of it can be written any more."""

    pair: Pair
    reason: str
    stopped: bool
    incarnation: str


@dataclass(frozen=True)
class Stopped:
    """Proof that these pairs cannot write any more: an initiator's word, or its process reaped and the wire drained."""

    pairs: frozenset[Pair]
    incarnation: str


@dataclass(frozen=True)
class Cancelled:
    """The user does not want it any more."""


@dataclass(frozen=True)
class PeerEnded:
    """The request is over at the peer."""

    outcome: State  # FAILED or CANCELLED
    reason: str


@dataclass(frozen=True)
class PeerLost:
    """A rank's process is gone, on either side. This does not prove that its bytes have stopped: see `Stopped`."""

    side: Side
    rank: int


@dataclass(frozen=True)
class Disagreed:
    """What the peer asks for does not match the agreed plan."""

    reason: str


@dataclass(frozen=True)
class Clock:
    """Nothing but time has passed."""


@dataclass(frozen=True)
class Finished:
    """The user needs the blocks of a complete request no more."""


FromInitiator = Posted | Done | Noticed | RankFailed
FromPeer = FromInitiator | Stopped | PeerReady | PeerRestarted | PeerEnded | PeerLost | Disagreed
Event = FromPeer | Submitted | Granted | Cancelled | Clock | Finished
