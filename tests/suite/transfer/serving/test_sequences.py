"""Twenty sequences of the state machine (`tests.suite.transfer.requests.machine`), put to real servers and their ranks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from suite.transfer.requests.request import Patience
from suite.transfer.serving.manner import Manner
from suite.transports import base
from suite.world.supervisor import WorkerFailed
from tests.suite.transfer.serving.running import everything_holds, outcomes, service, workers_find_these_tests

if TYPE_CHECKING:
    from suite.transfer.serving.service import Service

SEQUENCES = 20
_SECOND = 10**9
MANNER = Manner(
    layers_each=1,
    pace_ns=500_000,
    patience=Patience(waiting_ns=5 * _SECOND, allocated_ns=5 * _SECOND, transferring_ns=5 * _SECOND),
    doubt_ns=_SECOND // 4,
    restarts=100,
    server="tests.suite.transfer.serving.breakable:BreakableSeat",
)
pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(bool(base.load("nixl:UCX").missing()), reason="this machine lacks NIXL"),
]


@cache
def sequences() -> list[list[list[Any]]]:
    """Return the twenty in which most different things happen, of those with at least two requests."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.suite.transfer.requests.told", "200", "15", "1"],
        cwd=Path(__file__).parents[4],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    found = [script for script in json.loads(told.stdout) if sum(one[0] == "submit" for one in script) >= 2]
    return sorted(found, key=lambda script: -len({stimulus[0] for stimulus in script}))[:SEQUENCES]


def strike(running: Service, stimulus: list[Any]) -> None:
    """Let happen to real processes what the machine chose."""
    match stimulus:
        case ["submit", number]:
            running.submit(number)
        case ["cancel", side, number]:
            running.cancel(side, number)
        case ["crash", side, rank]:
            os.kill(running.ranks[side].pids()[f"{side}-{rank}"], signal.SIGKILL)
        case ["restart", side]:
            running.restart(side)
        case ["break", number, prefill, decode]:
            side, rank = ("prefill", prefill) if running.op == "push" else ("decode", decode)
            running.rest()
            try:
                running.ranks[side].ask("break_share", {f"{side}-{rank}": {"request": number}})
            except WorkerFailed as dead:  # a crash that nobody has noticed yet
                running.restart(side, dead)
        case ["tick"] | ["finish"]:
            pass  # time passes by itself; requests are finished when they are checked


@pytest.mark.parametrize("number", range(SEQUENCES))
def test_a_sequence_on_real_workers(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers_find_these_tests(monkeypatch)
    script = sequences()[number]
    op, transport = ("push", "pull")[number % 2], ("nixl:UCX", "copy")[number // 2 % 2]
    manner = MANNER if op == "push" else Manner(**{**vars(MANNER), "layers_each": 0})
    with service(tmp_path, op, transport, manner) as running:
        for place, stimulus in enumerate(script):
            strike(running, stimulus)
            for _ in range((place * 7 + number) % 5):
                running.turn()
        running.settle()
        submitted = sum(stimulus[0] == "submit" for stimulus in script)
        assert len(outcomes(running)) == submitted
        everything_holds(running)


def test_the_sequences_hold_what_can_happen() -> None:
    kinds = {stimulus[0] for script in sequences() for stimulus in script}
    assert len(sequences()) == SEQUENCES
    assert {"submit", "cancel", "crash", "restart", "break"} <= kinds
