"""What the world is made of: servers, and what their ranks have on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from suite.transfer.requests.request import Patience, Side

if TYPE_CHECKING:
    from suite.transfer.requests.actions import TellUser
    from suite.transfer.requests.blocks import Blocks
    from suite.transfer.requests.consensus import Agreed, Pair, Piece
    from suite.transfer.requests.inbox import Inbox, Outbox
    from suite.transfer.requests.ledger import Ledger

RANKS = 2
TOKEN = "7" * 32
PATIENCE = Patience(waiting_ns=40, allocated_ns=30, transferring_ns=20)
OTHER = {Side.PREFILL: Side.DECODE, Side.DECODE: Side.PREFILL}


class Violation(AssertionError):
    """Something that must never be."""


@dataclass(frozen=True)
class Wanted:
    """A request to submit at both sides, and how many blocks each needs."""

    agreed: Agreed
    push: bool
    prefill: int
    decode: int
    notice: bool


@dataclass
class Share:
    """What the initiator's rank has to do for one pair."""

    name: str
    pair: Pair
    incarnation: str
    pieces: tuple[Piece, ...]
    blocks: dict[Side, Blocks]  # that it reads at prefill and writes at decode
    posted: int = 0
    stop: bool = False
    running: list[int] = field(default_factory=list)  # pieces on the wire
    landed: set[int] = field(default_factory=set)
    confirmed: bool = False

    def owes_word(self) -> bool:
        return self.stop and not self.running and not self.confirmed


@dataclass
class Server:
    side: Side
    incarnation: str
    ledger: Ledger
    outbox: Outbox
    inbox: Inbox
    speaks: bool = False  # it has heard the hello of this session
    peer_pool: int = 0
    alive: set[int] = field(default_factory=lambda: set(range(RANKS)))
    announced: dict[str, Blocks] = field(default_factory=dict)  # the peer's blocks, by request
    shown: dict[str, Blocks] = field(default_factory=dict)  # ours, that the peer was told of
    opened: set[bytes] = field(default_factory=set)
    queue: list[str] = field(default_factory=list)  # who waits, in the order of submission
    told: dict[str, TellUser] = field(default_factory=dict)
