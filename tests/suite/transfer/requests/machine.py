"""The state machine: hypothesis chooses what happens to several requests at once, and `world` says what must hold."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from suite.transfer.requests.consensus import Pair, Piece
from suite.transfer.requests.request import Side
from tests.suite.transfer.requests import checks
from tests.suite.transfer.requests.parts import RANKS, Wanted
from tests.suite.transfer.requests.world import World

BLOCKS = 4
CRASHES = RESTARTS = 2  # in one example; more, and nothing else would happen
PICK = st.integers(0, 11)
RANK = st.integers(0, RANKS - 1)
NEEDS = st.sampled_from((1, 1, 1, 1, 2, 2, 3, BLOCKS + 1))
PIECES = st.lists(st.builds(Piece, st.integers(1, 99), st.integers(1, 9)), min_size=1, max_size=2).map(tuple)
AGREED = st.dictionaries(st.builds(Pair, RANK, RANK), PIECES, max_size=3)
WANTED = st.builds(Wanted, AGREED, st.booleans(), NEEDS, NEEDS, st.booleans())
WORK = st.integers(0, 3000)  # what goes on before a rule strikes, see `World.work`


class TransferMachine(RuleBasedStateMachine):
    """Some requests between two servers; see `World` for what each rule does."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(BLOCKS)
        self.crashes = self.restarts = 0

    @initialize(wanted=st.lists(WANTED, min_size=1, max_size=3))
    def begin(self, wanted: list[Wanted]) -> None:
        for one in wanted:
            self.world.submit(one)

    @rule(first=WORK, wanted=WANTED)
    def submit(self, first: int, wanted: Wanted) -> None:
        self.world.work(first)
        self.world.submit(wanted)

    @rule(first=WORK, pick=PICK)
    def land_short(self, first: int, pick: int) -> None:
        self.world.work(first)
        if self.world.wire_is_used():
            self.world.land(pick, short=True)

    @rule(first=WORK, pick=PICK, honest=st.booleans())
    def break_share(self, first: int, pick: int, *, honest: bool) -> None:
        self.world.work(first)
        if self.world.wire_is_used():
            self.world.break_share(pick, honest=honest)

    @precondition(lambda self: self.world.known())
    @rule(first=WORK, pick=PICK)
    def cancel(self, first: int, pick: int) -> None:
        self.world.work(first)
        self.world.cancel(pick)

    @precondition(lambda self: self.world.known())
    @rule(first=WORK, pick=PICK)
    def finish(self, first: int, pick: int) -> None:
        self.world.work(first)
        self.world.finish(pick)

    @rule(first=WORK, ns=st.sampled_from((1, 25)))
    def tick(self, first: int, ns: int) -> None:
        self.world.work(first)
        self.world.tick(ns)

    @precondition(lambda self: self.crashes < CRASHES)
    @rule(first=WORK, side=st.sampled_from(Side), rank=RANK, peer_hears=st.booleans())
    def crash(self, first: int, side: Side, rank: int, *, peer_hears: bool) -> None:
        self.crashes += 1
        self.world.work(first)
        self.world.crash(side, rank, peer_hears=peer_hears)

    @precondition(lambda self: self.restarts < RESTARTS)
    @rule(first=WORK, side=st.sampled_from(Side))
    def restart(self, first: int, side: Side) -> None:
        self.restarts += 1
        self.world.work(first)
        self.world.restart(side)

    @rule(first=WORK)
    def prove(self, first: int) -> None:
        self.world.work(first)
        self.world.prove()

    @precondition(lambda self: self.world.history)
    @rule(first=WORK, pick=PICK)
    def replay(self, first: int, pick: int) -> None:
        self.world.replay(pick)
        self.world.work(first)

    @invariant()
    def holds(self) -> None:
        checks.check(self.world)

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:  # what broke is what is to be told, not what follows from it
            self.world.settle()


def run(examples: int, steps: int, number: int | None = None) -> None:
    """Run the machine; raises what it finds, as it was found. A `number` stands for other examples."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=number is None,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=tuple(HealthCheck),
    )
    machine = type("Numbered", (TransferMachine,), {})
    run_state_machine_as_test(machine if number is None else seed(number)(machine), settings=chosen)


def scripts(examples: int, steps: int, number: int) -> list[list[tuple[Any, ...]]]:
    """Return what came from outside in each example, see `World.script`: real workers can be put through the same."""
    found: list[list[tuple[Any, ...]]] = []
    real_settle = World.settle

    def settle(world: World) -> None:
        found.append(list(world.script))
        real_settle(world)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "settle", settle)
        run(examples, steps, number)
    return found
