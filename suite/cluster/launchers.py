"""What each launcher tells a process that it starts, as data.

Sources: torch's `torch/distributed/run.py` (environment variables), `srun(1)`
(output environment variables), Open MPI's and MPICH's process managers,
kubernetes-sigs/lws `api/leaderworkerset/v1`. Open MPI's were also seen in its
own processes (4.1.4).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Launcher:
    """A launcher's variables; "" or nothing where it has none.

    `present` are those that only a process of its world has. `marks` prove that
    this launcher started this very process, and did not only leave variables that
    others use too: what `outside` launchers say is then about its own parent.
    `run` names one run among the others of the launcher.
    """

    name: str
    rank: str
    size: tuple[str, ...]  # the first that is there counts
    present: tuple[str, ...]
    local_rank: str = ""
    local_size: str = ""
    node: str = ""
    run: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


LEADER_WORKER_SET = Launcher(
    name="LeaderWorkerSet",
    rank="LWS_WORKER_INDEX",
    size=("LWS_GROUP_SIZE",),
    present=("LWS_WORKER_INDEX", "LWS_GROUP_SIZE"),
    run=("LWS_LEADER_ADDRESS",),
)

SLURM = Launcher(
    name="Slurm",
    rank="SLURM_PROCID",
    size=("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),  # a step may have fewer tasks than its job
    present=("SLURM_PROCID",),  # a shell of salloc has SLURM_NTASKS, and is no rank
    local_rank="SLURM_LOCALID",
    node="SLURM_NODEID",
    run=("SLURM_JOB_ID", "SLURM_STEP_ID"),
)

PMI = Launcher(
    name="PMI",
    rank="PMI_RANK",
    size=("PMI_SIZE",),
    present=("PMI_RANK", "PMI_SIZE"),
    local_rank="MPI_LOCALRANKID",
    local_size="MPI_LOCALNRANKS",
    run=("PMI_JOBID", "PMI_PORT"),
    marks=("MPI_LOCALRANKID",),  # Hydra's; srun with PMI has PMI_RANK too, and agrees with itself
    outside=("Slurm", "LeaderWorkerSet"),
)

OPEN_MPI = Launcher(
    name="Open MPI",
    rank="OMPI_COMM_WORLD_RANK",
    size=("OMPI_COMM_WORLD_SIZE",),
    present=("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    local_rank="OMPI_COMM_WORLD_LOCAL_RANK",
    local_size="OMPI_COMM_WORLD_LOCAL_SIZE",
    run=("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "OMPI_MCA_orte_precondition_transports"),
    marks=("OMPI_MCA_ess_base_vpid", "PMIX_NAMESPACE"),
    outside=("Slurm", "PMI", "LeaderWorkerSet"),
)

TORCH = Launcher(
    name="torchrun or Kubernetes",
    rank="RANK",
    size=("WORLD_SIZE",),
    present=("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    local_rank="LOCAL_RANK",
    local_size="LOCAL_WORLD_SIZE",
    node="GROUP_RANK",
    run=("TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT"),
    marks=("TORCHELASTIC_RUN_ID",),
    outside=("Slurm", "PMI", "Open MPI", "LeaderWorkerSet"),
)

LAUNCHERS = (TORCH, OPEN_MPI, PMI, SLURM, LEADER_WORKER_SET)  # the inner before the outer
