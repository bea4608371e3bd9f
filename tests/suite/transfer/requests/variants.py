"""Faulty variants of a request's life, its pool and its inbox, each with what the state machine must say of it.

Written before the machine, from what goes wrong in the field: blocks freed
while they are written, late words of a server that is gone, requests that
wait for ever.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from suite.transfer.requests import blocks, consensus, life
from suite.transfer.requests.actions import CancelRanks, GiveBack, Quarantine, Release, Report, TellUser
from suite.transfer.requests.events import Cancelled, Clock, Done, PeerEnded, PeerLost, RankFailed, Stopped
from suite.transfer.requests.inbox import Inbox
from suite.transfer.requests.request import State, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from suite.transfer.requests.request import Life

    Patch = Callable[[pytest.MonkeyPatch], None]

VARIANTS: dict[str, tuple[Patch, str]] = {}

real_step = life.step
real_serve = blocks._serve
real_quarantine = blocks.quarantine
real_complete = consensus.complete


def caught_as(fault: str) -> Callable[[Patch], Patch]:
    """`fault` is a regular expression for what the machine says."""

    def add(patch: Patch) -> Patch:
        VARIANTS[patch.__name__] = (patch, fault)
        return patch

    return add


def steps(patch: pytest.MonkeyPatch, change: Callable[[Life, Any, Step], Step]) -> None:
    """Let `change` spoil what comes of each event."""
    patch.setattr(life, "step", lambda now, event, at_ns: change(now, event, real_step(now, event, at_ns)))


def freed(step: Step) -> Step:
    """Free what should have been in quarantine, as if nobody wrote."""
    actions = tuple(GiveBack(a.blocks) if isinstance(a, Quarantine) else a for a in step.actions)
    tally = replace(step.life.tally, writing=frozenset())
    return step._replace(life=replace(step.life, state=step.life.outcome, blocks=(), tally=tally), actions=actions)


def frees_at(kind: type) -> Callable[[Life, Any, Step], Step]:
    def change(now: Life, event: Any, step: Step) -> Step:
        doubted = step.life.state is State.IN_DOUBT and now.state is not State.IN_DOUBT
        return freed(step) if isinstance(event, kind) and doubted else step

    return change


@caught_as("may still be written")
def frees_at_cancel(patch: pytest.MonkeyPatch) -> None:
    steps(patch, frees_at(Cancelled))


@caught_as("may still be written")
def takes_a_time_out_for_proof(patch: pytest.MonkeyPatch) -> None:
    steps(patch, frees_at(Clock))


@caught_as("may still be written")
def takes_a_death_for_proof(patch: pytest.MonkeyPatch) -> None:
    steps(patch, frees_at(PeerLost))


@caught_as("may still be written")
def takes_a_failure_for_proof(patch: pytest.MonkeyPatch) -> None:
    """As engines do that take an error code for the end of the write (vLLM's issue 52234)."""
    steps(patch, frees_at(RankFailed))


@caught_as("complete, but")
def completes_at_the_first_rank(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consensus, "complete", lambda tally: any(consensus.finished(tally, pair) for pair in tally.agreed))


@caught_as("complete, but")
def completes_without_the_last_piece(patch: pytest.MonkeyPatch) -> None:
    def finished(tally: consensus.Tally, pair: consensus.Pair) -> bool:
        return (pair, len(tally.agreed[pair]) - 1) in tally.done or real_complete(tally)

    patch.setattr(consensus, "complete", lambda tally: all(finished(tally, pair) for pair in tally.agreed))


@caught_as("complete, but")
def completes_without_notice(patch: pytest.MonkeyPatch) -> None:
    def complete(tally: consensus.Tally) -> bool:
        return real_complete(replace(tally, needs_notice=False))

    patch.setattr(consensus, "complete", complete)


@caught_as("complete, but")
def believes_sizes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consensus, "lie", lambda *_: "")


@caught_as("complete, but|goes on after")
def counts_a_failed_rank_as_done(patch: pytest.MonkeyPatch) -> None:
    def change(now: Life, event: Any, step: Step) -> Step:
        if not isinstance(event, RankFailed) or step.refused or now.state is not State.TRANSFERRING:
            return step
        actions: list[Any] = []
        for index, piece in enumerate(now.request.agreed[event.pair]):
            now, more, _ = real_step(now, Done(event.pair, index, piece, event.incarnation), 0)
            actions += more
        return Step(now, tuple(actions))

    steps(patch, change)


@caught_as("goes on after a rank failed")
def ignores_that_a_rank_failed(patch: pytest.MonkeyPatch) -> None:
    def change(now: Life, event: Any, step: Step) -> Step:
        return Step(now) if isinstance(event, RankFailed) else step

    steps(patch, change)


