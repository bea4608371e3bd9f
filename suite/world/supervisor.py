"""The supervisor of one machine's workers: starts, asks, watches, kills, survives.

It never imports NIXL, UCX or CUDA. A worker that dies, hangs, is stopped or
answers with an error becomes a `WorkerFailed`, which says who, in which phase
and why; what is left of the group is then killed, because a failed transfer
may still be writing.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from suite.world.channel import Channel, ChannelClosed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from suite.world.channel import Json

_GRACE_S = 0.5  # a dead worker's peer may complain before the death itself is seen
_TAIL_BYTES = 2_000


class WorkerFailed(Exception):
    """What cost the question in flight: a worker's role, the phase, the reason in words, the detail.

    `died` says that the process has ended: then it has told nothing about what it was asked.
    """

    def __init__(self, role: str, phase: str, reason: str, detail: str = "", *, died: bool = False) -> None:
        super().__init__(f"{role} worker, {phase}: {reason}")
        self.role, self.phase, self.reason, self.detail, self.died = role, phase, reason, detail, died


@dataclass(frozen=True)
class WorkerSpec:
    """How to start one worker."""

    role: str
    server: str  # module:factory
    environment: Mapping[str, str]
    cores: Sequence[int]
    log: Path  # stdout and stderr
    prefix: Sequence[str] = ()  # a command that becomes the worker by exec, such as nsenter: the process stays the same
    python: str = ""  # the interpreter; "": this one


class _Worker:
    def __init__(self, spec: WorkerSpec) -> None:
        self.spec = spec
        with spec.log.open("ab") as log:
            ours, theirs = socket.socketpair()
            self.channel = Channel(ours)
            with theirs:
                self.process = self._start(theirs.fileno(), log)

    def _start(self, descriptor: int, log: BinaryIO) -> subprocess.Popen[bytes]:
        options = {
            "fd": descriptor,
            "parent": os.getpid(),
            "role": self.spec.role,
            "server": self.spec.server,
            "cores": list(self.spec.cores),
        }
        try:
            return subprocess.Popen(
                # -P: a folder of the user's in the working directory must not hide ours
                [
                    *self.spec.prefix,
                    self.spec.python or sys.executable,
                    "-P",
                    "-m",
                    "suite.world.worker",
                    json.dumps(options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.spec.environment),
                pass_fds=[descriptor],
                start_new_session=True,  # Ctrl-C is for the supervisor alone
            )
        except BaseException:
            self.channel.close()
            raise

    def log_tail(self) -> str:
        """Return the end of what the worker printed."""
        with suppress(OSError), self.spec.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return log.read().decode("utf-8", errors="replace").strip()
        return ""

    def stopped(self) -> bool:
        """Tell whether the process is stopped (SIGSTOP, a debugger)."""
        with suppress(OSError, IndexError):
            stat = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8", errors="replace")
            return stat.rpartition(")")[2].split()[0] in {"T", "t"}
        return False

    def kill(self) -> None:
        if self.process.returncode is None:  # once reaped, its number may be another's
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.channel.close()


def _signal_name(number: int) -> str:
    """Return `SIGKILL`; most real-time signals have no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@dataclass(frozen=True)
class _Asked:
    """What is under way: who was asked, until when it is waited for, and who has answered what."""

    roles: tuple[str, ...]
    deadline: float  # time.monotonic
    patience_s: float
    answers: dict[str, Any]


