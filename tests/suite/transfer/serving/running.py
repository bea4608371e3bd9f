"""Two real servers for tests, and what must hold when all is over."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from suite.kv.groups import LayerGroup, Model
from suite.kv.parallel import Parallel
from suite.kv.side import Side
from suite.transfer.driver import Plan
from suite.transfer.requests.request import State
from suite.transfer.resources import prepared
from suite.transfer.serving.manner import Manner
from suite.transfer.serving.service import Service
from suite.transfer.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from suite.transfer.record import Op

MODEL = Model("small", 4, (LayerGroup("full", (0, 1, 3), 2, 4, 64), LayerGroup("window", (2,), 2, 4, 64, window=24)))


def task_of(requests: int = 12, batch: int = 3, tokens: int = 100) -> Task:
    """Return the task of a small model between two ranks a side, in pools for `batch` requests."""
    sides = (Side(Parallel(2), 8, 2), Side(Parallel(1, 2), 16, 2))
    return Task(MODEL, *sides, tokens, requests, batch)


@contextmanager
def service(
    folder: Path, op: Op, transport: str = "copy", manner: Manner | None = None, **counts: int
) -> Iterator[Service]:
    task = task_of(**counts)
    resources = prepared(task, transport, folder, emulated_gpus=0)
    plan = Plan(task, transport, resources, folder, 7, 20)
    with Service(plan, op, manner or Manner(in_flight=4, doubt_ns=10**9), 3) as running:
        yield running


def workers_find_these_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers, which start in a clean process, import seats that are broken on purpose."""
    root = str(Path(__file__).parents[4])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])))


def outcomes(running: Service) -> list[str]:
    """Tell how each request ended at decode; or, if either side says otherwise, so."""
    found = []
    for name in running.servers["decode"].notes:
        notes = [server.notes[name] for server in running.servers.values()]
        assert not any(note.findings for note in notes), notes
        ends = {str(note.outcome) for note in notes}
        found.append(next(iter(ends)) if len(ends) == 1 else "complete on one side")
    return found


def everything_holds(running: Service) -> None:
    """Check that every request has ended, every block is back, and no byte of any rank is other than it must be."""
    for server in running.servers.values():
        ledger = server.ledger
        assert sorted(ledger.pool.free) == list(range(ledger.pool.size))
        assert not ledger.pool.waiting
        over = {State.COMPLETE, State.FAILED, State.CANCELLED}
        assert {life.state for life in ledger.lives.values()} <= over
        assert all(note.outcome in over for note in server.notes.values()), "a user was told nothing"
    for ranks in running.ranks.values():
        for role, answer in ranks.ask("check", {role: {} for role in ranks.roles}).items():
            assert answer["findings"] == [], role
