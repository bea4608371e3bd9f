"""One fault, from fresh workers to what came of it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from conformance.faults import disks, scenes
from conformance.faults.cells import AFTER, FAULTS, INITIATOR, TARGET, UNDER_WAY, Cell
from conformance.faults.disks import small_disk
from conformance.faults.links import Hosts, hosts
from conformance.faults.next_peer import served
from conformance.faults.outcome import Outcome
from conformance.faults.resets import reset
from conformance.faults.skipped import Skipped
from conformance.faults.strike import done_mark, soon_mark, stopped, struck_at
from conformance.transfer.crew import Died, Refusal, put
from conformance.transfer.scene import Scene, Stage
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from conformance.implementations.transport import TransportUnderTest
    from conformance.transfer.case import Case
    from conformance.transfer.crew import Apart

LIMIT_S = 10.0  # for a transfer with a peer that is gone
PAUSE_S, WATCHED_S, QUIET_S = 1.0, 4.0, 1.5
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "pause": signal.SIGSTOP}
_LOOK_S, _MORE_S = 0.002, 8.0
_ATTEMPTS = 4  # to meet a transfer that is over within a post
_LINKS, _DEVICE = {"cut", "gap", "slow"}, "device-memory"


def tried(implementation: TransportUnderTest, case: Case) -> Outcome:
    """Bring about the fault of a case among fresh workers, and return what came of it."""
    fault, role, phase = case.fault or ("", "", "")
    cell = Cell(fault, role, phase, case.way)
    name = implementation.name
    try:
        found = _tried(implementation, case, cell)
    except Skipped as skipped:
        return Outcome(name, *_fields(cell), skipped=str(skipped))
    return Outcome(name, *_fields(cell), **found)


def _fields(cell: Cell) -> tuple[str, str, str, str]:
    return cell.fault, cell.role, cell.phase, cell.way


def _tried(implementation: TransportUnderTest, case: Case, cell: Cell) -> dict[str, Any]:
    """Find the place for the fault: a peer, a link, a disk, a device."""
    with ExitStack() as held:
        memory = "memory" in implementation.abilities
        if FAULTS[cell.fault].file:
            if "file" not in implementation.abilities:
                raise Skipped("it moves no files")
            folder, command = held.enter_context(small_disk()) if cell.fault == "full" else (None, ())
            prefixes = {INITIATOR: command}
            stage = held.enter_context(implementation.for_faults(prefixes=prefixes, roles=1))
            return disks.endured(stage, case, cell, folder, LIMIT_S)
        if not memory:
            raise Skipped("it has no peer: the other side is a file")
        if case.way == "in" and "read" not in implementation.abilities:
            raise Skipped("it does not read")
        if cell.fault in _LINKS:
            link = held.enter_context(hosts(case.way))
            stage = held.enter_context(implementation.for_faults(prefixes=link.prefixes, own=link.environment))
            return _at_a_peer(stage, case, cell, link)
        stage = held.enter_context(implementation.for_faults())
        return _at_a_peer(stage, case, cell, None)


def _at_a_peer(stage: Stage, case: Case, cell: Cell, link: Hosts | None) -> dict[str, Any]:
    for attempt in range(_ATTEMPTS):
        with Scene(stage, case, others=True) as one:
            if cell.phase == AFTER and not one.notifies:
                raise Skipped("it notifies nobody")
            if cell.fault == _DEVICE and stage.memory != "cuda":
                raise Skipped("its regions are in host memory: NAME?memory=cuda has them on a device")
            scenes.set_up(one, cell)
            if link:
                link.warm_up(one)
            if cell.fault == _DEVICE:
                one.ask(cell.role, "hoard")
            with suppress(TooSoon):
                found = Trial(stage, one, cell, link, attempt).run()
                one.spoilt()
                return found
    raise Skipped("no transfer was under way: it was done when post returned")


class TooSoon(Exception):
    """The transfer was over before the fault: nobody has come to harm, and it can be tried again."""


class Trial:
    """The two sides of one fault while it happens."""

    def __init__(self, stage: Stage, one: Scene, cell: Cell, link: Hosts | None, attempt: int) -> None:
        self._one, self._cell, self._link = one, cell, link
        self._two_sided = stage.traits.two_sided
        self._crew: Apart = stage.crew  # type: ignore[assignment]  # faults are for workers
        self._group = self._crew.group()
        self._pids = self._group.pids()
        self._mark = self._crew.folder() / f"fault-{attempt}"
        self._over = self._crew.folder() / f"over-{attempt}"
        other = TARGET if cell.role == INITIATOR else INITIATOR
        self.survivor = cell.role if cell.fault == _DEVICE else other  # whose device is full is asked itself
        within = cell.phase == UNDER_WAY
        self._after_s = scenes.inside_post_s(one, two_sided=self._two_sided) / (attempt + 1) if within else 0.0
        self._lasting = cell.fault in {"kill", "stop"}  # the victim answers no more

    def run(self) -> dict[str, Any]:
        """Return the fields of the outcome."""
        failed, answers = self._endured()
        struck = struck_at(self._mark)
        if struck is None:
            raise RuntimeError(f"it failed before the fault: {failed or answers}")
        told = answers.get(self.survivor)
        self._mend()
        if told is None:
            return {"ended": "died" if failed and failed.died else "hung", "named": str(failed), "serves": "it is gone"}
        return {
            "ended": told["ended"],
            "when": told["step"],
            "after_ms": max(0, round(1000 * (told["at"] - struck))),
            "code": told["code"],
            "named": told["words"],
            "slowest_ms": told["slowest_ms"],
            "notified": self._notified(answers),
            "wrong": self._wrong(answers),
            "serves": served(self._one, self.survivor, two_sided=self._two_sided),
        }

    def _endured(self) -> tuple[WorkerFailed | None, dict[str, Any]]:
        """Have both sides take their steps, with the fault; return who failed, and what those said who did not."""
        watched = WATCHED_S if self._cell.fault in {"stop", "cut"} else LIMIT_S
        quiet = QUIET_S if self._lasting else LIMIT_S
        strike = self._strike()
        parts: dict[str, tuple[str, dict[str, Any]]] = {
            INITIATOR: ("endure", {"steps": scenes.initiators_part(self._one, self._cell, strike, self._after_s)}),
            TARGET: (
                "endure",
                {
                    "steps": scenes.targets_part(
                        self._one,
                        self._cell,
                        self._mark.name,
                        self._over.name,
                        two_sided=self._two_sided,
                        quiet_s=quiet,
                    )
                },
            ),
        }
        if self._lasting:
            self._group.ignore(self._cell.role)
        self._group.send(put(parts, watched), watched + _MORE_S)
        answers: dict[str, Any] = {}
        try:
            self._happen()
            answers = self._heard()
        except WorkerFailed as failed:
            return failed, self._said(self._group.answered())
        return None, answers

    def _strike(self) -> dict[str, Any]:
        number = int(_SIGNALS.get(self._cell.fault, 0))
        pid = 0 if self._cell.role == INITIATOR else self._pids[TARGET]
        return {"mark": self._mark.name, "signal": number, "pid": pid}

    def _happen(self) -> None:
        """Do the supervisor's part of the fault, when it is due."""
        pid = self._pids[self._cell.role]
        if self._lasting:
            return
        deadline = time.monotonic() + LIMIT_S
        while not self._due(pid):
            self._not_too_soon()
            if self._group.collect("fault", _LOOK_S) is not None or time.monotonic() > deadline:
                return  # it came to nothing
        if self._cell.fault == "pause":
            time.sleep(PAUSE_S)
            os.kill(pid, signal.SIGCONT)
        elif self._cell.fault == "reset" and not reset(pid):
            raise Skipped("it has no TCP connection")
        elif self._link:
            self._link.strike(self._cell.fault)
        done_mark(self._mark).touch()
        if self._link:
            self._link.after(self._cell.fault)

    def _mend(self) -> None:
        """Have all as it was, but for those who are dead or stopped."""
        if self._link:
            self._link.mend()
        if self._cell.fault == _DEVICE:
            with suppress(Died, Refusal):  # it is gone
                self._one.ask(self._cell.role, "unhoard")

    def _due(self, pid: int) -> bool:
        return stopped(pid) if self._cell.fault == "pause" else struck_at(self._mark) is not None

    def _heard(self) -> dict[str, Any]:
        """Wait for the initiator, then let the target stop; return what both said."""
        alone = self._lasting and self._cell.role == INITIATOR  # it will not answer
        while self._group.collect("fault", _LOOK_S) is None:
            self._not_too_soon()
            if INITIATOR in self._group.answered() or (alone and struck_at(self._mark) is not None):
                self._over.touch()
        self._not_too_soon()
        return self._said(self._group.answered())

    def _not_too_soon(self) -> None:
        """Raise `TooSoon`, with all questions answered, if the transfer was over before the fault."""
        if soon_mark(self._mark).exists():
            self._over.touch()
            self._group.heed(self._cell.role)
            while self._group.collect("fault", LIMIT_S) is None:
                pass
            raise TooSoon

    @staticmethod
    def _said(answers: dict[str, Any]) -> dict[str, Any]:
        return {role: answer["ok"] for role, answer in answers.items() if "ok" in answer}

    def _notified(self, answers: dict[str, Any]) -> str:
        """Return whether the target was notified; empty where it is not to be, or cannot say."""
        if TARGET not in answers or not self._one.notifies:
            return ""
        return "yes" if answers[TARGET]["arrived"] else "no"

    def _wrong(self, answers: dict[str, Any]) -> str:
        """Return what is wrong with bytes that were reported as good."""
        for role, told in answers.items():
            damage = told["damage"]
            if damage and damage["rows"]:
                return f"{damage['rows']} bytes were wrong when the {role} was told that they are there"
        done = answers.get(INITIATOR, {}).get("ended") == "done"
        role, place = self._one.destination()
        if done and role == TARGET and not (self._lasting and self._cell.role == TARGET):
            damage = self._one.ask(role, "damage", place=place)
            if damage and damage["rows"]:
                return f"{damage['rows']} bytes are wrong, and the initiator was told that they are there"
        return ""
