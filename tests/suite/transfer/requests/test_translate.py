"""Actions become messages and messages become events; an announcement must match the plan to the row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from suite.transfer.requests.actions import Announce, Report, TellPeer
from suite.transfer.requests.consensus import Pair
from suite.transfer.requests.events import Disagreed, Done, PeerEnded, PeerReady, Posted, RankFailed, Stopped
from suite.transfer.requests.messages import (
    MAX_REASON,
    Announcement,
    CancelSays,
    PairOf,
    PieceOf,
    PostedSays,
    ShareOf,
    StoppedSays,
)
from suite.transfer.requests.request import Side, State
from suite.transfer.requests.translate import answers_for_unknown, body_of, event_of
from tests.suite.transfer.requests.conftest import LAYERS, OURS, PAIRS, THEIRS, request

if TYPE_CHECKING:
    from suite.transfer.requests.events import FromPeer
    from suite.transfer.requests.translate import Said

WRITERS = frozenset(PAIRS)
PREFILL = request(side=Side.PREFILL, posts=True)
POOL = 8


def heard(body: Said) -> FromPeer:
    return event_of(body, THEIRS, PREFILL, POOL)


@pytest.mark.parametrize(
    "event",
    [
        Posted(PAIRS[0], THEIRS),
        Done(PAIRS[1], 1, LAYERS[1], THEIRS),
        RankFailed(PAIRS[0], "no route", stopped=True, incarnation=THEIRS),
        Stopped(WRITERS, THEIRS),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_our_ranks_say_is_what_the_peer_hears(event: Any) -> None:
    assert heard(body_of(request(), Report(event, OURS))) == event


@pytest.mark.parametrize("outcome", [State.FAILED, State.CANCELLED])
def test_an_end_is_told_with_its_outcome_and_whose_proof_is_wanted(outcome: State) -> None:
    body = body_of(request(), TellPeer(outcome, "no more", WRITERS, OURS))
    assert heard(body) == PeerEnded(outcome, "no more")
    assert isinstance(body, CancelSays)
    assert [Pair(pair.prefill, pair.decode) for pair in body.unproven] == list(PAIRS)


def test_a_foreign_reason_is_made_one_short_printable_line() -> None:
    body = body_of(request(), TellPeer(State.FAILED, "\x1b[2J\n\u202e" * 400, WRITERS, OURS))
    assert isinstance(body, CancelSays)
    assert body.reason.startswith(r"\x1b[2J\n\u202e")
    assert len(body.reason) <= MAX_REASON


def announcement(**changes: Any) -> Announcement:
    """Return what decode announces for three blocks and the plan of `conftest`."""
    pieces = [PieceOf(nbytes=piece.nbytes, rows=piece.rows) for piece in LAYERS]
    shares = [ShareOf(pair=PairOf(prefill=pair.prefill, decode=pair.decode), pieces=pieces) for pair in PAIRS]
    return Announcement(**({"request": "r1", "blocks": [7, 0, 4], "shares": shares} | changes))


def test_an_announcement_that_matches_the_plan_is_followed() -> None:
    assert heard(announcement()) == PeerReady(THEIRS)
    assert heard(body_of(request(), Announce((7, 0, 4), THEIRS))) == PeerReady(THEIRS)


def share(*sizes: tuple[int, int], prefill: int = 0, decode: int = 0) -> ShareOf:
    pieces = [PieceOf(nbytes=nbytes, rows=rows) for nbytes, rows in sizes]
    return ShareOf(pair=PairOf(prefill=prefill, decode=decode), pieces=pieces)


GOOD = share((64, 4), (32, 2), prefill=1, decode=1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"blocks": [7, 0]}, "blocks: 2 of them; the plan has 3"),
        ({"blocks": [7, 0, 8]}, "blocks: 8 in a pool of 8"),
        ({"blocks": [7, 0, 7]}, "blocks: one is there twice"),
        ({"shares": [GOOD]}, "shares: prefill rank 0 to decode rank 0 is only in one of announcement and plan"),
        ({"shares": [GOOD, GOOD]}, "shares: a pair is there twice"),
        (
            {"shares": [GOOD, share((64, 4), (32, 2), decode=1)]},
            "shares: prefill rank 0 to decode rank 0 is only in one of announcement and plan",
        ),
        (
            {"shares": [GOOD, share((64, 4), (33, 2))]},
            "shares: prefill rank 0 to decode rank 0, piece 1: 33 bytes; the plan has 32",
        ),
        (
            {"shares": [GOOD, share((64, 4), (32, 1))]},
            "shares: prefill rank 0 to decode rank 0, piece 1: 1 rows; the plan has 2",
        ),
        (
            {"shares": [GOOD, share((64, 4))]},
            "shares: prefill rank 0 to decode rank 0: 1 pieces; the plan has 2",
        ),
    ],
)
def test_another_plan_is_named_by_peer_and_field(changes: dict[str, Any], why: str) -> None:
    assert heard(announcement(**changes)) == Disagreed(f"announcement of decode: {why}")


def test_who_does_not_know_a_request_says_that_nothing_of_it_writes() -> None:
    cancel = body_of(request(), TellPeer(State.FAILED, "no more", WRITERS, OURS))
    assert isinstance(cancel, CancelSays)
    (answer,) = answers_for_unknown(cancel)
    assert heard(answer) == Stopped(WRITERS, THEIRS)
    refusal, proof = answers_for_unknown(announcement())
    assert heard(refusal) == PeerEnded(State.FAILED, "the request is not known here")
    assert heard(proof) == Stopped(WRITERS, THEIRS)
    posted = PostedSays(request="r1", pair=PairOf(prefill=0, decode=0))
    assert not answers_for_unknown(posted)
    assert not answers_for_unknown(StoppedSays(request="r1", pairs=[posted.pair]))