class Group:
    """The workers of one launch; a context manager that leaves none behind."""

    def __init__(self, specs: Sequence[WorkerSpec]) -> None:
        self._workers: dict[str, _Worker] = {}
        self._asked = _Asked((), 0.0, 0.0, {})
        self._ignored: set[str] = set()
        try:
            for spec in specs:
                self._workers[spec.role] = _Worker(spec)
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._dismiss()
        self.kill()

    def pids(self) -> dict[str, int]:
        """Return role -> process id."""
        return {role: worker.process.pid for role, worker in self._workers.items()}

    def ignore(self, role: str) -> None:
        """Wait for a worker no more: its death, or that it does not answer, is no news from now on.

        For those who end or stop a worker on purpose. It is still killed with the others.
        """
        self._ignored.add(role)

    def heed(self, role: str) -> None:
        """Take back `ignore`; what the worker has been asked, it answers now."""
        self._ignored.discard(role)

    def ask(
        self, phase: str, questions: Mapping[str, tuple[str, Mapping[str, Json]]], deadline_s: float
    ) -> dict[str, Any]:
        """Put one question to each of several workers at once; return role -> answer.

        A question is (verb, arguments). Raises `WorkerFailed` for the first
        worker that dies, answers with an error, or has not answered after
        `deadline_s`.
        """
        self.send(questions, deadline_s)
        while (answers := self.collect(phase, deadline_s)) is None:
            pass
        return answers

    def send(self, questions: Mapping[str, tuple[str, Mapping[str, Json]]], deadline_s: float) -> None:
        """Put a question to each of several workers, and return; `collect` has the answers."""
        for role, (verb, arguments) in questions.items():
            with suppress(ChannelClosed):  # its death is found by `collect`, with its reason
                self._workers[role].channel.send({"do": verb, "with": dict(arguments)})
        self._asked = _Asked(tuple(questions), time.monotonic() + deadline_s, deadline_s, {})

    def collect(self, phase: str, wait_s: float) -> dict[str, Any] | None:
        """Return role -> answer if all that `send` has asked answer within `wait_s`, else None: ask again.

        Raises `WorkerFailed` as `ask` does, at the deadline that `send` was given.
        """
        asked = self._asked
        until = time.monotonic() + wait_s
        with selectors.DefaultSelector() as selector:
            for role, worker in self._workers.items():  # also those not asked: their death is news too
                if role not in self._ignored:
                    selector.register(worker.channel, selectors.EVENT_READ, worker)
            while set(asked.roles) - set(asked.answers) - self._ignored:
                now = time.monotonic()
                ready = selector.select(max(0.0, min(until, asked.deadline) - now))
                if not ready and now >= asked.deadline:
                    raise self._late(
                        [role for role in asked.roles if role not in {*asked.answers, *self._ignored}],
                        phase,
                        asked.patience_s,
                    )
                if not ready and now >= until:
                    return None
                for key, _ in ready:
                    role, answer = self._hear(key.data, phase)
                    if answer is None:
                        continue
                    if role not in asked.roles or role in asked.answers:
                        raise WorkerFailed(role, phase, "answered without being asked")
                    asked.answers[role] = answer.get("ok")
        return asked.answers

    def answered(self) -> dict[str, Any]:
        """Return what those have answered who have, of the question in flight."""
        return dict(self._asked.answers)

    def _hear(self, worker: _Worker, phase: str) -> tuple[str, dict[str, Json] | None]:
        role = worker.spec.role
        try:
            worker.channel.fill()
            answer = worker.channel.take()
            if answer is not None and worker.channel.pending:
                raise ChannelClosed("more than one answer")  # noqa: TRY301  told like any other broken channel
        except ChannelClosed as closed:
            raise self._dead(worker, phase, str(closed)) from closed
        if answer is not None and "error" in answer:
            raise self._complaint(worker, phase, answer["error"])
        return role, answer

    def _dead(self, worker: _Worker, phase: str, why: str) -> WorkerFailed:
        try:
            status = worker.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return WorkerFailed(worker.spec.role, phase, f"closed its channel: {why}", worker.log_tail())
        reason = f"killed by {_signal_name(-status)}" if status < 0 else f"left with status {status}"
        return WorkerFailed(worker.spec.role, phase, reason, worker.log_tail(), died=True)

    def _complaint(self, worker: _Worker, phase: str, error: Json) -> WorkerFailed:
        """Blame a dead peer rather than the worker that noticed."""
        deadline = time.monotonic() + _GRACE_S
        others = [other for role, other in self._workers.items() if other is not worker and role not in self._ignored]
        while others and time.monotonic() < deadline:
            for other in others:
                if other.process.poll() is not None:
                    return self._dead(other, phase, "end of file")
            time.sleep(_GRACE_S / 10)
        told = error if isinstance(error, dict) else {}
        detail = "\n".join(str(told[key]) for key in ("message", "hint") if told.get(key))
        return WorkerFailed(worker.spec.role, phase, f"error: {told.get('code', 'unknown')}", detail)

    def _late(self, roles: Sequence[str], phase: str, deadline_s: float) -> WorkerFailed:
        """Blame a stopped worker first: the others only wait for it."""
        for role, worker in self._workers.items():
            if role not in self._ignored and worker.stopped():
                return WorkerFailed(role, phase, "stopped", f"the process was stopped; waited {deadline_s:g} s")
        return WorkerFailed(roles[0], phase, "no answer", f"waited {deadline_s:g} s for {' and '.join(roles)}")

    def _dismiss(self) -> None:
        """Close the channels and give the workers a moment to leave on their own."""
        for worker in self._workers.values():
            worker.channel.close()
        deadline = time.monotonic() + 2.0
        for worker in self._workers.values():
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, deadline - time.monotonic()))

    def kill(self) -> None:
        """Kill every worker and everything it started."""
        for worker in self._workers.values():
            worker.kill()
