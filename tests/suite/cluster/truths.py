"""Worlds, and the environments that launchers make of them: what discovery is tried on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Truth:
    """A run of `nodes` times `per_node` ranks, and one rank of it."""

    nodes: int
    per_node: int
    rank: int
    job: int

    @property
    def size(self) -> int:
        return self.nodes * self.per_node

    @property
    def node(self) -> int:
        return self.rank // self.per_node

    @property
    def local_rank(self) -> int:
        return self.rank % self.per_node

    @property
    def head(self) -> str:
        return f"head{self.job}"

    @property
    def port(self) -> int:
        return 1024 + self.job


def kubernetes(truth: Truth) -> dict[str, str]:
    return {
        "RANK": str(truth.rank),
        "WORLD_SIZE": str(truth.size),
        "MASTER_ADDR": truth.head,
        "MASTER_PORT": str(truth.port),
    }


def torchrun(truth: Truth) -> dict[str, str]:
    return kubernetes(truth) | {
        "LOCAL_RANK": str(truth.local_rank),
        "LOCAL_WORLD_SIZE": str(truth.per_node),
        "GROUP_RANK": str(truth.node),
        "GROUP_WORLD_SIZE": str(truth.nodes),
        "TORCHELASTIC_RUN_ID": f"run{truth.job}",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }


def slurm(truth: Truth) -> dict[str, str]:
    return {
        "SLURM_PROCID": str(truth.rank),
        "SLURM_NTASKS": str(truth.size),
        "SLURM_LOCALID": str(truth.local_rank),
        "SLURM_NODEID": str(truth.node),
        "SLURM_NNODES": str(truth.nodes),
        "SLURM_JOB_ID": str(truth.job),
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NODELIST": f"{truth.head},other[1-{truth.nodes}]" if truth.nodes > 1 else truth.head,
    }


def open_mpi(truth: Truth) -> dict[str, str]:
    return {
        "OMPI_COMM_WORLD_RANK": str(truth.rank),
        "OMPI_COMM_WORLD_SIZE": str(truth.size),
        "OMPI_COMM_WORLD_LOCAL_RANK": str(truth.local_rank),
        "OMPI_COMM_WORLD_LOCAL_SIZE": str(truth.per_node),
        "OMPI_MCA_ess_base_vpid": str(truth.rank),
        "OMPI_MCA_ess_base_jobid": str(truth.job),
        "PMIX_NAMESPACE": str(truth.job),
    }


def hydra(truth: Truth) -> dict[str, str]:
    return {
        "PMI_RANK": str(truth.rank),
        "PMI_SIZE": str(truth.size),
        "MPI_LOCALRANKID": str(truth.local_rank),
        "MPI_LOCALNRANKS": str(truth.per_node),
        "PMI_JOBID": str(truth.job),
    }


def leader_worker_set(truth: Truth) -> dict[str, str]:
    return {
        "LWS_WORKER_INDEX": str(truth.rank),
        "LWS_GROUP_SIZE": str(truth.size),
        "LWS_LEADER_ADDRESS": f"{truth.head}.group.namespace",
    }


WITH_ADDRESS: dict[str, Callable[[Truth], dict[str, str]]] = {
    "kubernetes": kubernetes,
    "torchrun": torchrun,
    "slurm": slurm,
    "leader_worker_set": leader_worker_set,
}
ALL = WITH_ADDRESS | {"open_mpi": open_mpi, "hydra": hydra}
NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NODEID",
           "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "PMI_RANK", "PMI_SIZE",
           "LWS_WORKER_INDEX", "LWS_GROUP_SIZE", "MASTER_PORT")  # fmt: skip
NAMES = sorted({name for make in ALL.values() for name in make(Truth(2, 2, 0, 1))} | {"SLURM_STEP_NUM_TASKS"})


@st.composite
def truths(draw: st.DrawFn, *, smallest: int = 2) -> Truth:
    nodes, per_node = draw(st.integers(1, 16)), draw(st.integers(1, 16))
    if nodes * per_node < smallest:
        nodes = smallest
    return Truth(nodes, per_node, draw(st.integers(0, nodes * per_node - 1)), draw(st.integers(1, 60_000)))
