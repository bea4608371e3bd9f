"""The worker processes of one server's ranks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.transfer.serving.server import roles_of
from suite.world.supervisor import Group, WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.transfer.driver import Plan
    from suite.transfer.record import Op
    from suite.transfer.task import SideName

SEAT = "suite.transfer.serving.seat:Seat"
FILE_SEAT = "suite.transfer.serving.file_seat:FileSeat"


class SideRanks:
    """One life of a server's ranks: `generation` tells it from earlier ones."""

    def __init__(self, plan: Plan, side: SideName, op: Op, generation: int, server: str | None = None) -> None:
        self.roles = roles_of(plan.task, side)
        self.agents = {role: f"{op}-{role}-{generation}" for role in self.roles}
        self._plan, self._op = plan, op
        cores = sorted(os.sched_getaffinity(0))
        server = server or (FILE_SEAT if plan.files else SEAT)
        self._group = Group([self._worker(role, server, generation, cores) for role in self.roles])
        self.known: dict[str, dict[str, Any]] = {}  # what peers need of each rank
        self.register_ns: list[int] = []
        self.metadata_ns: list[int] = []

    def ask(self, phase: str, arguments: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Ask each role in `arguments`; the verb is the phase's name. Raises `WorkerFailed`."""
        questions = {role: (phase, told) for role, told in arguments.items()}
        return self._group.ask(phase, questions, self._plan.deadline_s)

    def send(self, phase: str, arguments: Mapping[str, Mapping[str, Any]]) -> None:
        """Ask as `ask` does, and return before the answers are there."""
        self._group.send({role: (phase, told) for role, told in arguments.items()}, self._plan.deadline_s)

    def collect(self, phase: str, wait_s: float) -> dict[str, Any] | None:
        """Return the answers to what was sent, or None if they are not all there within `wait_s`. Raises `WorkerFailed`."""
        return self._group.collect(phase, wait_s)

    def begin(self, epoch: int, layers_each: int, pace_ns: int) -> None:
        """Make and paint every rank's region, and open its endpoint."""
        task, devices = self._plan.task.as_json(), self._plan.resources.devices
        begun = self.ask("begin", {role: {"task": task, "device": devices.get(role)} for role in self.roles})
        common: dict[str, Any] = {"transport": self._plan.transport, "op": self._op}
        if self._plan.files:
            common["files"] = self._plan.files.as_json()
        told = {role: {"agent": self.agents[role], **common} for role in self.roles}
        opened = self.ask("open", told)
        manner = {"epoch": epoch, "layers_each": layers_each, "pace_ns": pace_ns}
        self.ask("blank", {role: {**manner} for role in self.roles})
        self.known = {
            role: {
                "agent": self.agents[role],
                "metadata": opened[role]["metadata"],
                "address": begun[role]["address"],
            }
            for role in self.roles
        }

    def meet(self, others: Mapping[str, Mapping[str, Any]]) -> None:
        """Introduce those of the other server's ranks that these talk to."""
        peers: dict[str, dict[str, Any]] = {role: {} for role in self.roles}
        for way in self._plan.task.every_way():
            for mine, theirs in ((way.source, way.destination), (way.destination, way.source)):
                if mine in peers:
                    peers[mine][theirs] = others[theirs]
        answers = self.ask("connect", {role: {"peers": told} for role, told in peers.items()})
        self.register_ns = [answer["register_ns"] for answer in answers.values()]
        self.metadata_ns = [answer["metadata_ns"] for answer in answers.values()]

    def pids(self) -> dict[str, int]:
        """Return role -> process id."""
        return self._group.pids()

    def close(self) -> list[dict[str, Any]]:
        """Close every endpoint; return the evidence of those that posted."""
        answers = self.ask("close", {role: {} for role in self.roles})
        return [answer["evidence"] for answer in answers.values() if answer["evidence"]]

    def kill(self) -> None:
        """Kill all of them, and return when they are reaped: nothing of theirs is written after that."""
        self._group.kill()

    def _worker(self, role: str, server: str, generation: int, cores: list[int]) -> WorkerSpec:
        stem = str((self._plan.logs / f"{role}-{generation}").absolute())
        environment = {**self._plan.resources.environment, "UCX_LOG_FILE": f"{stem}.ucx.log"}
        return WorkerSpec(role, server, environment, cores, Path(f"{stem}.log"))
