"""What the ranks that post say of their shares, and what comes of it.

Their words are heard while the transfer runs, and after a request has ended
early, when they prove that a writer is through. A failure of one rank is one
of the request, as in TensorRT-LLM's Python runtime
(`tensorrt_llm/_torch/disaggregation`), whose result message has the same three
answers as we have: done, failed, in doubt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from suite.transfer.requests import consensus
from suite.transfer.requests.actions import Report
from suite.transfer.requests.ending import complete, end, settle
from suite.transfer.requests.request import EXPOSED, State, Step, refuse

if TYPE_CHECKING:
    from suite.transfer.requests.actions import Action
    from suite.transfer.requests.consensus import Tally
    from suite.transfer.requests.events import Done, FromInitiator, Noticed, Posted, RankFailed, Stopped
    from suite.transfer.requests.request import Life


def posted(life: Life, event: Posted, _at_ns: int) -> Step:
    """Note that a share is on its way."""
    why = _unheard(life, event)
    if why or event.pair in life.tally.posted:
        return refuse(life, why or f"{event.pair}: posted twice")
    return Step(replace(life, tally=consensus.add_posted(life.tally, event.pair)), _reports(life, event))


def done(life: Life, event: Done, at_ns: int) -> Step:
    """Count a piece, if it is as large as the plan says; who says otherwise ends the request."""
    why = _unheard(life, event)
    if not why and (event.pair, event.index) in life.tally.done:
        why = f"{event.pair}, piece {event.index}: done twice"
    if why:
        return refuse(life, why)
    lie = consensus.lie(life.request.agreed, event.pair, event.index, event.moved)
    if lie:
        ended = end(life, State.FAILED, lie, at_ns) if life.state is State.TRANSFERRING else Step(life)
        return ended._replace(refused=refuse(life, lie).refused)
    return _advance(life, consensus.add_done(life.tally, event.pair, event.index), _reports(life, event), at_ns)


def noticed(life: Life, event: Noticed, at_ns: int) -> Step:
    """Note that the last byte of a share is visible here."""
    why = _unheard(life, event)
    if why or event.pair in life.tally.noticed:
        return refuse(life, why or f"{event.pair}: notified twice")
    return _advance(life, consensus.add_notice(life.tally, event.pair), (), at_ns)


def rank_failed(life: Life, event: RankFailed, at_ns: int) -> Step:
    """End the request for all; the rank that failed may still write, unless it says that it does not."""
    why = _unheard(life, event)
    if why:
        return refuse(life, why)
    if event.stopped:
        tally = consensus.add_stopped(life.tally, (event.pair,))
    else:
        tally = consensus.add_doubt(life.tally, event.pair)
    told = _reports(life, event)
    life = replace(life, tally=tally)
    if life.state is State.IN_DOUBT:
        return settle(life, at_ns)
    ended = end(life, State.FAILED, f"{event.pair}: {event.reason}", at_ns, tell_peer=not told)
    return ended._replace(actions=(*told, *ended.actions))


def stopped(life: Life, event: Stopped, at_ns: int) -> Step:
    """Take proof that writers have stopped, also of an incarnation that is gone; before its end, that is a failure."""
    foreign = sorted(event.pairs.difference(life.request.agreed))
    if life.state not in EXPOSED or event.incarnation != life.initiator or foreign:
        return refuse(life, f"writers of incarnation {event.incarnation!r} have stopped; no share: {foreign}")
    cut = [pair for pair in sorted(event.pairs) if not consensus.finished(life.tally, pair)]
    life = replace(life, tally=consensus.add_stopped(life.tally, event.pairs))
    if life.state is State.IN_DOUBT:
        return settle(life, at_ns)
    return end(life, State.FAILED, f"{cut[0]}: stopped before it was done", at_ns) if cut else Step(life)


def _unheard(life: Life, event: FromInitiator) -> str:
    """Return why nothing that is said of a share is accepted now, or nothing."""
    said = type(event).__name__
    if life.state not in EXPOSED:
        return f"{said} of {event.pair} comes too early or too late"
    if event.incarnation != life.initiator or (life.peer_gone and not life.request.posts):
        return f"{said} of {event.pair} is of incarnation {event.incarnation!r}, which is not, or no more, heard"
    if event.pair not in life.request.agreed:
        return f"{said} of {event.pair}, which has no share"
    return ""


def _reports(life: Life, event: Posted | Done | RankFailed) -> tuple[Action, ...]:
    """Our own ranks' words are for the peer, too, while it waits for them."""
    return (Report(event, life.peer),) if life.request.posts and life.state is State.TRANSFERRING else ()


def _advance(life: Life, tally: Tally, actions: tuple[Action, ...], at_ns: int) -> Step:
    life = replace(life, tally=tally)
    if life.state is State.IN_DOUBT:  # too late for the user, but that writer is through
        return settle(life, at_ns)
    ended = complete(life, at_ns) if consensus.complete(tally) else Step(life)
    return ended._replace(actions=(*actions, *ended.actions))
