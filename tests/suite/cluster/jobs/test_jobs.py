"""What is printed is what is in the golden files, and a shell reads from it the words that were meant."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from suite.cluster.jobs.job import Job
from suite.cluster.jobs.mpirun import mpirun
from suite.cluster.jobs.slurm import slurm
from suite.cluster.jobs.torchrun import torchrun
from suite.cluster.world import Address
from suite.errors import BadInput
from tests.suite.cluster.jobs.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"
KVGAUGE = Path(sys.executable).parent / "kvgauge"
HEAD = Address("head", 29400)
PRINTERS = {"slurm": slurm, "torchrun": torchrun, "mpirun": mpirun}
ODD = "a b;touch x'$(touch y)`touch z`\"*.toml"

CASES: dict[str, tuple[Callable[[Job], list[str]], Job, list[str]]] = {
    "slurm-two-nodes": (
        slurm,
        Job("standard", nodes=2, ranks=8, gpus=8, time="01:00:00", partition="gpu,long", account="kv"),
        ["slurm", "standard", "--nodes", "2", "--gpus-per-node", "8", "--time", "01:00:00", "--partition", "gpu,long", "--account", "kv"],
    ),
    "slurm-container": (
        slurm,
        Job("quick", ranks=2, container="images/kv gauge.sif", out="runs/a b"),
        ["slurm", "quick", "--ranks-per-node", "2", "--container", "images/kv gauge.sif", "--out", "runs/a b"],
    ),
    "torchrun-one-node": (torchrun, Job("quick", ranks=2), ["torchrun", "quick", "--ranks-per-node", "2"]),
    "torchrun-two-nodes": (
        torchrun,
        Job("standard", nodes=2, ranks=8, gpus=8, venv="/opt/kv gauge/", rendezvous=HEAD),
        ["torchrun", "standard", "--nodes", "2", "--gpus-per-node", "8", "--venv", "/opt/kv gauge/",
         "--rendezvous", "head:29400"],
    ),
    "mpirun-one-node": (mpirun, Job("quick", ranks=4), ["mpirun", "quick", "--ranks-per-node", "4"]),
    "mpirun-two-nodes": (
        mpirun,
        Job("standard", nodes=2, ranks=8, gpus=8, container="kv.sif", hostfile="hosts", rendezvous=HEAD),
        ["mpirun", "standard", "--nodes", "2", "--gpus-per-node", "8", "--container", "kv.sif", "--hostfile", "hosts", "--rendezvous", "head:29400"],
    ),
}  # fmt: skip


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def golden_files_hold(_: Path) -> None:
    for name, (printer, job, _arguments) in CASES.items():
        assert text(printer(job)) == (GOLDEN / f"{name}.sh").read_text("utf-8"), name


def a_shell_reads_what_was_meant(folder: Path) -> None:
    """Run each script with a program in the launcher's place that shows the words it was started with."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name in ("srun", "torchrun", "mpirun"):
        path = programs / name
        path.write_text('#!/bin/bash\nprintf "%s\\0" "$0" "$KVGAUGE_TOKEN" "$@"\n', encoding="utf-8")
        path.chmod(0o755)
    for printer in PRINTERS.values():
        job = Job(ODD, ranks=2, container=ODD, out=ODD, hostfile=ODD)
        # the container's own program comes first under torchrun: leave it away there
        job = job if printer is not torchrun else Job(ODD, ranks=2, out=ODD)
        done = subprocess.run(
            ["/bin/bash"],
            input=text(printer(job)),
            cwd=folder,
            env={"PATH": f"{programs}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        _, token, *words = done.stdout.split("\0")[:-1]
        assert re.fullmatch(r"[0-9a-f]{32}", token)
        assert words[-5:] == ["kvgauge", "sweep", ODD, "--out", ODD]
        if printer is mpirun:
            assert words[words.index("--hostfile") + 1] == ODD
            assert words[words.index("-x") + 1] == "KVGAUGE_TOKEN"
    assert [path.name for path in folder.iterdir()] == ["bin"]


def what_cannot_be_quoted_is_refused(_: Path) -> None:
    for change in (
        {"partition": "gpu\n#SBATCH --uid=0"},
        {"partition": "a b"},
        {"account": "-x"},
        {"account": "a\n"},
        {"time": "01:00:00\n#SBATCH --x"},
        {"time": "1h"},
        {"time": "$(id)"},
        {"spec": "-o"},
        {"out": "a\nb"},
        {"venv": "\x1b[2J"},
        {"container": "x" * 5000},
        {"nodes": 1 << 10, "ranks": 1 << 10},
    ):
        with pytest.raises(BadInput) as caught:
            Job(**({"spec": "quick"} | change))  # type: ignore[arg-type]  the fields differ in type
        assert caught.value.message.isprintable()
        assert caught.value.hint


def several_nodes_meet_somewhere(_: Path) -> None:
    for printer in (torchrun, mpirun):
        with pytest.raises(BadInput, match="2 nodes") as caught:
            printer(Job("quick", nodes=2))
        assert "--rendezvous" in caught.value.hint


CHECKS = (
    golden_files_hold,
    a_shell_reads_what_was_meant,
    what_cannot_be_quoted_is_refused,
    several_nodes_meet_somewhere,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_holds(check: Callable[[Path], None], tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_faulty_variant_is_found_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    VARIANTS[name](monkeypatch)
    found = []
    for number, check in enumerate(CHECKS):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            check(folder)
        except BaseException as error:  # noqa: BLE001  pytest.fail and whatever a faulty variant raises
            found.append(error)
    assert found


def test_every_golden_file_is_a_case_and_a_script() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)
    for path in GOLDEN.iterdir():
        subprocess.run(["/bin/bash", "-n", path], timeout=30, check=True)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KVGAUGE, "job", *words],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.deep
@pytest.mark.parametrize("name", ["slurm-two-nodes", "torchrun-two-nodes", "mpirun-two-nodes"])
def test_the_command_prints_the_golden_file(name: str) -> None:
    done = run(*CASES[name][2])
    assert done.returncode == 0, done.stderr
    assert done.stdout == (GOLDEN / f"{name}.sh").read_text("utf-8")
    assert "does not run across ranks yet" in done.stderr


@pytest.mark.deep
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["slurm", "nosuch"], "presets: quick, standard"),
        (["mpirun", "quick", "--time", "5"], "--time is for slurm"),
        (["mpirun", "quick", "--nodes", "2"], "--rendezvous"),
    ],
    ids=" ".join,
)
def test_wrong_use_is_exit_2(words: list[str], said: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


MPIRUN = shutil.which("mpirun")


@pytest.mark.deep
@pytest.mark.skipif(MPIRUN is None, reason="Open MPI is not installed (Debian: openmpi-bin)")
def test_open_mpi_runs_what_is_printed(tmp_path: Path) -> None:
    """Four ranks find the same world; none of them measures by itself."""
    program = tmp_path / "bin" / "kvgauge"
    program.parent.mkdir()
    program.symlink_to(KVGAUGE)
    script = (GOLDEN / "mpirun-one-node.sh").read_text("utf-8")
    open_mpi = {name: value for name, value in os.environ.items() if name.startswith(("OPAL_", "LD_LIBRARY", "OMPI_"))}
    environment = {
        "PATH": f"{program.parent}:{Path(MPIRUN or '').parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_orte_abort_on_non_zero_status": "0",  # all four have their say; mpirun then says 0
        **open_mpi,
    }
    done = subprocess.run(
        ["/bin/bash"],
        input=script,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = set(
        re.findall(r"rank (\d) of 4 \(local rank (\d)\) by Open MPI; the ranks meet at 127.0.0.1:(\d+)", done.stderr)
    )
    assert {one[:2] for one in told} == {(str(rank), str(rank)) for rank in range(4)}, done.stderr
    assert len({port for _, _, port in told}) == 1
