"""What is to be done for a request: for its pool, for its peer, for our ranks, for its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suite.transfer.requests.blocks import Blocks, Need
    from suite.transfer.requests.consensus import Pair
    from suite.transfer.requests.events import Done, Posted, RankFailed, Stopped
    from suite.transfer.requests.request import State


@dataclass(frozen=True)
class Allocate:
    """Ask the pool for blocks, so many of each kind."""

    need: Need


@dataclass(frozen=True)
class Withdraw:
    """Leave the pool's queue."""


@dataclass(frozen=True)
class GiveBack:
    """Give owned blocks back: nobody can write to them."""

    blocks: Blocks


@dataclass(frozen=True)
class Quarantine:
    """Take the blocks from the request, but do not free them."""

    blocks: Blocks


@dataclass(frozen=True)
class Release:
    """Free the blocks in quarantine: every writer has stopped."""

    blocks: Blocks


@dataclass(frozen=True)
class Announce:
    """Tell the initiator at the other side which blocks to write to (push) or to read (pull)."""

    blocks: Blocks
    to: str  # the peer's incarnation


@dataclass(frozen=True)
class Post:
    """Have our ranks post their shares, from or to these blocks of ours."""

    blocks: Blocks
    to: str  # the incarnation of the peer whose block table is used


@dataclass(frozen=True)
class CancelRanks:
    """Have our ranks stop these shares, and say `Stopped` when they have."""

    pairs: frozenset[Pair]


@dataclass(frozen=True)
class Report:
    """Tell the peer what our ranks said."""

    event: Posted | Done | RankFailed | Stopped
    to: str | None  # the peer's incarnation; None if it is not known to have heard of the request


@dataclass(frozen=True)
class TellPeer:
    """Tell the peer that the request is over here; if it posts, we need proof that `unproven` have stopped."""

    outcome: State
    reason: str
    unproven: frozenset[Pair]
    to: str | None  # as in `Report`


@dataclass(frozen=True)
class TellUser:
    """The request has ended for its user. Said once. `in_doubt`: its blocks are not free yet."""

    outcome: State  # COMPLETE, FAILED or CANCELLED
    reason: str
    in_doubt: bool


ForPool = Allocate | Withdraw | GiveBack | Quarantine | Release
ForDriver = Announce | Post | CancelRanks | Report | TellPeer | TellUser
Action = ForPool | ForDriver
