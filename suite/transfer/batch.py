"""A batch of requests: the ones that have blocks in the pools at the same time."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Protocol

from suite.kv import reshard
from suite.transfer.metrics import RankRecord
from suite.transfer.pools import block_tables
from suite.transfer.record import Failure, RequestRecord
from suite.transfer.task import SIDES, seat_of
from suite.world.supervisor import WorkerFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from suite.transfer.record import Op, Status
    from suite.transfer.resources import Requested
    from suite.transfer.task import SideName, Task

_DETAIL = 2_000  # characters of what a lost worker had printed last
_SHOWN = 20  # findings of a request that are kept


class Asks(Protocol):
    """The workers of all ranks."""

    def ask(self, phase: str, arguments: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Ask each role in `arguments`; `WorkerFailed` when one of the workers is lost."""

    def next_epoch(self) -> int:
        """Return an epoch that no content has carried."""


class Batch:
    """Moves its requests one after the other, then has every byte of all ranks compared."""

    def __init__(self, ranks: Asks, task: Task, op: Op, requested: Requested, *, seed: int) -> None:
        self._ranks, self._task, self._op, self._requested = ranks, task, op, requested
        self._epoch = ranks.next_epoch()
        self._tables = {name: block_tables(task, name, requested.requests, (seed, self._epoch)) for name in SIDES}
        self._told_of_ranks: dict[tuple[int, str], dict[str, int]] = {}
        self._told: dict[int, dict[str, Any]] = {}  # what is known of each request that had its turn
        self._status: dict[int, Status] = dict.fromkeys(requested.requests, "not-run")
        self._findings: dict[int, list[str]] = defaultdict(list)
        self._failure: Failure | None = None
        self.stray: list[str] = []  # wrong bytes of no request
        self.check_ns = 0
        self.checked_bytes = 0

    def run(self) -> None:
        """Stamp, move, check; whatever is lost on the way is in the records before `WorkerFailed` is raised again."""
        try:
            self._stamp()
            for request in self._requested.requests:
                self._status[request] = "failed"  # until all ranks say otherwise
                self._move(request)
                self._status[request] = "unchecked"
            self._check()
        except WorkerFailed as failed:
            self._failure = failure_of(failed)
            raise

    def records(self, transport: str, *, emulated: bool) -> list[RequestRecord]:
        """Return the record of each request, as far as it came."""
        return [
            RequestRecord(
                schema=1,
                op=self._op,
                request=request,
                batch=self._requested.batch,
                status=status,
                transport=transport,
                emulated=emulated,
                findings=self._findings[request],
                failure=None if status in {"good", "wrong"} else self._failure,
                **self._told.get(request, {}),
            )
            for request, status in self._status.items()
        ]

    def ranks(self, transport: str, *, emulated: bool) -> list[RankRecord]:
        """Return what each rank measured of each request that was moved."""
        return [
            RankRecord(
                schema=1, op=self._op, request=request, role=role, transport=transport, emulated=emulated, **told
            )
            for (request, role), told in self._told_of_ranks.items()
        ]

    def _stamp(self) -> None:
        questions = {}
        for role in self._task.roles():
            name, _ = seat_of(role)
            questions[role] = {"epoch": self._epoch, "tables": self._tables[name]}
        self._ranks.ask("stamp", questions)

    def _move(self, request: int) -> None:
        ways = self._task.ways(request)
        roles = [role for name in SIDES for role in self._task.ranks_of(name, request)]
        tables = {name: self._tables[name][request] for name in SIDES}
        task = self._task
        whole = reshard.total(task.model, task.prefill, task.decode, tokens=task.tokens, cached=task.cached)
        initiator: SideName = "prefill" if self._op == "push" else "decode"
        told = self._told[request] = {
            "prefill_ranks": len({way.source for way in ways}),
            "decode_ranks": len({way.destination for way in ways}),
            "pairs": len(ways),
            "logical_bytes": whole.logical_bytes,
            "padded_bytes": whole.padded_bytes,
        }
        prepared = self._ranks.ask("prepare", {role: {"request": request, "tables": tables} for role in roles})
        posting = [answer for role, answer in prepared.items() if seat_of(role)[0] == initiator]
        told |= {
            name: sum(answer[name] for answer in posting)
            for name in ("descriptors", "posted_descriptors", "wire_bytes")
        }
        told["preparation_ns"] = max(answer["took_ns"] for answer in prepared.values())
        start = time.perf_counter_ns()
        moved = self._ranks.ask("transfer", {role: {"request": request} for role in roles})
        told["transmission_ns"] = max(answer["ended_ns"] for answer in moved.values()) - start
        for role in roles:
            answer = prepared[role]
            self._told_of_ranks[request, role] = {
                "peers": sum(role in {way.source, way.destination} for way in ways),
                "preparation_ns": answer["took_ns"],
                "transmission_ns": moved[role]["ended_ns"] - start,
                **{name: answer[name] for name in ("wire_bytes", "descriptors", "posted_descriptors")},
            }

    def _check(self) -> None:
        answers = self._ranks.ask("check", {role: {} for role in self._task.roles()})
        self.check_ns = max(answer["took_ns"] for answer in answers.values())
        self.checked_bytes = sum(answer["bytes"] for answer in answers.values())
        for role in self._task.roles():
            for finding in answers[role]["findings"]:
                self._blame(role, finding)
        for request in self._requested.requests:
            self._status[request] = "wrong" if self._findings[request] else "good"

    def _blame(self, role: str, finding: Mapping[str, Any]) -> None:
        rows = f" ({finding['rows']} rows)" if finding["rows"] > 1 else ""
        told = self.stray if finding["request"] is None else self._findings[finding["request"]]
        if len(told) < _SHOWN:
            told.append(f"{role}: {finding['text']}{rows}"[:_DETAIL])


def failure_of(failed: WorkerFailed) -> Failure:
    """Return a lost worker as a record has it."""
    detail = failed.detail[-_DETAIL:]
    return Failure(role=failed.role, phase=failed.phase, reason=failed.reason[:_DETAIL], detail=detail)
