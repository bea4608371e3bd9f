"""The life of one request on one side, prefill or decode, pushed or pulled: events in, the next state and actions out.

`queued -> waiting for blocks -> allocated -> transferring -> complete`, and from
each of them to `failed` or `cancelled`, or first to `in doubt`. Both sides live
the same life: one posts (prefill in a push, as TensorRT-LLM; decode in a pull,
as vLLM's NixlConnector), the other tells it where its blocks are. TensorRT-LLM
refuses to cancel a request whose write is running and has the caller ask again
(`tensorrt_llm/_torch/disaggregation`); here its user is told at once, and the
blocks wait instead.

What a peer does wrong never raises. It is refused, and the refusal says what.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from suite.transfer.requests import consensus, shares
from suite.transfer.requests.actions import Allocate, Announce, GiveBack, Post
from suite.transfer.requests.ending import all_stopped, complete, end
from suite.transfer.requests.events import (
    Cancelled,
    Clock,
    Disagreed,
    Done,
    Finished,
    Granted,
    Noticed,
    PeerEnded,
    PeerLost,
    PeerReady,
    PeerRestarted,
    Posted,
    RankFailed,
    Stopped,
    Submitted,
)
from suite.transfer.requests.request import UNDER_WAY, Side, State, Step, refuse
from suite.units import format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from suite.transfer.requests.events import Event
    from suite.transfer.requests.request import Life


def step(life: Life, event: Event, at_ns: int) -> Step:
    """Return what comes of `event` at `at_ns`; the life that is passed in does not change."""
    return _HANDLERS[type(event)](life, event, at_ns)


def deadline_ns(life: Life) -> int | None:
    """Return the clock value at which a `Clock` event ends this state, or None."""
    limit = life.request.patience.of(life.state)
    return None if limit is None else life.since[life.state] + limit


def _submitted(life: Life, _event: Submitted, at_ns: int) -> Step:
    if life.state is not State.QUEUED:
        return refuse(life, "submitted twice")
    return Step(life.enter(State.WAITING, at_ns), (Allocate(life.request.blocks),))


def _granted(life: Life, event: Granted, at_ns: int) -> Step:
    if life.state is not State.WAITING:
        return Step(life, (GiveBack(event.blocks),), refuse(life, "blocks are not wanted").refused)
    return _begin(replace(life.enter(State.ALLOCATED, at_ns), blocks=event.blocks), at_ns)


def _peer_ready(life: Life, event: PeerReady, at_ns: int) -> Step:
    if life.peer is not None and event.incarnation != life.peer:
        return _peer_restarted(life, PeerRestarted(event.incarnation), at_ns)
    if life.peer is not None or life.state not in UNDER_WAY:
        return refuse(life, f"{life.request.other} is ready")
    return _begin(replace(life, peer=event.incarnation), at_ns)


def _begin(life: Life, at_ns: int) -> Step:
    """Let the transfer begin when there are blocks and a peer; from this moment on somebody may write."""
    if life.state is State.ALLOCATED and not life.request.agreed:
        return complete(life, at_ns)
    if life.state is not State.ALLOCATED or life.peer is None:
        return Step(life)
    life = replace(life.enter(State.TRANSFERRING, at_ns), tally=consensus.expose(life.tally))
    order = Post if life.request.posts else Announce
    return Step(life, (order(life.blocks, str(life.peer)),))


def _cancelled(life: Life, _event: Cancelled, at_ns: int) -> Step:
    if life.state not in UNDER_WAY:
        return refuse(life, "cancelled by its user")
    return end(life, State.CANCELLED, f"cancelled by its user while {life.state}", at_ns)


def _peer_ended(life: Life, event: PeerEnded, at_ns: int) -> Step:
    if life.state in UNDER_WAY:
        outcome = State.CANCELLED if event.outcome is State.CANCELLED else State.FAILED
        return end(life, outcome, f"{life.request.other}: {event.reason}", at_ns, tell_peer=False)
    # The peer may have missed it: that nothing of ours writes can be said again.
    return Step(life, all_stopped(life), refuse(life, f"ended by {life.request.other}").refused)


def _peer_restarted(life: Life, event: PeerRestarted, at_ns: int) -> Step:
    if life.peer in {None, event.incarnation}:  # it has nothing to do with an earlier one
        return refuse(life, f"{life.request.other} restarted")
    life = replace(life, peer_gone=True)
    if life.state not in UNDER_WAY:
        return refuse(life, f"{life.request.other} restarted")
    return end(life, State.FAILED, f"{life.request.other} restarted; what it held is gone", at_ns, tell_peer=False)


def _peer_lost(life: Life, event: PeerLost, at_ns: int) -> Step:
    who = f"{event.side} rank {event.rank}"
    ranks = {pair.prefill if event.side is Side.PREFILL else pair.decode for pair in life.request.agreed}
    if life.state not in UNDER_WAY or event.rank not in ranks:
        return refuse(life, f"{who} was lost")
    return end(life, State.FAILED, f"{who} was lost while {life.state}", at_ns)


def _disagreed(life: Life, event: Disagreed, at_ns: int) -> Step:
    if life.state not in UNDER_WAY:
        return refuse(life, event.reason)
    return end(life, State.FAILED, event.reason, at_ns)


def _clock(life: Life, _event: Clock, at_ns: int) -> Step:
    deadline = deadline_ns(life)
    if deadline is None or at_ns < deadline:
        return Step(life)
    waited = format_ns(at_ns - life.since[life.state])
    detail = f": {consensus.missing(life.tally)}" if life.state is State.TRANSFERRING else ""
    return end(life, State.FAILED, f"timed out after {waited} {life.state}{detail}", at_ns)


def _finished(life: Life, _event: Finished, _at_ns: int) -> Step:
    if life.state is not State.COMPLETE or not life.blocks:
        return refuse(life, "its blocks are needed no more")
    return Step(replace(life, blocks=()), (GiveBack(life.blocks),))


_HANDLERS: Mapping[type, Callable[[Life, Any, int], Step]] = {
    Submitted: _submitted,
    Granted: _granted,
    PeerReady: _peer_ready,
    PeerRestarted: _peer_restarted,
    Posted: shares.posted,
    Done: shares.done,
    Noticed: shares.noticed,
    RankFailed: shares.rank_failed,
    Stopped: shares.stopped,
    Cancelled: _cancelled,
    PeerEnded: _peer_ended,
    PeerLost: _peer_lost,
    Disagreed: _disagreed,
    Clock: _clock,
    Finished: _finished,
}
