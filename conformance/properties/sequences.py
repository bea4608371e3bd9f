"""Sequences of calls as hypothesis draws them: a state machine whose rules are the steps of a play.

The machine never fails for hypothesis: what is broken goes to the search, which makes it
smaller itself, and the machine goes on with what is not broken yet. What is drawn does not depend
on what came of it, as hypothesis wants it: a rule that makes no sense at its moment does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from conformance.machine.play import SENTENCES, Broken
from conformance.machine.replay import Theatre
from conformance.machine.search import Enough, Search
from conformance.machine.steps import INITIATOR, PEERS, SIZE, Step

if TYPE_CHECKING:
    from collections.abc import Collection

PATIENCE_S = 5.0  # for what must end, of a few KiB
_SECONDS = 15.0  # of sequences, at hypothesis's 100 examples; with more, in proportion
_SMALLER_S = 8.0  # for each break
_EXAMPLES = 100
_STEPS = 40
_KILLS = 2  # of one sequence: a worker takes a second to start
_AT_ONCE = 2  # transfers under way before the next is posted: more of them write the same bytes, which proves nothing
_SLOTS = 16  # of which each row takes one
_SLOT = SIZE // _SLOTS
_SIDES = st.sampled_from((INITIATOR, *PEERS))
_PEERS = st.sampled_from(PEERS)
_SEEDS = st.integers(1, 1000)
_PICKS = st.integers(0, 15)
_LENGTHS = st.sampled_from((8, 64, 1, 250, _SLOT))


def _rows() -> st.SearchStrategy[tuple[tuple[int, int, int], ...]]:
    """Return rows from anywhere, in any order, of which no two go to the same bytes."""

    def row(slot: int, source: int, shift: int, length: int) -> tuple[int, int, int]:
        return min(source, SIZE - length), slot * _SLOT + min(shift, _SLOT - length), length

    one = st.builds(row, st.integers(0, _SLOTS - 1), st.integers(0, SIZE), st.sampled_from((0, 8, 3)), _LENGTHS)
    return st.lists(one, min_size=1, max_size=3, unique_by=lambda found: found[1] // _SLOT).map(tuple)


def searched(
    name: str, sentences: Collection[str] = SENTENCES, seconds: float = _SECONDS, smaller_s: float = _SMALLER_S
) -> Search:
    """Return what a search through sequences has found of a transport; `seconds` are those of 100 examples."""
    base = settings.default or settings()
    examples = base.max_examples
    with Theatre(name, PATIENCE_S) as theatre:
        search = Search(theatre, seconds * max(1.0, examples / _EXAMPLES), smaller_s, sentences)
        if Phase.generate in base.phases:
            ours = settings(
                base,
                phases=[Phase.generate],
                stateful_step_count=_STEPS,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            try:
                run_state_machine_as_test(lambda: Machine(search), settings=ours)  # type: ignore[arg-type]  # documented: anything that returns a machine
            except (Enough, FlakyStrategyDefinition):
                if not search.over:  # the latter says that the last sequence drew nothing: that is how it is ended
                    raise
    return search


class Machine(RuleBasedStateMachine):
    """Two or three workers; one posts, the others are its targets."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self._search, self._play = search, search.begin()
        self.over = False
        self._posted = self._kills = 0

    def _choices(self, verb: str) -> list[Any]:
        model = self._play.model
        if (
            verb == "again"
        ):  # not after its own memory was deregistered: NIXL 1.5.1 dies of that, and little else is seen
            mine = model.sides[INITIATOR].stamp
            numbers = [number for number, one in model.transfers.items() if one.stamps[0] == mine]
            return [number for number in numbers if model.allows(Step(verb, (number,)))]
        if verb in {"wait", "cancel", "release"}:
            return [number for number in model.transfers if model.allows(Step(verb, (number,)))]
        if verb == "post":
            return [(peer, way) for peer in model.peers for way in model.ways if model.can_post(peer, way)]
        return [who for who in model.sides if model.allows(Step(verb, (who,)))]

    def _take(self, verb: str, *arguments: Any) -> None:
        if self.over:
            return
        try:
            self._search.steps += self._play.take(Step(verb, arguments))
        except Broken as broken:
            self._broke(broken)

    def _broke(self, broken: Broken) -> None:
        self.over = True
        self._play.__exit__(Broken, broken, None)
        self._search.broke(tuple(self._play.steps), broken)

    def _chosen(self, verb: str, pick: int) -> Any:
        choices = self._choices(verb)
        return choices[pick % len(choices)] if choices and not self.over else None

    # --- rules ---

    @initialize(wide=st.sampled_from((True, True, False)))
    def begin(self, *, wide: bool) -> None:
        """Begin with what most sequences need."""
        self._bring_up(PEERS if wide else PEERS[:1])

    def _bring_up(self, peers: tuple[str, ...]) -> None:
        for who in (INITIATOR, *peers):
            self._take("open", who, True)  # noqa: FBT003  a step's values have no names
            self._take("register", who)
        for peer in peers:
            self._take("connect", peer)

    @rule(pick=_PICKS, rows=_rows())
    def move(self, pick: int, rows: Any) -> None:
        """Post a new transfer, and wait for it."""
        if number := self._new(pick, rows):
            self._take("wait", number)

    @rule(pick=_PICKS, rows=_rows())
    def post(self, pick: int, rows: Any) -> None:
        """Post a new transfer, and leave it."""
        self._new(pick, rows)

    @rule(pick=_PICKS)
    def wait(self, pick: int) -> None:
        """Wait for one that is under way."""
        if number := self._chosen("wait", pick):
            self._take("wait", number)

    @rule(pick=_PICKS, how=st.sampled_from(("cancel", "cancel", "release")), rows=_rows(), others=st.booleans())
    def stop(self, pick: int, how: str, rows: Any, *, others: bool) -> None:
        """Cancel or release one, a new one if none is under way, and perhaps wait for another."""
        if not self._chosen("wait", pick):
            self._new(pick, rows)
        if number := self._chosen(how, pick):
            self._take(how, number)
        if others and (number := self._chosen("wait", pick)):
            self._take("wait", number)

    @rule(pick=_PICKS, seed=st.none() | _SEEDS, to_the_end=st.booleans())
    def again(self, pick: int, seed: int | None, *, to_the_end: bool) -> None:
        """Post a transfer again that is over, perhaps with other bytes."""
        if number := self._chosen("again", pick):
            if seed is not None:
                self._take("fill", self._play.model.source(self._play.model.transfers[number]), seed)
            self._take("again", number)
            if to_the_end:
                self._take("wait", number)

    @rule(who=_SIDES, seed=_SEEDS)
    def fill(self, who: str, seed: int) -> None:
        """Write all of a region."""
        self._take("fill", who, seed)

    @rule(
        what=st.sampled_from(("deregister", "close", "connect", "close", "kill")),
        pick=_PICKS,
        seed=st.none() | _SEEDS,
        back=st.sampled_from(("no", "new", "same")),
    )
    def disturb(self, what: str, pick: int, seed: int | None, back: str) -> None:
        """Deregister, close, kill, or connect again; what is gone may be back at once, with other bytes, under its own name."""
        if what == "kill" and self._kills == _KILLS:
            what = "close"
        if not (who := self._chosen(what, pick)):
            return
        self._kills += what == "kill"
        self._take(what, who)
        if what == "connect" or back == "no":
            self._post_to(who)
            return
        if seed is not None:
            self._take("fill", who, seed)
        self._take("register", who)
        self._take("open", who, back == "new")
        if what != "deregister" or back == "new":
            for peer in PEERS if who == INITIATOR else (who,):
                self._take("connect", peer)

    @rule(peer=_PEERS, new=st.booleans())
    def recover(self, peer: str, *, new: bool) -> None:
        """Bring up what is down, and connect: sequences are to go on."""
        self._take("open", peer, new)
        self._bring_up((peer,))

    def _post_to(self, who: str) -> None:
        """Post to one that is gone: nobody knows yet."""
        for number in self._choices("again"):
            if self._play.model.transfers[number].peer == who:
                self._take("again", number)
                return

    def _new(self, pick: int, rows: Any) -> int:
        """Post a new transfer, after the end of the oldest where many are under way; return its number, 0 if it cannot be."""
        model = self._play.model
        under_way = [number for number, one in model.transfers.items() if one.state == "active"]
        if len(under_way) >= _AT_ONCE:
            self._take("wait", under_way[0])
        if not (chosen := self._chosen("post", pick)):
            return 0
        self._posted += 1
        self._take("post", self._posted, *chosen, rows)
        return self._posted

    def teardown(self) -> None:
        """Compare everything, try a new pair, close."""
        if self.over:
            return
        try:
            self._play.end()
            self._play.__exit__(None, None, None)
        except Broken as broken:
            self._broke(broken)
