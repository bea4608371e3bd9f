"""A server and a peer that is not what it should be: each thing is refused by name, and the server goes on."""

from __future__ import annotations

import json
import re
import socket
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.transfer.requests.inbox import Outbox
from suite.transfer.requests.ledger import Ledger
from suite.transfer.requests.messages import (
    MAX_MESSAGE,
    Announcement,
    Body,
    CancelSays,
    DoneSays,
    Hello,
    PairOf,
    PieceOf,
    ShareOf,
)
from suite.transfer.requests.request import Patience, Request, State
from suite.transfer.serving import link
from suite.transfer.serving.link import Link
from suite.transfer.serving.rooms import Rooms
from suite.transfer.serving.server import Server, roles_of, side_of
from suite.transfer.serving.shares import agreed
from suite.transfer.task import SIDES
from tests.suite.transfer.servers.test_image import WINDOWS, side, task_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from suite.transfer.task import SideName, Task

TOKEN, OTHER_TOKEN = "7" * 32, "8" * 32
OURS, OLDER, THEIRS = "0" * 31 + "1", "0" * 31 + "1", "0" * 31 + "2"
PATIENCE = Patience(waiting_ns=10**9, allocated_ns=10**9, transferring_ns=10**9)
TASK = replace(task_of(WINDOWS, prefill=side(tp=2), decode=side(dp=2), requests=4), batch=2)


class SilentRanks:
    """Ranks that take every order and have nothing to tell: what a peer can do is seen before any byte moves."""

    def __init__(self, task: Task, name: SideName) -> None:
        self.roles = roles_of(task, name)
        self.orders: list[dict[str, Any]] = []

    def send(self, phase: str, arguments: Mapping[str, Mapping[str, Any]]) -> None:
        assert phase == "turn"
        for told in arguments.values():
            self.orders += told["orders"]

    def collect(self, phase: str, wait_s: float) -> dict[str, list[Any]]:
        assert (phase, wait_s) == ("turn", 0)
        return {role: [] for role in self.roles}

    def tables(self, request: int) -> list[dict[str, Any]]:
        """Return the block tables that the ranks were to post with."""
        return [order["tables"] for order in self.orders if order["do"] == "post" and order["request"] == request]


class Stage:
    """A server in a push, with a bare socket and an outbox at the other end."""

    def __init__(self, name: SideName = "prefill", task: Task = TASK) -> None:
        self.task, self.other = task, SIDES[1 - SIDES.index(name)]
        ours, self.peer = socket.socketpair()
        self.ranks = SilentRanks(task, name)
        self.link = Link(ours, self.other)
        self.server = Server(task, name, Ledger(Rooms(task, name).pool(1)), TOKEN, OURS)
        self.server.attach(self.ranks, self.link)
        self.rooms = Rooms(task, self.other)
        self.pool = self.rooms.pool(2)
        self.outbox = Outbox(self.other, THEIRS, TOKEN)
        self.now = 0

    def close(self) -> None:
        self.link.close()
        self.peer.close()

    def submit(self, *numbers: int) -> None:
        name = self.server.side
        for number in numbers:
            need, theirs = Rooms(self.task, name).need(number), sum(self.rooms.need(number))
            posts, shares = name == "prefill", agreed(self.task, number, 0)
            request = Request(f"r{number}", side_of(name), posts, OURS, need, theirs, shares, PATIENCE)
            self.server.submit(request, self.now)

    def sealed(self, body: Body, to: str | None = OURS) -> bytes:
        self.outbox, data = self.outbox.seal(body, to)
        return data

    def hears(self, *messages: bytes) -> list[str]:
        """Return what the server refuses of these messages."""
        before = len(self.server.refusals)
        for data in messages:
            self.sends(struct.pack(">I", len(data)) + data)
        self.turn()
        return self.server.refusals[before:]

    def sends(self, data: bytes) -> None:
        """Send raw bytes; the server takes turns while they do not fit into the socket."""
        self.peer.settimeout(0)
        while data:
            try:
                data = data[self.peer.send(data) :]
            except BlockingIOError:
                self.turn()

    def turn(self) -> None:
        self.now += 1
        self.server.begin_turn(self.now, 0)
        self.server.end_turn(self.now, 0)

    def greets(self) -> None:
        to = None if self.other == "decode" else OURS
        ranks = self.task.side(self.other).parallel.size
        assert self.hears(self.sealed(Hello(ranks=ranks, pool_blocks=self.rooms_size()), to)) == []

    def rooms_size(self) -> int:
        return sum(self.rooms.kinds)

    def blocks(self, number: int) -> list[int]:
        """Return blocks that the peer could give a request: the first ones of each pool that it needs."""
        found, start = [], 0
        for kind, count in zip(self.rooms.kinds, self.rooms.need(number), strict=True):
            found += range(start, start + count)
            start += kind
        return found

    def announcement(self, number: int, **changes: Any) -> Announcement:
        shares = [
            ShareOf(
                pair=PairOf(prefill=pair.prefill, decode=pair.decode),
                pieces=[PieceOf(nbytes=piece.nbytes, rows=piece.rows) for piece in pieces],
            )
            for pair, pieces in agreed(self.task, number, 0).items()
        ]
        return Announcement(**{"request": f"r{number}", "blocks": self.blocks(number), "shares": shares} | changes)

    def life(self, number: int) -> Any:
        return self.server.life(f"r{number}")

    def works(self, number: int) -> None:
        """Check that the server goes on: a right announcement for another request is followed."""
        refused = self.hears(self.sealed(self.announcement(number)))
        assert refused == []
        assert self.life(number).state is State.TRANSFERRING
        self.turn()
        [first, *more] = self.ranks.tables(number)
        assert first["decode"] == self.rooms.table(number, self.blocks(number))
        assert all(table == first for table in more)


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


