"""Transfers that go one after the other, with parts whose end is in the test's hands."""

from __future__ import annotations

import numpy as np
import pytest

from suite.errors import TransferFailed, Unsupported
from suite.kv.plan import Plan
from suite.transfer.serving.lane import InTurn, Lane, parts_of
from suite.transports.base import State


class Part:
    """A transfer that is done, or fails, when it is told."""

    posted_descriptors = 1

    def __init__(self, log, name, ends=None):
        self.log, self.name, self.state = log, name, State.PENDING
        self.fails = ends == "fails"

    def post(self):
        self.log.append(f"post {self.name}")
        return self.poll()

    def poll(self):
        if self.fails:
            raise TransferFailed("broken", f"{self.name} has failed")
        return self.state

    def finish(self):
        self.log.append(f"finish {self.name}")

    def release(self):
        self.log.append(f"release {self.name}")


def test_parts_and_transfers_wait_for_the_one_before():
    lane, log = Lane(), []
    a, b, c = (Part(log, name) for name in "abc")
    first, second = InTurn(lane, [a, b]), InTurn(lane, [c])
    assert first.post() is second.post() is State.PENDING
    assert log == ["post a"]
    a.state = State.DONE
    assert second.poll() is State.PENDING  # whoever asks drives all
    assert log == ["post a", "finish a", "post b"]
    b.state = c.state = State.DONE
    assert second.poll() is State.DONE
    assert first.poll() is State.DONE
    assert log[3:] == ["finish b", "post c", "finish c"]
    first.release()
    assert log[6:] == ["release a", "release b"]


def test_a_failure_is_its_owners_and_the_next_one_goes_on():
    lane, log = Lane(), []
    first, second = InTurn(lane, [Part(log, "a", "fails"), Part(log, "b")]), InTurn(lane, [Part(log, "c")])
    with pytest.raises(TransferFailed, match="a has failed"):
        first.post()
    assert second.post() is State.PENDING
    assert log == ["post a", "post c"]
    with pytest.raises(TransferFailed, match="a has failed"):
        first.poll()
    first.release()
    assert sorted(log[2:]) == ["release a", "release b"]


def test_one_that_is_let_go_ends_its_part_before_the_next_begins():
    lane, log = Lane(), []
    a = Part(log, "a")
    first, second = InTurn(lane, [a, Part(log, "b")]), InTurn(lane, [Part(log, "c")])
    first.post()
    second.post()
    first.release()
    assert log == ["post a", "release b"]
    second.poll()
    assert log == ["post a", "release b"]
    a.state = State.DONE
    second.poll()
    assert log[2:] == ["finish a", "release a", "post c"]


def test_one_that_was_never_posted_is_only_released():
    log = []
    InTurn(Lane(), [Part(log, "a"), Part(log, "b")]).release()
    assert sorted(log) == ["release a", "release b"]


def plan_of(rows):
    table = np.arange(3 * rows, dtype=np.uint64).reshape(rows, 3)
    return Plan(table, table, 1, 1, 1)


def test_what_is_too_much_is_halved_until_it_fits_and_nothing_is_lost():
    def prepare(plan):
        if len(plan) > 3:
            raise Unsupported("batch-would-hang", "too many")
        return plan

    parts = parts_of(plan_of(10), prepare)
    assert [len(part) for part in parts] == [2, 3, 2, 3]
    assert np.array_equal(np.concatenate([part.source for part in parts]), plan_of(10).source)


@pytest.mark.parametrize(("code", "rows"), [("unsupported", 10), ("too-many-descriptors", 1)])
def test_what_no_halving_mends_is_refused(code, rows):
    def prepare(_plan):
        raise Unsupported(code, "no")

    with pytest.raises(Unsupported, match="no"):
        parts_of(plan_of(rows), prepare)
