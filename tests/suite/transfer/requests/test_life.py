"""One request's life: what it orders, what it refuses, and when its blocks come back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.transfer.requests.actions import (
    Allocate,
    Announce,
    CancelRanks,
    GiveBack,
    Post,
    Quarantine,
    Release,
    Report,
    TellPeer,
    TellUser,
    Withdraw,
)
from suite.transfer.requests.consensus import Pair, Piece
from suite.transfer.requests.events import (
    Cancelled,
    Clock,
    Disagreed,
    Done,
    Event,
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
from suite.transfer.requests.life import deadline_ns, step
from suite.transfer.requests.request import UNDER_WAY, Side, State, Step, new_life
from tests.suite.transfer.requests.conftest import (
    AGREED,
    BLOCKS,
    LAYERS,
    NEWER,
    OURS,
    PAIRS,
    THEIRS,
    begun,
    lived,
    request,
)

TARGET, INITIATOR = request(), request(posts=True)
EVERYONE = frozenset(PAIRS)


def all_done(incarnation: str) -> list[Done]:
    return [Done(pair, index, piece, incarnation) for pair in PAIRS for index, piece in enumerate(LAYERS)]


def kinds(step: Step) -> list[type]:
    return [type(action) for action in step.actions]


# ---------------------------------------------------------------- the good way


def test_decode_announces_its_blocks_when_it_has_them_and_a_peer_in_any_order() -> None:
    life = new_life(TARGET)
    assert lived(life, Submitted()).actions == (Allocate((2,)),)
    for events in ([Granted(BLOCKS), PeerReady(THEIRS)], [PeerReady(THEIRS), Granted(BLOCKS)]):
        last = lived(life, Submitted(), *events)
        assert last.actions == (Announce(BLOCKS, THEIRS),)
        assert last.life.state is State.TRANSFERRING
        assert last.life.tally.writing == EVERYONE  # before anybody says that it posted


def test_a_pull_is_posted_by_decode_and_reported_to_prefill() -> None:
    life = begun(INITIATOR)
    assert lived(new_life(INITIATOR), Submitted(), PeerReady(THEIRS), Granted(BLOCKS)).actions == (
        Post(BLOCKS, THEIRS),
    )
    said = Done(PAIRS[0], 1, LAYERS[1], OURS)
    assert lived(life, said).actions == (Report(said, THEIRS),)


def test_it_is_complete_with_the_last_piece_of_the_last_rank_and_not_before() -> None:
    life = begun(TARGET)
    *most, last = all_done(THEIRS)
    for event in most:
        done = step(life, event, 7)
        assert (done.actions, done.refused, done.life.state) == ((), "", State.TRANSFERRING)
        life = done.life
    done = step(life, last, 9)
    assert done.actions == (TellUser(State.COMPLETE, "", in_doubt=False),)
    assert (done.life.blocks, done.life.since[State.COMPLETE]) == (BLOCKS, 9)
    assert lived(done.life, Finished()).actions == (GiveBack(BLOCKS),)
    assert lived(done.life, Finished(), Finished()).refused


def test_where_the_transport_notifies_bytes_count_when_they_are_visible() -> None:
    life = lived(begun(request(notice=True)), *all_done(THEIRS)).life
    assert life.state is State.TRANSFERRING
    assert life.tally.writing == EVERYONE
    assert lived(life, *(Noticed(pair, THEIRS) for pair in PAIRS)).life.state is State.COMPLETE
    first = lived(begun(request(notice=True)), *(Noticed(pair, THEIRS) for pair in PAIRS)).life
    assert lived(first, *all_done(THEIRS)).life.state is State.COMPLETE


@pytest.mark.parametrize("posts", [False, True])
def test_nothing_to_move_is_complete_with_its_blocks(posts: bool) -> None:  # noqa: FBT001  a parameter
    last = lived(new_life(request(agreed={}, posts=posts)), Submitted(), Granted(BLOCKS))
    assert (last.life.state, kinds(last)) == (State.COMPLETE, [TellUser])


# -------------------------------------------------------------------- early ends


@pytest.mark.parametrize(
    ("events", "orders"),
    [
        ([], [TellPeer, TellUser]),
        ([Submitted()], [Withdraw, TellPeer, TellUser]),
        ([Submitted(), Granted(BLOCKS)], [GiveBack, TellPeer, TellUser]),
        ([Submitted(), Granted(BLOCKS), PeerReady(THEIRS)], [Quarantine, TellPeer, TellUser]),
    ],
    ids=["queued", "waiting", "allocated", "transferring"],
)
def test_a_cancel_ends_it_at_once_and_frees_only_what_nobody_can_write_to(
    events: list[Event], orders: list[type]
) -> None:
    last = lived(new_life(TARGET), *events, Cancelled())
    told = last.actions[-1]
    assert kinds(last) == orders
    assert isinstance(told, TellUser)
    assert (told.outcome, told.in_doubt) == (State.CANCELLED, Quarantine in orders)
    assert lived(last.life, Cancelled()).refused


def test_a_cancel_after_the_end_is_refused() -> None:
    last = lived(begun(TARGET), *all_done(THEIRS), Cancelled())
    assert (last.actions, last.life.state) == ((), State.COMPLETE)
    assert last.refused == "request 'r1' (complete): cancelled by its user"


def test_doubt_ends_with_the_last_proof_and_its_user_hears_no_more() -> None:
    life = lived(begun(TARGET), Cancelled()).life
    assert life.state is State.IN_DOUBT
    first = lived(life, Stopped(frozenset({PAIRS[0]}), THEIRS))
    assert (first.actions, first.life.state) == ((), State.IN_DOUBT)
    last = lived(first.life, Stopped(frozenset({PAIRS[1]}), THEIRS))
    assert (last.actions, last.life.state) == ((Release(BLOCKS),), State.CANCELLED)


def test_a_late_completion_is_proof_but_no_success() -> None:
    life = lived(begun(TARGET), Clock(), at_ns=200).life
    last = lived(life, *all_done(THEIRS))
    assert (last.actions, last.life.state) == ((Release(BLOCKS),), State.FAILED)


def test_the_initiator_stops_its_ranks_and_then_proves_it_to_the_peer() -> None:
    ended = lived(begun(INITIATOR), PeerEnded(State.CANCELLED, "no more"))
    assert ended.actions == (
        Quarantine(BLOCKS),
        CancelRanks(EVERYONE),
        TellUser(State.CANCELLED, "prefill: no more", in_doubt=True),
    )
    last = lived(ended.life, Stopped(EVERYONE, OURS))
    assert last.actions == (Release(BLOCKS), Report(Stopped(EVERYONE, OURS), THEIRS))
    again = lived(last.life, PeerEnded(State.FAILED, "still there?"))
    assert again.actions == (Report(Stopped(EVERYONE, OURS), THEIRS),)
    assert not lived(ended.life, PeerEnded(State.FAILED, "have they stopped?")).actions  # not yet


def test_an_initiator_that_never_posted_proves_that_it_never_will() -> None:
    waiting = lived(new_life(INITIATOR), Submitted(), PeerReady(THEIRS)).life
    last = lived(waiting, Cancelled())
    assert kinds(last) == [Withdraw, TellPeer, TellUser, Report]
    assert last.actions[-1] == Report(Stopped(EVERYONE, OURS), THEIRS)


def test_one_rank_failed_is_all_failed() -> None:
    stopped = lived(begun(TARGET), RankFailed(PAIRS[0], "no route", stopped=True, incarnation=THEIRS))
    assert stopped.life.reason == "prefill rank 0 to decode rank 0: no route"
    assert stopped.life.tally.writing == {PAIRS[1]}
    doubted = lived(begun(TARGET), RankFailed(PAIRS[0], "no route", stopped=False, incarnation=THEIRS))
    assert doubted.life.tally.writing == EVERYONE
    assert kinds(doubted) == [Quarantine, TellPeer, TellUser]
    ours = lived(begun(INITIATOR), RankFailed(PAIRS[0], "no route", stopped=True, incarnation=OURS))
    assert kinds(ours) == [Report, Quarantine, CancelRanks, TellUser]


def test_a_rank_that_was_done_and_then_failed_may_write_again() -> None:
    life = lived(begun(TARGET), *all_done(THEIRS)[:2]).life
    assert life.tally.writing == {PAIRS[1]}
    failed = lived(life, RankFailed(PAIRS[0], "came back", stopped=False, incarnation=THEIRS))
    assert failed.life.tally.writing == EVERYONE


def test_a_writer_that_stops_before_it_is_done_fails_the_request() -> None:
    last = lived(begun(TARGET), Stopped(EVERYONE, THEIRS))
    assert last.life.reason == "prefill rank 0 to decode rank 0: stopped before it was done"
    assert (last.life.state, kinds(last)) == (State.FAILED, [GiveBack, TellPeer, TellUser])


def test_each_state_has_its_own_time_out_and_says_what_is_missing() -> None:
    waiting = lived(new_life(TARGET), Submitted(), at_ns=10).life
    assert deadline_ns(waiting) == 410
    assert lived(waiting, Clock(), at_ns=409).life.state is State.WAITING
    assert lived(waiting, Clock(), at_ns=410).life.reason == "timed out after 400 ns waiting for blocks"
    life = lived(begun(TARGET), Posted(PAIRS[0], THEIRS), Done(PAIRS[0], 0, LAYERS[0], THEIRS)).life
    assert lived(life, Clock(), at_ns=200).life.reason == (
        "timed out after 200 ns transferring: prefill rank 0 to decode rank 0: 1 of 2 pieces; "
        "prefill rank 1 to decode rank 1: not posted"
    )
    assert deadline_ns(lived(life, Clock(), at_ns=200).life) is None


@pytest.mark.parametrize("side", Side)
def test_a_lost_rank_ends_the_requests_in_which_it_has_a_share(side: Side) -> None:
    assert lived(begun(TARGET), PeerLost(side, 2)).refused
    last = lived(begun(TARGET), PeerLost(side, 1))
    assert last.life.state is State.IN_DOUBT  # a dead process does not prove that its bytes have stopped
    assert last.life.reason == f"{side} rank 1 was lost while transferring"


# ------------------------------------------------------------- lies and late words


@pytest.mark.parametrize(
    ("index", "moved", "lie"),
    [
        (0, Piece(63, 4), "piece 0: 63 bytes; the plan has 64"),
        (1, Piece(32, 3), "piece 1: 3 rows; the plan has 2"),
        (2, Piece(1, 1), "piece 2 of 2"),
    ],
)
def test_a_lie_about_sizes_is_refused_named_and_ends_the_request(index: int, moved: Piece, lie: str) -> None:
    last = lived(begun(TARGET), Done(PAIRS[1], index, moved, THEIRS))
    assert lie in last.refused
    assert lie in last.life.reason
    assert "prefill rank 1 to decode rank 1" in last.life.reason
    assert last.life.tally.writing == EVERYONE
    doubted = lived(begun(TARGET), Cancelled(), Done(PAIRS[1], index, moved, THEIRS))
    assert lie in doubted.refused
    assert doubted.life.tally.writing == EVERYONE  # a lie proves nothing


@pytest.mark.parametrize(
    "event",
    [
        Done(Pair(1, 0), 0, LAYERS[0], THEIRS),
        Done(PAIRS[0], 0, LAYERS[0], NEWER),
        Posted(PAIRS[0], OURS),
        Noticed(Pair(7, 7), THEIRS),
        RankFailed(PAIRS[0], "no", stopped=True, incarnation=NEWER),
        Stopped(EVERYONE, NEWER),
        Stopped(frozenset({Pair(1, 0)}), THEIRS),
        PeerReady(THEIRS),
        PeerRestarted(THEIRS),
        Granted((9,)),
        Submitted(),
        Finished(),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_does_not_fit_is_refused_and_changes_nothing(event: Event) -> None:
    life = begun(TARGET)
    last = step(life, event, 1)
    assert last.life == life
    assert last.refused.startswith("request 'r1' (transferring): ")
    assert last.actions == ((GiveBack((9,)),) if event == Granted((9,)) else ())


def test_nothing_is_heard_twice() -> None:
    for event in (Posted(PAIRS[0], THEIRS), all_done(THEIRS)[0], Noticed(PAIRS[0], THEIRS)):
        life = begun(request(notice=True))
        assert not lived(life, event).refused
        assert "twice" in lived(life, event, event).refused
    assert "twice" in lived(begun(TARGET), all_done(THEIRS)[0], Posted(PAIRS[0], THEIRS)).refused  # done says it, too


def test_after_a_restart_the_old_incarnation_is_not_heard_but_its_end_can_be_proven() -> None:
    for news in (PeerRestarted(NEWER), PeerReady(NEWER)):
        life = lived(begun(TARGET), news).life
        assert life.reason == "prefill restarted; what it held is gone"
        for late in (*all_done(THEIRS), RankFailed(PAIRS[0], "late", stopped=True, incarnation=THEIRS)):
            assert "no more, heard" in lived(life, late).refused
        assert lived(life, Stopped(EVERYONE, NEWER)).refused
        assert lived(life, Stopped(EVERYONE, THEIRS)).actions == (Release(BLOCKS),)


def test_a_restart_of_a_peer_that_was_never_met_is_no_news() -> None:
    waiting = lived(new_life(TARGET), Submitted()).life
    assert lived(waiting, PeerRestarted(NEWER)).life == waiting
    assert lived(waiting, PeerReady(THEIRS), PeerRestarted(NEWER)).life.state is State.FAILED


def test_the_initiator_hears_its_own_ranks_after_the_peer_has_gone() -> None:
    life = lived(begun(INITIATOR), PeerRestarted(NEWER)).life
    assert lived(life, *all_done(OURS)).actions[0] == Release(BLOCKS)


def test_another_plan_is_not_followed_and_the_peer_is_told() -> None:
    waiting = lived(new_life(INITIATOR), Submitted(), Granted(BLOCKS)).life
    last = lived(waiting, Disagreed("announcement of prefill: blocks: 9 of them"))
    assert kinds(last)[:3] == [GiveBack, TellPeer, TellUser]


# ------------------------------------------------------------------- whatever comes

INCARNATIONS = st.sampled_from((OURS, THEIRS, NEWER))
ANY_PAIR = st.sampled_from((*PAIRS, Pair(1, 0)))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from((Submitted(), Granted(BLOCKS), Cancelled(), Clock(), Finished(), Disagreed("no"))),
    st.builds(PeerReady, INCARNATIONS),
    st.builds(PeerRestarted, INCARNATIONS),
    st.builds(Posted, ANY_PAIR, INCARNATIONS),
    st.builds(Done, ANY_PAIR, st.integers(0, 2), st.sampled_from((*LAYERS, Piece(0, 0))), INCARNATIONS),
    st.builds(Noticed, ANY_PAIR, INCARNATIONS),
    st.builds(RankFailed, ANY_PAIR, st.just("no"), st.booleans(), INCARNATIONS),
    st.builds(Stopped, st.frozensets(ANY_PAIR), INCARNATIONS),
    st.builds(PeerEnded, st.sampled_from(State), st.just("no")),
    st.builds(PeerLost, st.sampled_from(Side), st.integers(0, 2)),
)


@given(st.booleans(), st.booleans(), st.lists(st.tuples(EVENTS, st.integers(0, 250)), max_size=25))
def test_whatever_comes_in_whatever_order_never_raises(
    posts: bool,  # noqa: FBT001  drawn
    early: bool,  # noqa: FBT001  drawn
    events: list[tuple[Event, int]],
) -> None:
    wanted = replace(TARGET, posts=posts)
    life, told, now_ns = new_life(wanted) if early else begun(wanted), 0, 0
    for event, waited_ns in events:
        now_ns += waited_ns
        before, (life, actions, refused) = life, step(life, event, now_ns)
        told += sum(isinstance(action, TellUser) for action in actions)
        assert told == (life.state not in UNDER_WAY)
        assert not refused or life.state == before.state or life.outcome is State.FAILED
        assert (life.state is State.IN_DOUBT) == (life.outcome is not None and bool(life.tally.writing))
        assert life.request.agreed is AGREED