@pytest.fixture
def target() -> Iterator[Stage]:
    """Decode in a push: it announces, and prefill is the peer that lies."""
    made = Stage("decode")
    yield made
    made.close()


def test_the_peer_of_this_test_is_heard_when_it_does_nothing_wrong(stage: Stage) -> None:
    stage.greets()
    stage.submit(0, 1)
    stage.works(0)
    stage.works(1)
    assert stage.server.refusals == []


def tampered(data: bytes, **fields: Any) -> bytes:
    return json.dumps(json.loads(data) | fields).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: tampered(data, token=OTHER_TOKEN), "token: not of this run"),
        (lambda data: tampered(data, sender="prefill"), "sender: signed by prefill"),
        (lambda data: tampered(data, to=THEIRS), f"to: meant for incarnation {THEIRS}; this is {OURS}"),
        (lambda data: tampered(data, to=None), f"to: meant for incarnation None; this is {OURS}"),
        (lambda data: tampered(data, incarnation="f" * 32), f"incarnation: {'f' * 32}; the session is with {THEIRS}"),
        (lambda data: tampered(data, sequence=7), "sequence: 7; 1 is next"),
        (lambda data: tampered(data, extra=1), "extra: Extra inputs are not permitted"),
        (lambda data: data[:-1], "message: Invalid JSON"),
        (lambda _: b"\x80\x04\x95pickle", "message: Invalid JSON"),
    ],
    ids=["token", "sender", "to another", "to nobody", "incarnation", "sequence", "field", "cut", "pickle"],
)
def test_a_message_that_is_not_the_next_of_this_peer_is_refused(
    stage: Stage, change: Callable[[bytes], bytes], said: str
) -> None:
    stage.greets()
    stage.submit(0)
    right = stage.sealed(stage.announcement(0))
    [refusal] = stage.hears(change(right))
    assert refusal.startswith(f"message of 'decode': {said}")
    assert TOKEN not in refusal
    assert stage.life(0).peer is None
    assert stage.ranks.tables(0) == []
    assert stage.hears(right) == []  # and the right one is still heard
    assert stage.life(0).state is State.TRANSFERRING


def test_who_has_not_greeted_is_not_heard(stage: Stage) -> None:
    stage.submit(0)
    [refusal] = stage.hears(stage.sealed(stage.announcement(0)))
    assert refusal == f"message of 'decode': incarnation: {THEIRS}; nobody has greeted yet"


def test_a_message_is_heard_once(stage: Stage) -> None:
    stage.greets()
    stage.submit(0, 1)
    right = stage.sealed(stage.announcement(0))
    [refusal] = stage.hears(right, right)
    assert refusal == "message of 'decode': sequence: 1; 2 is next"
    stage.works(1)


def test_an_old_hello_is_not_taken_again(stage: Stage) -> None:
    hello = Hello(ranks=2, pool_blocks=stage.rooms_size())
    stage.greets()
    [refusal] = stage.hears(Outbox("decode", OLDER, TOKEN).seal(hello, None)[1])
    assert refusal == f"message of 'decode': incarnation: {OLDER} greets, but {THEIRS} has already"
    stage.submit(0)
    stage.works(0)


@pytest.mark.parametrize(("ranks", "more"), [(3, 0), (2, 1), (2, 1000), (1, -1)])
def test_a_hello_of_another_task_is_no_hello(stage: Stage, ranks: int, more: int) -> None:
    blocks = stage.rooms_size()
    hello = Hello(ranks=ranks, pool_blocks=blocks + more)
    [refusal] = stage.hears(Outbox("decode", OLDER, TOKEN).seal(hello, None)[1])
    told = f"{ranks} ranks and {blocks + more} blocks; the task has 2 and {blocks}"
    assert refusal == f"message of 'decode': hello: {told}"
    stage.greets()  # who comes with the right one is heard
    stage.submit(0)
    stage.works(0)