@caught_as("hears the past")
def hears_an_old_incarnation(patch: pytest.MonkeyPatch) -> None:
    real_next = Inbox._next

    def hear(inbox: Inbox, message: Any) -> Any:
        old = inbox.heard is not None and message.incarnation < inbox.heard
        return (inbox, message) if old else real_next(inbox, message)

    patch.setattr(Inbox, "_next", hear)


@caught_as("hears twice")
def takes_replays(patch: pytest.MonkeyPatch) -> None:
    real_next = Inbox._next

    def hear(inbox: Inbox, message: Any) -> Any:
        seen = message.incarnation == inbox.heard and message.sequence < inbox.sequence
        return (inbox, message) if seen else real_next(inbox, message)

    patch.setattr(Inbox, "_next", hear)


@caught_as("still has blocks")
def forgets_to_give_back_on_failure(patch: pytest.MonkeyPatch) -> None:
    def change(_now: Life, _event: Any, step: Step) -> Step:
        if step.life.outcome is not State.FAILED:
            return step
        return step._replace(actions=tuple(a for a in step.actions if not isinstance(a, GiveBack | Release)))

    steps(patch, change)


@caught_as("overtook")
def serves_whoever_fits(patch: pytest.MonkeyPatch) -> None:
    def serve(pool: blocks.BlockPool) -> blocks.Granted:
        fits = sorted(pool.waiting, key=lambda waiting: waiting.need[0] > len(pool.free))
        return real_serve(replace(pool, waiting=tuple(fits)))

    patch.setattr(blocks, "_serve", serve)


@caught_as("waits, but fits")
def forgets_those_who_wait(patch: pytest.MonkeyPatch) -> None:
    def give_back(pool: blocks.BlockPool, owner: str, mine: blocks.Blocks) -> blocks.Granted:
        owned = {name: held for name, held in pool.owned.items() if name != owner}
        return replace(pool, owned=owned, free=pool.free + mine), ()

    patch.setattr(blocks, "give_back", give_back)


@caught_as("may still be written|in two places")
def reuses_a_block_in_quarantine(patch: pytest.MonkeyPatch) -> None:
    def quarantine(pool: blocks.BlockPool, owner: str, mine: blocks.Blocks) -> blocks.BlockPool:
        held = real_quarantine(pool, owner, mine)
        return replace(held, free=held.free + mine)

    patch.setattr(blocks, "quarantine", quarantine)


@caught_as("gives back blocks|in doubt without a reason|may still be written")
def frees_twice_on_time_out_and_failure(patch: pytest.MonkeyPatch) -> None:
    """Each of the two ends thinks that it is the only one."""

    def change(now: Life, event: Any, step: Step) -> Step:
        late = isinstance(event, RankFailed) and now.state is State.IN_DOUBT and not step.refused
        return step._replace(actions=(*step.actions, Release(now.blocks))) if late else step

    steps(patch, change)


@caught_as("told twice")
def tells_its_user_again(patch: pytest.MonkeyPatch) -> None:
    def change(now: Life, _event: Any, step: Step) -> Step:
        if now.state is not State.IN_DOUBT or step.life.state is State.IN_DOUBT:
            return step
        return step._replace(actions=(*step.actions, TellUser(State.FAILED, "again", in_doubt=False)))

    steps(patch, change)


@caught_as("has not ended")
def never_times_out(patch: pytest.MonkeyPatch) -> None:
    steps(patch, lambda now, event, step: Step(now) if isinstance(event, Clock) else step)


@caught_as("has not ended|may still be written|never stop")
def does_not_stop_its_ranks(patch: pytest.MonkeyPatch) -> None:
    def change(_now: Life, _event: Any, step: Step) -> Step:
        return step._replace(actions=tuple(a for a in step.actions if not isinstance(a, CancelRanks)))

    steps(patch, change)


@caught_as("has not ended")
def does_not_prove_that_it_stopped(patch: pytest.MonkeyPatch) -> None:
    def change(_now: Life, _event: Any, step: Step) -> Step:
        return step._replace(actions=tuple(a for a in step.actions if not proves(a)))

    steps(patch, change)


@caught_as("may still be written")
def proves_what_it_was_asked_to(patch: pytest.MonkeyPatch) -> None:
    """Answer a cancel as if our ranks had stopped already."""

    def change(now: Life, event: Any, step: Step) -> Step:
        if not isinstance(event, PeerEnded) or not now.request.posts or not now.tally.writing:
            return step
        proof = Report(Stopped(frozenset(now.request.agreed), now.request.incarnation), now.peer)
        return step._replace(actions=(*step.actions, proof))

    steps(patch, change)


def proves(action: Any) -> bool:
    return isinstance(action, Report) and isinstance(action.event, Stopped)
