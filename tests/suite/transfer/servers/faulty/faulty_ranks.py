"""Ranks that are wrong on purpose, for worker processes: each does the real work but for one thing."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.kv import reshard
from suite.transfer.workers import RankServer

if TYPE_CHECKING:
    from suite.kv.plan import Plan
    from suite.transfer.task import Way

CULPRIT = "prefill-0"
VICTIM = "decode-1"


class DropsPair(RankServer):
    """Moves nothing to one of its peers, and announces it all the same."""

    def _ways(self, request: int) -> list[Way]:
        return [way for way in super()._ways(request) if self._role != CULPRIT or way.destination != VICTIM]

    def transfer(self, request: int) -> dict[str, Any]:
        if self._role == CULPRIT:
            self._endpoint.notify(self._peers[VICTIM]["agent"], self._tag(request))
        return super().transfer(request)


class SilentAboutPair(RankServer):
    """Moves nothing to one of its peers, and says nothing."""

    def _ways(self, request: int) -> list[Way]:
        return [way for way in super()._ways(request) if self._role != CULPRIT or way.destination != VICTIM]


class _Dies(RankServer):
    """Is killed at one point, as by the kernel when memory runs out."""

    def _die(self) -> None:
        if self._role == VICTIM:
            os.kill(os.getpid(), signal.SIGKILL)


class DiesInTransfer(_Dies):
    def transfer(self, request: int) -> dict[str, Any]:
        if request == 1:
            self._die()
        return super().transfer(request)


class DiesInCheck(_Dies):
    def check(self) -> dict[str, Any]:
        self._die()
        return super().check()


def _swapped(*arguments: Any, **options: Any) -> Plan:
    plan = reshard.plan(*arguments, **options)
    order = np.arange(len(plan))
    order[:2] = 1, 0
    return replace(plan, destination=plan.destination[order])


def _one_head_on(*arguments: Any, **options: Any) -> Plan:
    """Read each head from where the next one lies, as a head rule with an offset of one does."""
    plan = reshard.plan(*arguments, **options)
    return replace(plan, source=np.roll(plan.source, 1, axis=0))


def swaps_two_descriptors(role: str) -> RankServer:
    return RankServer(role, plan=_swapped if role == CULPRIT else reshard.plan)


def reads_the_wrong_rows(role: str) -> RankServer:
    return RankServer(role, plan=_one_head_on if role == CULPRIT else reshard.plan)
