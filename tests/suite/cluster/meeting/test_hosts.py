"""Ranks on hosts of their own, as network namespaces, and under a real launcher."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from suite.world import namespaces

SCRIPT = Path(__file__).parent / "servers" / "one_rank.py"
MPIRUN = shutil.which("mpirun")


def rank_on(host: namespaces.Host, rank: int, stack: ExitStack) -> subprocess.Popen[str]:
    """Start a rank as Kubernetes would: four variables and a token."""
    world = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": namespaces.ADDRESSES[0], "MASTER_PORT": "29400"}
    started = stack.enter_context(
        subprocess.Popen(
            [*host.enter, sys.executable, "-P", SCRIPT, "wait"],
            env=os.environ | world | {"KVGAUGE_TOKEN": "t" * 32},
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    stack.callback(started.kill)
    return started


def line_of(process: subprocess.Popen[str]) -> Any:
    assert process.stdout
    return json.loads(process.stdout.readline())


@pytest.mark.deep
def test_a_cut_cable_is_noticed_at_both_ends() -> None:
    if lacking := namespaces.missing():
        pytest.skip(f"needs two hosts: {lacking[0]}")  # as an unprivileged user where the kernel gives no namespaces
    with namespaces.link() as link, ExitStack() as stack:
        ranks = [rank_on(host, rank, stack) for rank, host in enumerate((link.prefill, link.decode))]
        for process in ranks:
            assert line_of(process)["here"] == "launch"
        ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
        assert ip
        link.decode.run(ip, "link", "set", namespaces.DEVICE, "down")
        ends = [line_of(process) for process in ranks]
    assert ends[0]["end"][:2] == [1, "launch"]
    assert ends[1]["end"][:2] == [0, "launch"]
    for end in ends:
        assert "not heard for 2" in end["end"][2]
    assert ends[0]["kept"] == ["record of 0", "record of 1"]


@pytest.mark.deep
@pytest.mark.skipif(MPIRUN is None, reason="Open MPI is not installed (Debian: openmpi-bin)")
def test_four_ranks_of_open_mpi_meet() -> None:
    command = [MPIRUN or "", "-np", "4", "--map-by", "ppr:4:node:OVERSUBSCRIBE", "--bind-to", "none"]
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        [*command, sys.executable, "-P", SCRIPT],
        env=os.environ | allowed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(one["told"] for one in told if "told" in one) == [[rank, rank] for rank in range(4)]
    ends = [one for one in told if "end" in one]
    assert [one["end"] for one in ends] == ["good"] * 4
    assert [f"record of {rank}" for rank in range(4)] in [one["kept"] for one in ends]
