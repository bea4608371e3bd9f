"""A request of four pairs of ranks and two layers, as each side sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.transfer.requests.consensus import Pair, Piece
from suite.transfer.requests.events import Granted, PeerReady, Submitted
from suite.transfer.requests.life import step
from suite.transfer.requests.request import Life, Patience, Request, Side, Step, new_life

if TYPE_CHECKING:
    from suite.transfer.requests.consensus import Agreed
    from suite.transfer.requests.events import Event

OURS, THEIRS, NEWER = "0" * 31 + "1", "0" * 31 + "2", "0" * 31 + "3"
PAIRS = (Pair(0, 0), Pair(1, 1))
LAYERS = (Piece(64, 4), Piece(32, 2))
AGREED: Agreed = dict.fromkeys(PAIRS, LAYERS)
PATIENCE = Patience(waiting_ns=400, allocated_ns=300, transferring_ns=200)
BLOCKS = (5, 3)


def request(
    *, side: Side = Side.DECODE, posts: bool = False, notice: bool = False, agreed: Agreed = AGREED, name: str = "r1"
) -> Request:
    return Request(name, side, posts, OURS, (len(BLOCKS),), 3, agreed, PATIENCE, notice)


def lived(life: Life, *events: Event, at_ns: int = 0) -> Step:
    """Return what comes of the last event, after the others."""
    last = Step(life)
    for event in events:
        last = step(last.life, event, at_ns)
    return last


def begun(wanted: Request) -> Life:
    """Return a life that is transferring."""
    return lived(new_life(wanted), Submitted(), Granted(BLOCKS), PeerReady(THEIRS)).life
