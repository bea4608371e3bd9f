"""A measuring command that a launcher has started as one of several ranks stops, and says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.suite.cluster.truths import Truth, slurm

KVGAUGE = Path(sys.executable).parent / "kvgauge"


def said_by(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KVGAUGE, *command],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_rank_without_an_address_stops_the_sweep(tmp_path: Path) -> None:
    done = said_by(["sweep", "quick", "--out", str(tmp_path / "run")], RANK="1", WORLD_SIZE="2")
    assert done.returncode == 2
    assert "MASTER_ADDR" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.deep
@pytest.mark.parametrize("command", ["sweep", "run"])
def test_many_ranks_never_measure_apart_in_silence(command: str, tmp_path: Path) -> None:
    environment: Any = slurm(Truth(2, 1, 1, 7))
    done = said_by([command, "--out", str(tmp_path / "run")], **environment)
    assert done.returncode == 3
    assert "rank 1 of 2" in done.stderr
    assert "--alone" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.deep
def test_alone_a_rank_may_plan_its_own_machine() -> None:
    done = said_by(["sweep", "--plan", "--alone"], RANK="1", WORLD_SIZE="2")
    assert done.returncode == 0, done.stderr
