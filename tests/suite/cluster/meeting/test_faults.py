"""Real processes, killed, stopped or late in each phase: the others name the rank and the phase, in bounded time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "servers" / "faults.py"
BOUND_S = 12.0  # joining, or silence, and a busy machine; a fault that is not noticed would be waited for 20 s and more
PHASES = ("join", "place", "launch")


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, dict[str, Any]]]:
    done = subprocess.run([sys.executable, "-P", SCRIPT], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]  JSON


def ends(found: dict[str, Any], name: str, *ranks: int) -> list[dict[str, Any]]:
    told = [found[name][str(rank)] for rank in ranks]
    for one in told:
        assert one is not None, name
        assert one["code"] == 1
        assert one["s"] < BOUND_S
    return told


@pytest.mark.deep
def test_without_a_fault_all_is_good(found: Any) -> None:
    assert [found["none -1 "][str(rank)]["end"] for rank in range(3)] == ["good"] * 3
    assert len(found["none -1 "]["0"]["kept"]) == 6


@pytest.mark.deep
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_a_lost_rank_is_named_by_all_others(fault: str, phase: str, found: Any) -> None:
    reason = {"killed": "closed|broke", "stopped": "not heard"}[fault]
    for one in ends(found, f"{fault} 1 {phase}", 0, 2):
        rank, where, why = one["end"]
        assert (rank, where) == (1, phase)
        assert ("did not join" in why) if phase == "join" else any(word in why for word in reason.split("|"))


@pytest.mark.deep
@pytest.mark.parametrize("phase", ["place", "launch"])
def test_a_late_rank_is_named_by_all_others(phase: str, found: Any) -> None:
    for one in ends(found, f"late 1 {phase}", 0, 2):
        assert one["end"] == [1, phase, "not done after 0.5 s (host host1)"]


@pytest.mark.deep
@pytest.mark.parametrize("fault", ["killed", "stopped", "late"])
def test_what_the_lost_rank_had_sent_is_kept(fault: str, found: Any) -> None:
    kept = found[f"{fault} 1 launch"]["0"]["kept"]
    assert {"place of 1", "launch of 1"} <= set(kept)


@pytest.mark.deep
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_rank_0_that_is_lost_is_named_by_all_others(fault: str, phase: str, found: Any) -> None:
    for one in ends(found, f"{fault} 0 {phase}", 1, 2):
        if phase == "join":
            assert "has not met rank 0 at 127.0.0.1:" in one["end"]
        else:
            assert one["end"][:2] == [0, phase]


@pytest.mark.deep
@pytest.mark.parametrize("phase", ["place", "launch"])
def test_rank_0_that_wakes_up_hears_why_the_others_are_gone(phase: str, found: Any) -> None:
    assert "rank 0 was not heard" in found[f"stopped 0 {phase}"]["0"]["end"][2]
