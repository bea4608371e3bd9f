"""One case on its stage: fresh endpoints over painted memory, and the steps that a property takes.

Every property is a few of these steps. A fault is one more step between them,
a stateful machine calls them as its rules.
"""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from conformance.transfer.abilities import operation
from conformance.transfer.case import DESTINATION, LENGTH, SOURCE
from conformance.transfer.crew import ROLES, Died, Refusal
from conformance.transfer.place import GUARD, span
from suite.transports.base import Op

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

    from conformance.transfer.case import Case
    from conformance.transfer.crew import Crew
    from suite.transports.base import Traits

REST = 24  # turns to wait for what must not come; a worker rests half a millisecond in each
_ALONE_S = 2.0  # for a transfer whose target does nothing: where that works it takes milliseconds
_PAINT = 0x5EED_0000
_numbers = itertools.count(1)  # of scenes in this process: names of agents and files are used once


class Stage:
    """What all scenes of an implementation have in common."""

    def __init__(self, crew: Crew, traits: Traits, *, memory: str, settings: dict[str, str], patience_s: float) -> None:
        self.crew, self.traits, self.memory, self.settings, self.patience_s = crew, traits, memory, settings, patience_s


class Scene:
    """A case with its endpoints; a context manager that closes them, and has new workers made if that does not work."""

    def __init__(self, stage: Stage, case: Case, *, others: bool = False, file: bool = False) -> None:
        self.case, self._stage, self._traits = case, stage, stage.traits
        self.op = operation(stage.traits, case.way, file=file)
        self.stored = self.op in {Op.STORE, Op.FETCH}
        pair = ROLES[:1] if self.stored else ROLES[:2]
        self.roles = ROLES[: len(pair) + others]
        self._number = next(_numbers)
        self.addresses: dict[tuple[str, str], int] = {}
        self.metadata: dict[str, str] = {}
        self.patience_s = stage.patience_s  # for one question; a property that moves much asks for more
        self._clean = True

    # --- who and where ---

    def agent(self, role: str) -> str:
        """Return the name of a role's endpoint, which no other scene uses; all are of one length, so that metadata are, too."""
        return f"{role}-{self._number:04}"

    def source(self, peer: str = "target") -> tuple[str, str]:
        """Return the role and the place that bytes come from."""
        return {
            Op.WRITE: ("initiator", "main"),
            Op.READ: (peer, "main"),
            Op.STORE: ("initiator", "main"),
            Op.FETCH: ("initiator", "file"),
        }[self.op]

    def destination(self, peer: str = "target") -> tuple[str, str]:
        """Return the role and the place that they go to."""
        return {
            Op.WRITE: (peer, "main"),
            Op.READ: ("initiator", "main"),
            Op.STORE: ("initiator", "file"),
            Op.FETCH: ("initiator", "main"),
        }[self.op]

    # --- asking ---

    def ask(self, role: str, verb: str, /, **arguments: Any) -> Any:
        """Ask one side; raises `Refusal` for an error, `Died` if it is gone."""
        return self.ask_all({role: (verb, arguments)})[role]

    def ask_all(
        self, questions: dict[str, tuple[str, dict[str, Any]]], patience_s: float | None = None
    ) -> dict[str, Any]:
        """Ask several at once, by default with the patience of the implementation; raises for the first that refuses."""
        answers = self._stage.crew.ask(questions, patience_s or self.patience_s)
        for role, answer in answers.items():
            if "refused" in answer:
                raise Refusal(role, questions[role][0], answer)
        return {role: answer["ok"] for role, answer in answers.items()}

    # --- the steps ---

    def set_up(self) -> Self:
        """Lay out memory, open endpoints, register, exchange metadata, connect all to all."""
        self.lay()
        for role in self.roles:
            self.open(role)
        if not self.stored:
            for role, peer in itertools.permutations(self.roles, 2):
                if "initiator" in (role, peer):
                    self.connect(role, peer)
        return self

    def lay(self, **file: Any) -> None:
        """Lay out the places of the case; a third worker's is like the target's, or like the initiator's memory."""
        for index, (role, place) in enumerate((self.source(), self.destination())):
            self.lay_one(
                role, place, self.case.nbytes[index], self.case.starts[index], **(file if place == "file" else {})
            )
        if not self.stored:
            for role in self.roles[2:]:
                self.lay_one(role, "main", max(self.case.nbytes), max(self.case.starts))

    def lay_one(self, role: str, place: str, nbytes: int, start: int = 0, **file: Any) -> None:
        """Lay out one place."""
        if place == "file":
            file.setdefault("path", f"case-{self._number}")
        kind = "file" if place == "file" else self._stage.memory
        self.addresses[role, place] = self.ask(role, "lay", place=place, kind=kind, nbytes=nbytes, start=start, **file)

    def open(
        self, role: str, agent: str = "", at: str = "", places: tuple[str, ...] = (), *, posts: bool = False
    ) -> None:
        """Open a role's endpoint and register its places: its own ones, or those named; with `posts` it is an initiator's."""
        part = "initiator" if posts or role == "initiator" else "target"
        self.ask(role, "open", agent=agent or self.agent(role), role=part, settings=self._stage.settings, at=at)
        for place in places or [place for who, place in self.addresses if who == role and place in {"main", "file"}]:
            self.ask(role, "register", place=place, at=at)
        self.metadata[at or role] = self.ask(role, "metadata", at=at)

    def connect(self, role: str, peer: str, agent: str = "", metadata: str = "", at: str = "") -> None:
        """Have a role learn a peer's metadata, under its name unless another `agent` is given."""
        self.ask(role, "connect", peer=agent or self.agent(peer), metadata=metadata or self.metadata[peer], at=at)

    def stage_bytes(self, seed: int = 0, peer: str = "target", rows: NDArray[np.int64] | None = None) -> None:
        """Paint both sides, and expect the rows to arrive."""
        seed = seed or self.case.seed
        table = self.case.rows if rows is None else rows
        (role, place), (to, other) = self.source(peer), self.destination(peer)
        self.ask(role, "paint", place=place, seed=seed)
        self.ask(to, "stage", place=other, seed=_PAINT + seed, rows=table, source=self.painted(seed))

    def prepare(
        self,
        name: str = "t",
        *,
        peer: str = "target",
        rows: NDArray[np.int64] | None = None,
        tag: bytes | None = None,
        agent: str = "",
    ) -> None:
        """Prepare a transfer of the case's rows, or of others, at the initiator, and at the target if it takes part."""
        arguments = self.arguments(peer=peer, rows=rows, tag=tag, agent=agent)
        if self._traits.two_sided:
            told = {**arguments, "peer": self.agent("initiator")}
            self.ask_all(
                {"initiator": ("prepare", {"name": name, **arguments}), peer: ("prepare", {"name": name, **told})}
            )
        else:
            self.ask("initiator", "prepare", name=name, **arguments)

    def prepare_back(self, name: str) -> None:
        """Wipe the source, and prepare to read it back from where it was written."""
        (role, place), told = self.source(), self.arguments(tag=b"")
        self.ask(role, "wipe", place=place, rows=self.case.rows[:, [SOURCE, LENGTH]])
        told |= {"op": (Op.FETCH if self.stored else Op.READ).value, "rows": told["rows"][::-1]}
        self.ask("initiator", "prepare", name=name, **told)

    def painted(self, seed: int) -> dict[str, int]:
        """Return what `Side.stage` must know of the source when it is painted with `seed`."""
        return {
            "start": GUARD + self.case.starts[0],
            "used": span(self.case.nbytes[0], self.case.starts[0]),
            "seed": seed,
        }

    def between(
        self, role: str, peer: str, rows: NDArray[np.int64] | None = None, to: str = "main", of: str = "main"
    ) -> list[Any]:
        """Return the rows of a WRITE, or a STORE, from a role's main place to its peer's, or from and to others."""
        return self._addressed(self.case.rows if rows is None else rows, (role, of), (peer, to))

    @property
    def kinds(self) -> frozenset[str]:
        """Return the kinds of memory that the transport names."""
        return frozenset(kind for pair in self._traits.memory for kind in pair)

    @property
    def local(self) -> int:
        """Return the column of the rows that is the initiator's memory."""
        return SOURCE if self.op in {Op.WRITE, Op.STORE} else DESTINATION

    @property
    def remote(self) -> int:
        """Return the column of the other side."""
        return DESTINATION - self.local

    def arguments(
        self, *, peer: str = "target", rows: NDArray[np.int64] | None = None, tag: bytes | None = None, agent: str = ""
    ) -> dict[str, Any]:
        """Return what `Side.prepare` is given for a transfer between the initiator and a peer."""
        table = self.case.rows if rows is None else rows
        sides = self._addressed(table, self.source(peer), self.destination(peer))
        wanted = self.case.tag if tag is None else tag
        told = base64.b64encode(wanted if self.notifies else b"").decode()
        return {
            "op": self.op.value,
            "rows": sides,
            "peer": None if self.stored else agent or self.agent(peer),
            "tag": told,
        }

    def _addressed(self, rows: NDArray[np.int64], source: tuple[str, str], destination: tuple[str, str]) -> list[Any]:
        nothing = np.zeros(len(rows), np.int64)
        return [
            np.column_stack((rows[:, column] + self.addresses[where], rows[:, LENGTH], nothing))
            for where, column in ((source, SOURCE), (destination, DESTINATION))
        ]

    @property
    def notifies(self) -> bool:
        """Tell whether a transfer can have a tag."""
        return self._traits.notifies and not self.stored

    def drive(self, sides: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Have several sides drive at once, each until all of them have what they wait for; see `Side.drive`."""
        number = next(_numbers)
        own = {role: f"drive-{number}-{role}" for role in sides}
        others = {role: [name for who, name in own.items() if who != role] for role in sides}
        return self.ask_all(
            {role: ("drive", {**wanted, "tells": own[role], "until": others[role]}) for role, wanted in sides.items()}
        )

    def move(self, *names: str, count: int = -1, look: bool = False, rest: int = 0, peer: str = "target") -> Moved:
        """Post transfers and drive both sides until they are done and notified; `look` compares the bytes right then."""
        wanted = names or ("t",)
        if count < 0:
            count = len(wanted) if self.notifies and self.case.tag else 0
        (to, place), two_sided = self.destination(peer), self._traits.two_sided
        mine = {"names": [*wanted], "post": True, "rest": rest, "look": place if look and to == "initiator" else ""}
        questions = {"initiator": mine}
        if not self.stored:
            theirs = {"names": [*wanted] if two_sided else [], "post": two_sided, "count": count, "rest": rest}
            questions[peer] = {**theirs, "look": place if look and to == peer else ""}
        return Moved(self.drive(questions), peer, place if look else "", to)

    def repeat(self, times: int) -> None:
        """Make the case's transfer anew so many times; the target takes part, or takes its notifications."""
        fresh = self.arguments()
        questions: dict[str, tuple[str, dict[str, Any]]] = {"initiator": ("repeat", {"times": times, "fresh": fresh})}
        if self._traits.two_sided:
            questions["target"] = ("repeat", {"times": times, "fresh": {**fresh, "peer": self.agent("initiator")}})
        elif not self.stored:
            over = f"over-{next(_numbers)}"
            questions["initiator"][1]["tells"] = over
            drives = ("drive", {"count": times if self.notifies else 0, "until": [over]})
            questions = {"target": drives, **questions}  # first: in one process, too, it has begun when it is needed
        self.ask_all(questions)

    def in_threads(self, *jobs: dict[str, Any]) -> None:
        """Have threads of the initiator make transfers while the target is driven; see `Side.in_threads`."""
        over = f"over-{next(_numbers)}"
        self.ask_all(
            {
                "target": ("drive", {"until": [over]}),
                "initiator": ("in_threads", {"jobs": [*jobs], "tells": over}),
            }
        )

    def reopen(self, times: int) -> None:
        """Open and close endpoints of the initiator beside its own."""
        agent = f"{self.agent('again')}-{times}"
        self.ask("initiator", "reopen", times=times, agent=agent, place="main", settings=self._stage.settings)

    def alone(self, *names: str) -> Moved:
        """Post and drive at the initiator while its target is asked nothing."""
        mine = {"names": [*(names or ("t",))], "post": True}
        return Moved(self.ask_all({"initiator": ("drive", mine)}, _ALONE_S), "target", "", "initiator")

    def expect_zeros(self) -> None:
        """Expect zeros in the destination, as from a hole in the source."""
        role, place = self.destination()
        self.ask(role, "zeros", place=place, rows=self.case.rows[:, [DESTINATION, LENGTH]])

    def notify(self, role: str, peer: str, tag: bytes) -> Moved:
        """Send a notification that belongs to no transfer; return what has arrived at the peer, driven meanwhile."""
        sent = f"sent-{next(_numbers)}"
        arguments = {"peer": self.agent(peer), "tag": self.coded(tag), "tells": sent}
        told = self.ask_all({role: ("notify", arguments), peer: ("drive", {"until": [sent], "rest": 1})})
        return Moved({peer: told[peer]}, peer, "", peer)

    def wait(self, role: str, *, count: int = 0, rest: int = 0) -> Moved:
        """Have a role drive until `count` notifications are there and for `rest` turns more, while the others drive, too."""
        others: dict[str, dict[str, Any]] = {one: {} for one in self.roles if one != role}
        return Moved(self.drive({**others, role: {"count": count, "rest": rest}}), role, "", role)

    @staticmethod
    def coded(tag: bytes) -> str:
        """Return a tag as sides are told it."""
        return base64.b64encode(tag).decode()

    def damage(self, peer: str = "target") -> dict[str, Any] | None:
        """Compare every byte of the destination."""
        role, place = self.destination(peer)
        found: dict[str, Any] | None = self.ask(role, "damage", place=place)
        return found

    def source_damage(self, peer: str = "target") -> dict[str, Any] | None:
        """Compare every byte of the source."""
        role, place = self.source(peer)
        found: dict[str, Any] | None = self.ask(role, "damage", place=place)
        return found

    def later(self, *, turns: int = 8 * REST) -> int:
        """Give the source other bytes, wait, and return how many bytes of the destination changed meanwhile."""
        (role, place), (to, other) = self.source(), self.destination()
        self.ask(to, "mark", place=other)
        self.ask(role, "paint", place=place, seed=self.case.seed + 7)
        self.drive({one: {"rest": turns} for one in self.roles})
        changed: int = self.ask(to, "changed", place=other)
        return changed

    # --- the end ---

    def spoilt(self) -> None:
        """Have new workers made for the next case: these may still be writing."""
        self._clean = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._clean and not (kind and issubclass(kind, Died)):
                self.ask_all(dict.fromkeys(self.roles, ("close", {})))
                return
        except (Refusal, Died):
            pass
        self._stage.crew.renew()


class Moved:
    """What came of posting: who was late, what was notified, what was wrong at that moment."""

    def __init__(self, told: dict[str, Any], peer: str, looked: str, to: str) -> None:
        self.late = [role for role, answer in told.items() if answer["late"]]
        self.arrived = [(who, base64.b64decode(tag)) for who, tag in told[peer]["arrived"]] if peer in told else []
        self.damage: dict[str, Any] | None = told[to].get("damage") if looked else None