def of_another_pool(stage: Stage) -> list[int]:
    """Return blocks of which the last is one of the other DP group's."""
    return [*stage.blocks(0)[:-1], stage.blocks(1)[-1]]


def of_another_group(stage: Stage) -> list[int]:
    """Return the right blocks, but those of the two layer groups the wrong way round."""
    return stage.blocks(0)[::-1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (of_another_pool, r"blocks: \d+ is not of pool 1, which has \d+ to \d+"),
        (of_another_group, r"blocks: \d+ is not of pool 0, which has 0 to \d+"),
        (lambda stage: [*stage.blocks(0), 0], r"blocks: \d+ of them; the plan has \d+"),
        (lambda stage: list(range(50_000)) + stage.blocks(0), r"blocks: 500\d\d of them; the plan has \d+"),
        (lambda stage: stage.blocks(0)[1:], r"blocks: \d+ of them; the plan has \d+"),
        (lambda stage: [stage.blocks(0)[1], *stage.blocks(0)[1:]], "blocks: one is there twice"),
        (lambda stage: [*stage.blocks(0)[1:], stage.rooms_size()], r"blocks: \d+ in a pool of \d+"),
        (lambda stage: [*stage.blocks(0)[1:], (1 << 31) - 1], r"blocks: 2147483647 in a pool of \d+"),
    ],
    ids=["other pool", "other group", "too many", "far too many", "too few", "twice", "behind", "far behind"],
)
def test_an_announcement_of_other_blocks_ends_the_request(
    stage: Stage, wrong: Callable[[Stage], list[int]], said: str
) -> None:
    stage.greets()
    stage.submit(0, 1)
    stage.hears(stage.sealed(stage.announcement(0, blocks=wrong(stage))))
    ended_with(stage, said)


@pytest.mark.parametrize(
    ("field", "add", "said"),
    [
        ("nbytes", 1, r"shares: prefill rank \d to decode rank 0, piece 0: \d+ bytes; the plan has \d+"),
        ("nbytes", 1 << 40, r"shares: prefill rank \d to decode rank 0, piece 0: \d+ bytes; the plan has \d+"),
        ("rows", -1, r"shares: prefill rank \d to decode rank 0, piece 0: \d+ rows; the plan has \d+"),
    ],
)
def test_an_announcement_of_other_bytes_or_rows_ends_the_request(stage: Stage, field: str, add: int, said: str) -> None:
    stage.greets()
    stage.submit(0, 1)
    told = stage.announcement(0).model_dump()
    told["shares"][-1]["pieces"][0][field] += add
    stage.hears(stage.sealed(Announcement.model_validate(told)))
    ended_with(stage, said)


def test_an_announcement_of_other_ranks_ends_the_request(stage: Stage) -> None:
    stage.greets()
    stage.submit(0, 1)
    stage.hears(stage.sealed(stage.announcement(0, shares=stage.announcement(1).shares)))
    ended_with(stage, r"shares: prefill rank 0 to decode rank 0 is only in one of announcement and plan")


def ended_with(stage: Stage, said: str) -> None:
    """Request 0 has failed with a reason that names the peer, nothing is posted for it, and request 1 goes on."""
    note = stage.server.notes["r0"]
    assert note.outcome is State.FAILED
    assert re.fullmatch(f"announcement of decode: {said}", note.reason), note.reason
    assert stage.life(0).blocks == ()
    assert stage.ranks.tables(0) == []
    stage.works(1)


def test_a_second_announcement_is_refused_and_does_not_change_the_first(stage: Stage) -> None:
    """Request 2 waits for blocks of ours; what it is posted with is what was first announced."""
    stage.greets()
    stage.submit(0, 1, 2, 3)
    waiting = next(number for number in range(4) if stage.life(number).state is State.WAITING)
    first = stage.blocks(waiting)
    assert stage.hears(stage.sealed(stage.announcement(waiting, blocks=first))) == []
    second = [first[1], first[0], *first[2:]]
    [refusal] = stage.hears(stage.sealed(stage.announcement(waiting, blocks=second)))
    assert refusal == f"message of 'decode': request 'r{waiting}' (waiting for blocks): decode is ready"
    for number in range(waiting):
        stage.hears(stage.sealed(CancelSays(request=f"r{number}", outcome="cancelled", reason="", unproven=[])))
    stage.turn()
    tables = stage.ranks.tables(waiting)
    assert tables
    assert all(table["decode"] == stage.rooms.table(waiting, first) for table in tables)


