"""Steps carried out by workers and, at once, by the model: where the two differ, a sentence is broken."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from conformance.machine.letters import Letters
from conformance.machine.model import Model
from conformance.machine.steps import INITIATOR, PEERS, SIZE, Step, of_json
from conformance.transfer.crew import Died
from conformance.transfer.place import GUARD, content, span
from suite.transports.base import Op

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from types import TracebackType

    from conformance.machine.model import Rows, Transfer
    from conformance.machine.workers import Workers
    from suite.transports.base import Traits

BYTES, NEW_PAIR, ENDS, TOLD, REFUSED = (f"XFER-80{number}" for number in range(1, 6))
SENTENCES = (BYTES, NEW_PAIR, ENDS, TOLD, REFUSED)
PATIENCE_S = 10.0  # for what must end: it takes milliseconds
_SHORT_S = 0.3  # for what may have no end
_SETTLE = 2  # turns after a transfer is done
_REST = 24  # turns to wait for what must not come
_NEW = 60_000  # number of the transfers of the new pair
_numbers = itertools.count(1)  # of all that is named here: names of agents and files are used once
_ROWS: Rows = ((0, 4096, 4096), (8200, 16, 1000))  # of the new pair


class Broken(Exception):
    """A sentence is broken: which, and by what."""

    def __init__(self, requirement: str, what: str) -> None:
        super().__init__(f"{requirement}: {what}")
        self.requirement, self.what = requirement, what


class Play:
    """One sequence: a context manager, after which all endpoints are closed.

    Each step is a method. `place` names the memory: what is the same is used again. `ignored` are sentences
    that are known to be broken: they are not judged, and the sequence goes on. What cannot be done is not done: see `Model.allows`.
    """

    def __init__(
        self,
        workers: Workers,
        traits: Traits,
        *,
        memory: str = "host",
        settings: dict[str, str] | None = None,
        ignored: Collection[str] = (),
        patience_s: float = PATIENCE_S,
        place: str = "main",
    ) -> None:
        self.model = Model(traits)
        self.steps: list[Step] = []  # taken so far
        self._workers, self._memory, self._settings = workers, memory, settings or {}
        self._ignored, self._patience_s, self._place = ignored, patience_s, place
        self._number = next(_numbers)
        self._names = itertools.count(1)
        self._addresses: dict[str, int] = {}
        self._letters = {who: Letters() for who in self.model.sides}
        self._ending = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open; workers in which something went wrong are killed."""
        there = [who for who, side in self.model.sides.items() if side.memory is not None]
        if kind is None:
            try:
                answers = self._workers.ask(dict.fromkeys(there, ("close", {})), self._patience_s)
                if not any("refused" in answer for answer in answers.values()):
                    return
            except Died:
                pass
        self._workers.renew()

    @property
    def may_be_written(self) -> bool:
        """Tell whether a transfer that nobody stopped may still write: the next sequence is to have other memory."""
        return any(side.memory is not None and bool(side.memory.late.any()) for side in self.model.sides.values())

    def run(self, steps: Iterable[Step]) -> Self:
        """Take steps, leaving out those that make no sense, and end."""
        for step in steps:
            self.take(step)
        self.end()
        return self

    def take(self, step: Step) -> bool:
        """Take one step if it makes sense; return whether it was taken. Raises `Broken`."""
        if not self.model.allows(step):
            return False
        self.steps.append(step)
        getattr(self, f"_{step.verb}")(*step.arguments)
        return True

    def do(self, verb: str, *arguments: Any) -> bool:
        """Take a step as it is printed: `play.do("post", 1, "target", "out", [[0, 0, 8]])`."""
        [step] = of_json({"steps": [[verb, *arguments]]})
        return self.take(step)

    # --- sides ---

    def _open(self, who: str, new: bool) -> None:  # noqa: FBT001  a step's values have no names
        side = self.model.sides[who]
        if side.memory is None:
            self._addresses[who] = self._told(who, "lay", place=self._place, kind=self._memory, nbytes=SIZE)
            self.model.laid(who, self._painted(who, self._number))
        same_again = bool(side.name) and not new
        name = side.name if same_again else f"{who}-{self._number}-{next(self._names)}"
        role = "initiator" if who == INITIATOR else "target"
        opened = self._asked(who, "open", agent=name, role=role, settings=self._settings)
        if "refused" in opened:
            self._refused(f"open {who}", opened, due=not same_again)
            return
        registered = self._asked(who, "register", place=self._place)
        self.model.opened(who, name)
        self._letters[who].opened()
        if "refused" in registered:
            self.model.registered(who, there=False)
            self._refused(f"register the memory of {who}", registered, due=not same_again)

    def _close(self, who: str) -> None:
        self.model.closed(who)
        self._asked(who, "close", at="")

    def _kill(self, who: str) -> None:
        self._look(who)
        self.model.killed(who)
        self._workers.kill(who)

    def _register(self, who: str) -> None:
        answer = self._asked(who, "register", place=self._place)
        if "refused" in answer:
            self._refused(f"register the memory of {who} again", answer, due=True)
            return
        self.model.registered(who, there=True)

    def _deregister(self, who: str) -> None:
        answer = self._asked(who, "deregister", place=self._place)
        self.model.registered(who, there=False)
        if "refused" in answer:
            self._refused(f"deregister the memory of {who}", answer, due=not self.model.transfers)

    def _fill(self, who: str, seed: int) -> None:
        self._look(who)
        self.model.filled(who, self._painted(who, seed))

    # --- links ---

    def _connect(self, peer: str) -> None:
        new = self.model.new_to_each_other(peer)
        refusal = None
        for who, other in ((INITIATOR, peer), (peer, INITIATOR)):
            told = self._asked(other, "metadata")
            if "ok" in told:
                told = self._asked(who, "connect", peer=self.model.sides[other].name, metadata=told["ok"])
            refusal = refusal or (told if "refused" in told else None)
        self.model.connected(peer, refused=refusal is not None)
        if refusal is not None:
            self._refused(f"connect {INITIATOR} and {peer}", refusal, due=new)

    # --- transfers ---

    def _post(self, number: int, peer: str, way: str, rows: Rows) -> None:
        one = self.model.prepared(number, peer, way, rows)
        arguments = {"name": str(number), **self._prepared(number, one)}
        questions = {INITIATOR: ("prepare", arguments)}
        if self.model.traits.two_sided:
            questions[peer] = ("prepare", {**arguments, "peer": self.model.sides[INITIATOR].name})
        for refusal in self._refusals(questions):
            due = self.model.due(one)
            self.model.transfers.pop(number, None)
            self.model.doubted(peer)
            self._refused(f"prepare transfer {number} with {peer}", refusal, due=due)
            return
        self._again(number)

    def _again(self, number: int) -> None:
        one = self.model.transfers[number]
        self.model.posted(one)
        if self.model.traits.notifies:
            self._letters[one.peer].may(self.model.sides[INITIATOR].name, _tag(number))
        who = [INITIATOR, one.peer] if self.model.traits.two_sided else [INITIATOR]
        for refusal in self._refusals(dict.fromkeys(who, ("post", {"names": [str(number)]}))):
            self._failed(number, one, refusal, "post")
            return

    def _wait(self, number: int) -> None:
        one = self.model.transfers[number]
        due, two_sided = self.model.due(one), self.model.traits.two_sided
        drive = f"drive-{next(_numbers)}"
        mine = {"names": [str(number)], "rest": _SETTLE, "tells": (over := f"{drive}-mine")}
        questions: dict[str, tuple[str, dict[str, Any]]] = {INITIATOR: ("drive", mine)}
        if self.model.sides[one.peer].open:
            mine["until"] = [f"{drive}-theirs"]
            theirs = {"names": [str(number)] if two_sided else [], "rest": _SETTLE}
            questions[one.peer] = ("drive", {**theirs, "tells": f"{drive}-theirs", "until": [over]})
        answers = self._all(questions, self._patience_s if due else _SHORT_S)
        self._arrived(answers)
        waiting = [who for who, answer in answers.items() if answer.get("ok", {}).get("late")]
        refusals = [answer for answer in answers.values() if "refused" in answer]
        if refusals:
            self._failed(number, one, refusals[0], "wait for")
        elif waiting:
            self.model.doubted(one.peer)
            if due:
                self._broken(
                    ENDS, f"transfer {number} with {one.peer} has no end: the {' and the '.join(waiting)} waits"
                )
        else:
            self.model.done(one)
            if due and self.model.traits.notifies:
                self._letters[one.peer].must(self.model.sides[INITIATOR].name, _tag(number))
        for who in (INITIATOR, one.peer):
            self._look(who)

    def _cancel(self, number: int) -> None:
        one = self.model.transfers[number]
        if "ok" in self._asked(INITIATOR, "cancel", name=str(number)):
            self.model.cancelled(one)

    def _release(self, number: int) -> None:
        one = self.model.transfers[number]
        who = [INITIATOR, one.peer] if self.model.traits.two_sided else [INITIATOR]
        self._all(dict.fromkeys(who, ("release", {"name": str(number)})), self._patience_s)
        self.model.released(number)

    # --- the end ---

    def end(self) -> None:
        """Compare all that there is, then have a new pair move bytes both ways."""
        self._receive()
        for who in self.model.sides:
            self._look(who)
        self._ending = True
        for step in _new_pair(self.model.ways):
            if self.model.allows(step):
                getattr(self, f"_{step.verb}")(*step.arguments)
        self._receive()

    def _receive(self) -> None:
        """Wait for the notifications that must be there, and a little for those that must not."""
        present = [who for who, side in self.model.sides.items() if side.open]
        lacking = any(self._letters[who].missing() for who in present)
        for turn in range(1 + 8 * lacking):
            if turn and not any(self._letters[who].missing() for who in present):
                break
            self._arrived(self._all(dict.fromkeys(present, ("drive", {"rest": _REST << turn})), self._patience_s))
        for who in present:
            letters = self._letters[who]
            if missing := letters.missing():
                self._broken(TOLD, f"{who} was not notified of {_named(missing)}, which is done")
            if strange := letters.strange():
                self._broken(TOLD, f"{who} was notified of {_named(strange)} once too often, or of what nobody sent it")
            letters.forgive()

    # --- judging ---

    def _look(self, who: str) -> None:
        """Compare what a side holds with what it must."""
        memory = self.model.sides[who].memory
        if memory is None:
            return
        found = np.frombuffer(base64.b64decode(self._told(who, "read", place=self._place)), np.uint8)
        wrong = memory.wrong(found)
        if not len(wrong):
            return
        memory.forgive(wrong)
        at = int(wrong[0])
        where = "in the guards" if not GUARD <= at < GUARD + SIZE else f"at offset {at - GUARD}"
        values = f"{int(found[at]):#04x} instead of {int(memory.known[at]):#04x}"
        self._broken(BYTES, f"{len(wrong)} bytes of {who} are wrong, the first {where}: {values}")

    def _failed(self, number: int, one: Transfer, refusal: dict[str, Any], doing: str) -> None:
        due = self.model.due(one)
        self.model.failed(one)
        self._refused(f"{doing} transfer {number} with {one.peer}", refusal, due=due)

    def _refused(self, doing: str, refusal: dict[str, Any], *, due: bool) -> None:
        if due and refusal["kind"] != "Unsupported":  # that is said, not broken
            words = str(refusal["message"]).splitlines() or [str(refusal["refused"])]
            self._broken(REFUSED, f"an error where none is due: {doing}: {words[0][:300]}")

    def _broken(self, requirement: str, what: str) -> None:
        if self._ending:
            requirement, what = NEW_PAIR, f"the new pair: {what}"
        if requirement not in self._ignored:
            raise Broken(requirement, what)

    # --- asking ---

    def _all(self, questions: dict[str, tuple[str, dict[str, Any]]], patience_s: float) -> dict[str, dict[str, Any]]:
        if not questions:
            return {}
        try:
            return self._workers.ask(questions, patience_s)
        except Died as died:
            self._died(died)

    def _died(self, died: Died) -> NoReturn:
        """All workers are new: the sequence cannot go on, whether that is told or not."""
        raise Broken(NEW_PAIR if self._ending else ENDS, str(died)) from None

    def _asked(self, who: str, verb: str, **arguments: Any) -> dict[str, Any]:
        return self._all({who: (verb, arguments)}, self._patience_s)[who]

    def _told(self, who: str, verb: str, **arguments: Any) -> Any:
        """Ask for what is ours to give: memory."""
        answer = self._asked(who, verb, **arguments)
        if "refused" in answer:
            raise Broken(ENDS, f"{who}, {verb}: {answer['message']}")
        return answer["ok"]

    def _refusals(self, questions: dict[str, tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        return [answer for answer in self._all(questions, self._patience_s).values() if "refused" in answer]

    def _arrived(self, answers: dict[str, dict[str, Any]]) -> None:
        for who, answer in answers.items():
            for sender, tag in answer.get("ok", {}).get("arrived", ()):
                self._letters[who].arrived(sender, base64.b64decode(tag))

    def _painted(self, who: str, seed: int) -> Any:
        mixed = seed * 8 + list(self.model.sides).index(who)  # no two sides hold the same
        self._told(who, "paint", place=self._place, seed=mixed)
        return content(mixed, span(SIZE, 0))

    def _prepared(self, number: int, one: Transfer) -> dict[str, Any]:
        nothing = np.zeros(len(one.rows), np.int64)
        sides = [
            np.column_stack((one.rows[:, column] + self._addresses[who], one.rows[:, 2], nothing))
            for column, who in ((0, self.model.source(one)), (1, self.model.destination(one)))
        ]
        tag = base64.b64encode(_tag(number) if self.model.traits.notifies else b"").decode()
        op = Op.WRITE if one.way == "out" else Op.READ
        return {"op": op.value, "rows": sides, "peer": self.model.links[one.peer].name, "tag": tag}


def _new_pair(ways: tuple[str, ...]) -> Iterator[Step]:
    """Yield the steps of a pair that has nothing in common with what was before but its processes."""
    pair, peer = (INITIATOR, PEERS[0]), PEERS[0]
    yield from (Step("close", (who,)) for who in pair)
    yield from (Step("open", (who, True)) for who in pair)
    yield Step("connect", (peer,))
    for number, way in enumerate(ways, _NEW):
        yield from (Step("fill", (who, number)) for who in pair)
        yield Step("post", (number, peer, way, _ROWS))
        yield Step("wait", (number,))


def _tag(number: int) -> bytes:
    return f"t{number}.".encode()


def _named(letters: dict[tuple[str, bytes], int]) -> str:
    sender, tag = next(iter(letters))
    return f"transfer {tag.decode('utf-8', 'replace')[1:-1]} of {sender}"[:100]
