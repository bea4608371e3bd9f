"""File seats that are wrong on purpose: each does the real work but for one thing."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from suite.transfer.serving.file_seat import FileSeat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.kv.plan import Plan
    from suite.transfer.serving.jobs import Job, Report
    from suite.transfer.serving.lane import InTurn
    from suite.transfer.serving.rooms import Table
    from suite.transports.base import Op

CULPRIT = "prefill-0"


class SkipsBlock(FileSeat):
    """Stores all blocks of a request but its last, and says that it has stored all."""

    def _blocks(self, table: Table) -> Plan:
        plan = super()._blocks(table)
        if self._role != CULPRIT:
            return plan
        return replace(plan, source=plan.source[:-1], destination=plan.destination[:-1])


class AnnouncesEarly(FileSeat):
    """Says that it has stored everything, and has not even begun."""

    def _compute(self, job: Job) -> Iterator[Report]:
        if self._role == CULPRIT and job.computing:
            job.computing = False
            yield {"kind": "computed", "request": job.request}
        else:
            yield from super()._compute(job)


class DiesWhileStoring(FileSeat):
    """Is killed as soon as it has begun to store request 1; not in its next life."""

    def _in_turn(self, op: Op, plan: Plan) -> InTurn:
        transfer = super()._in_turn(op, plan)
        if self._role == CULPRIT and 1 in self._jobs and self._first:
            transfer.post()
            os.kill(os.getpid(), signal.SIGKILL)
        return transfer

    @property
    def _first(self) -> bool:
        return str(self._endpoint._nixl.name).endswith("-0")
