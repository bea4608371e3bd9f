"""From a request's actions to messages, and from the peer's messages to events.

Here a peer's numbers meet the agreed plan: an announcement with other blocks,
ranks, bytes or rows than ours is not followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.transfer.requests.actions import Announce, Report, TellPeer
from suite.transfer.requests.consensus import Pair, Piece, lie
from suite.transfer.requests.events import Disagreed, Done, PeerEnded, PeerReady, Posted, RankFailed, Stopped
from suite.transfer.requests.messages import (
    MAX_REASON,
    Announcement,
    CancelSays,
    DoneSays,
    FailedSays,
    PairOf,
    PieceOf,
    PostedSays,
    ShareOf,
    StoppedSays,
    shown,
)
from suite.transfer.requests.request import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from suite.transfer.requests.consensus import Agreed
    from suite.transfer.requests.events import FromPeer
    from suite.transfer.requests.request import Request

Said = Announcement | PostedSays | DoneSays | FailedSays | CancelSays | StoppedSays
ForPeer = Announce | Report | TellPeer


def body_of(request: Request, action: ForPeer) -> Said:
    """Return the body that carries out an action; whom it is for is the action's `to`."""
    match action:
        case Announce(blocks):
            shares = [
                ShareOf(pair=_out(pair), pieces=[PieceOf(nbytes=piece.nbytes, rows=piece.rows) for piece in pieces])
                for pair, pieces in sorted(request.agreed.items())
            ]
            return Announcement(request=request.name, blocks=list(blocks), shares=shares)
        case TellPeer(outcome, reason, unproven):
            return CancelSays(
                request=request.name,
                outcome="cancelled" if outcome is State.CANCELLED else "failed",
                reason=shown(reason, MAX_REASON),
                unproven=_all_out(unproven),
            )
        case Report(event):
            return _reported(request.name, event)


def event_of(body: Said, incarnation: str, request: Request, pool_blocks: int) -> FromPeer:
    """Return what a body of the peer's `incarnation` means for `request`; its pool has `pool_blocks` (see its hello)."""
    match body:
        case Announcement():
            why = disagreement(body, request, pool_blocks)
            return Disagreed(f"announcement of {request.other}: {why}") if why else PeerReady(incarnation)
        case PostedSays():
            return Posted(_in(body.pair), incarnation)
        case DoneSays():
            return Done(_in(body.pair), body.index, Piece(body.moved.nbytes, body.moved.rows), incarnation)
        case FailedSays():
            return RankFailed(_in(body.pair), body.reason, body.stopped, incarnation)
        case CancelSays():
            return PeerEnded(State(body.outcome), body.reason)
        case StoppedSays():
            return Stopped(frozenset(map(_in, body.pairs)), incarnation)


def answers_for_unknown(body: Said) -> tuple[Said, ...]:
    """Return what to answer about a request that this side has not, or not any more.

    Nothing of ours writes for it, and nothing will: no announcement of it was
    followed (a driver that keeps early ones drops it now), and none comes after
    a cancel.
    """
    name = body.request
    if isinstance(body, CancelSays) and body.unproven:
        return (StoppedSays(request=name, pairs=body.unproven),)
    if isinstance(body, Announcement):
        why = CancelSays(request=name, outcome="failed", reason="the request is not known here", unproven=[])
        return why, StoppedSays(request=name, pairs=[share.pair for share in body.shares])
    return ()


def disagreement(body: Announcement, request: Request, pool_blocks: int) -> str:
    """Return the first field in which an announcement differs from the plan, in words, or nothing."""
    if len(body.blocks) != request.peer_blocks:
        return f"blocks: {len(body.blocks)} of them; the plan has {request.peer_blocks}"
    if max(body.blocks) >= pool_blocks:
        return f"blocks: {max(body.blocks)} in a pool of {pool_blocks}"
    if len(set(body.blocks)) != len(body.blocks):
        return "blocks: one is there twice"
    told = {_in(share.pair): share.pieces for share in body.shares}
    if len(told) != len(body.shares):
        return "shares: a pair is there twice"
    if told.keys() != request.agreed.keys():
        return f"shares: {min(told.keys() ^ request.agreed.keys())} is only in one of announcement and plan"
    pieces = {pair: tuple(Piece(piece.nbytes, piece.rows) for piece in told[pair]) for pair in told}
    why = _difference(pieces, request.agreed)
    return f"shares: {why}" if why else ""


def _difference(told: Agreed, agreed: Agreed) -> str:
    for pair in sorted(agreed):
        if len(told[pair]) != len(agreed[pair]):
            return f"{pair}: {len(told[pair])} pieces; the plan has {len(agreed[pair])}"
        for index, piece in enumerate(told[pair]):
            why = lie(agreed, pair, index, piece)
            if why:
                return why
    return ""


def _reported(name: str, event: Posted | Done | RankFailed | Stopped) -> Said:
    match event:
        case Posted(pair):
            return PostedSays(request=name, pair=_out(pair))
        case Done(pair, index, moved):
            piece = PieceOf(nbytes=moved.nbytes, rows=moved.rows)
            return DoneSays(request=name, pair=_out(pair), index=index, moved=piece)
        case RankFailed(pair, reason, stopped):
            return FailedSays(request=name, pair=_out(pair), reason=shown(reason, MAX_REASON), stopped=stopped)
        case Stopped(pairs):
            return StoppedSays(request=name, pairs=_all_out(pairs))


def _out(pair: Pair) -> PairOf:
    return PairOf(prefill=pair.prefill, decode=pair.decode)


def _all_out(pairs: Iterable[Pair]) -> list[PairOf]:
    return [_out(pair) for pair in sorted(pairs)]


def _in(pair: PairOf) -> Pair:
    return Pair(pair.prefill, pair.decode)
