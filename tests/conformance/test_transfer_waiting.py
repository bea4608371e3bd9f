"""What conformance of transfers waits for has an end: sides by turns, and threads by rounds."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.transfer import turns
from conformance.transfer.threads import Threads
from conformance.transfer.usage import usage
from suite.errors import BadInput
from suite.transports.base import State

if TYPE_CHECKING:
    from collections.abc import Generator


class Sleeper:
    """A side that has no end, and takes a while in each turn."""

    def __init__(self) -> None:
        self.turns = 0

    def wait(self) -> Generator[bool, None, dict[str, Any]]:
        while True:
            self.turns += 1
            time.sleep(0.01)
            yield False

    def answer(self) -> str:
        return "at once"


def test_who_sleeps_in_each_turn_is_ended_long_before_its_turns_are_over() -> None:
    side: Any = Sleeper()
    questions = {"initiator": turns.acting(side, "wait", {}), "target": turns.acting(side, "answer", {})}
    told = turns.by_turns(questions, 0.05)
    assert told["target"] == {"ok": "at once"}
    assert told["initiator"]["refused"] == "late"
    assert side.turns < turns.MAX_TURNS / 10


class Told:
    """A transfer that writes down what is asked of it, and is done at the second poll."""

    posted_descriptors = 1

    def __init__(self, log: list[str]) -> None:
        self.log, self.polls = log, 0

    def post(self) -> State:
        self.log.append("post")
        return State.PENDING

    def poll(self) -> State:
        self.log.append("poll")
        self.polls += 1
        return State.DONE if self.polls > 1 else State.PENDING

    def finish(self) -> None:
        self.log.append("finish")

    def cancel(self) -> State:
        raise NotImplementedError  # the questions asked here never cancel

    def release(self) -> None:
        self.log.append("release")


def end_of(threads: Threads) -> None:
    for _ in range(10_000):
        if not threads.busy():
            break
    else:
        pytest.fail("a thread has no end")
    threads.end()


def test_all_threads_have_posted_before_any_asks() -> None:
    log: list[str] = []
    threads = Threads(3)
    for _ in range(3):
        threads.start([lambda: Told(log)])
    end_of(threads)
    assert log[:3] == ["post"] * 3
    assert sorted(log) == ["finish"] * 3 + ["poll"] * 6 + ["post"] * 3 + ["release"] * 3


def test_the_error_of_one_thread_ends_the_others_and_is_the_one_that_is_told() -> None:
    def refuses() -> Told:
        raise BadInput("no", "this one is refused")

    threads = Threads(2)
    threads.start([lambda: Told([])])
    threads.start([refuses])
    with pytest.raises(BadInput, match="this one is refused"):
        end_of(threads)


def test_a_thread_whose_transfer_is_never_done_stops_when_all_give_up() -> None:
    class Never(Told):
        def poll(self) -> State:
            return State.PENDING

    threads = Threads(1)
    threads.start([lambda: Never([])])
    assert threads.busy()
    threads.give_up()
    end_of(threads)


def test_what_is_held_is_counted_and_what_is_free_is_not() -> None:
    before = usage()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    blocks = [np.ones(32 << 10, np.uint8) for _ in range(2000)]
    held = usage()
    os.close(descriptor)
    assert held["descriptors"] == before["descriptors"] + 1
    assert held["bytes"] - before["bytes"] > 56 << 20
    blocks = blocks[::50]  # the heap cannot shrink below the last of them by itself
    assert usage()["bytes"] - before["bytes"] < 16 << 20
    assert blocks[-1][-1] == 1