def test_a_request_that_is_not_known_is_said_to_be_so(stage: Stage) -> None:
    stage.greets()
    stage.submit(1)
    [refusal] = stage.hears(stage.sealed(stage.announcement(0)))
    assert refusal == "message of 'decode': announcement for request 'r0', which is not known here"
    stage.works(1)


@pytest.mark.parametrize(
    ("index", "nbytes", "rows", "said"),
    [
        (0, 1, 0, r"prefill rank 0 to decode rank 0, piece 0: \d+ bytes; the plan has \d+"),
        (0, 0, 1, r"prefill rank 0 to decode rank 0, piece 0: \d+ rows; the plan has \d+"),
        (9, 0, 0, r"prefill rank 0 to decode rank 0: piece 9 of 1"),
    ],
)
def test_who_says_that_other_bytes_were_moved_ends_the_request(
    target: Stage, index: int, nbytes: int, rows: int, said: str
) -> None:
    target.greets()
    target.submit(0)
    [(pair, [piece]), *_] = agreed(TASK, 0, 0).items()
    moved = PieceOf(nbytes=piece.nbytes + nbytes, rows=piece.rows + rows)
    body = DoneSays(request="r0", pair=PairOf(prefill=pair.prefill, decode=pair.decode), index=index, moved=moved)
    [refusal] = target.hears(target.sealed(body))
    note = target.server.notes["r0"]
    assert note.outcome is State.FAILED
    assert re.fullmatch(said, note.reason), note.reason
    assert refusal == f"message of 'prefill': request 'r0' (transferring): {note.reason}"


def test_garbage_on_the_wire_cuts_the_link_and_is_said_once(stage: Stage) -> None:
    stage.greets()
    stage.submit(0)
    stage.sends(b"\xff" * 64)
    for _ in range(3):
        stage.turn()
    why = f"decode announced a message of 4294967295 bytes; 1 to {MAX_MESSAGE} are taken"
    assert stage.server.refusals == [f"nothing more is heard of decode: {why}"]
    stage.now += PATIENCE.allocated_ns
    stage.turn()
    assert stage.server.notes["r0"].outcome is State.FAILED  # the request does not wait for ever


def test_a_peer_that_goes_away_is_said_once(stage: Stage) -> None:
    stage.greets()
    stage.peer.recv(1 << 16)  # the hello; unread, it would make the end a reset
    stage.peer.close()
    stage.turn()
    stage.turn()
    assert stage.server.refusals == ["nothing more is heard of decode: decode has closed the connection"]


def test_refusals_are_bounded_and_say_that_there_were_more(stage: Stage) -> None:
    stage.greets()
    stage.hears(*[b"{}"] * 500)
    found = stage.server.refusals
    assert len(found) == 101
    assert found[0].startswith("message of 'decode': sender: Field required")
    assert found[-1] == "more than 100 were refused; the others are not listed"
    assert max(map(len, found)) < 700
    stage.submit(0)
    stage.hears(stage.sealed(stage.announcement(0)))
    assert stage.life(0).state is State.TRANSFERRING


def test_a_peer_that_asks_and_never_reads_is_cut_off_and_the_server_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_MOST_UNSENT", 1 << 20)  # the true one takes a few hundred messages
    stage.greets()
    pairs = [PairOf(prefill=0, decode=rank) for rank in range(4096)]
    for _ in range(400):  # each is answered with as many pairs
        asked = CancelSays(request="r9", outcome="failed", reason="", unproven=pairs)
        stage.sends(struct.pack(">I", len(data := stage.sealed(asked))) + data)
        stage.turn()
        if stage.link.closed:
            break
    stage.turn()
    assert re.fullmatch(r"decode has left \d+ bytes unread", stage.link.closed)
    assert stage.server.refusals.count(f"nothing more is heard of decode: {stage.link.closed}") == 1
    stage.submit(0)
    stage.now += PATIENCE.allocated_ns
    stage.turn()
    assert stage.server.notes["r0"].outcome is State.FAILED


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
).map(lambda value: json.dumps(value).encode())


@given(st.lists(st.binary(min_size=1, max_size=80) | json_values, min_size=1, max_size=5))
@settings(max_examples=10, deadline=None)
def test_any_messages_are_refused_each_by_the_name_of_the_peer(messages: list[bytes]) -> None:
    made = Stage()
    try:
        made.greets()
        made.submit(0)
        found = made.hears(*messages)
        assert len(found) == len(messages)
        for why in found:
            assert why.startswith("message of 'decode': ")
            assert why.isascii()
            assert why.isprintable()
        made.works(0)
    finally:
        made.close()
