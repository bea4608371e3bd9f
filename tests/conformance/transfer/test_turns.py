"""What waits: by turns in one process, to a deadline in a worker; what a transport raises is data."""

from __future__ import annotations

import pytest

from conformance.transfer.turns import MAX_TURNS, Late, acting, by_turns, to_the_end
from suite.errors import PeerLost


class Some:
    def __init__(self):
        self.seen = []

    def value(self, number):
        return number + 1

    def waits(self, turns):
        told = {"turns": 0, "late": False}
        try:
            for _ in range(turns):
                self.seen.append(turns)
                told["turns"] += 1
                yield False
        except Late:
            told["late"] = True
        return told

    def deaf(self):
        while True:
            yield False

    def lost(self):
        raise PeerLost("peer-lost", "gone", "start it")

    def broken(self):
        raise IndexError("no such row")


def test_answers_and_refusals():
    assert by_turns({"a": acting(Some(), "value", {"number": 1})}) == {"a": {"ok": 2}}
    assert by_turns({"a": acting(Some(), "lost", {})})["a"] == {
        "refused": "peer-lost",
        "message": "gone\nstart it",
        "kind": "PeerLost",
    }
    assert by_turns({"a": acting(Some(), "broken", {})})["a"]["kind"] == "IndexError"


def test_sides_take_turns():
    one = Some()
    answers = by_turns({"a": acting(one, "waits", {"turns": 2}), "b": acting(one, "waits", {"turns": 3})})
    assert one.seen == [2, 3, 2, 3, 3]
    assert answers["b"] == {"ok": {"turns": 3, "late": False}}


@pytest.mark.parametrize("drive", [lambda one: by_turns({"a": one})["a"], lambda one: to_the_end(one, 0.01)])
def test_what_has_no_end_is_ended(drive):
    told = drive(acting(Some(), "waits", {"turns": 1 << 60}))
    assert told["ok"]["late"]
    assert told["ok"]["turns"] <= MAX_TURNS or told["ok"]["turns"] > 0
    assert drive(acting(Some(), "deaf", {}))["refused"] == "late"
