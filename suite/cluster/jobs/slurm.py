"""An sbatch script: `kvgauge job slurm SPEC > job.sh && sbatch job.sh`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.cluster.jobs.job import NEW_TOKEN, TOKEN, line

if TYPE_CHECKING:
    from suite.cluster.jobs.job import Job


def slurm(job: Job) -> list[str]:
    """Return the script's lines.

    The tasks are not bound: each is a supervisor that places its own workers. A
    failed task does not end the others, because rank 0 has still to write.
    """
    asked = {
        "job-name": "kvgauge",
        "nodes": str(job.nodes),
        "ntasks-per-node": str(job.ranks),
        "gpus-per-node": str(job.gpus) if job.gpus else "",
        "time": job.time,
        "partition": job.partition,
        "account": job.account,
        "output": "kvgauge-%j.out",
    }
    rendezvous = ["--rendezvous", str(job.rendezvous)] if job.rendezvous else []
    return [
        "#!/bin/bash",
        *[f"#SBATCH --{name}={value}" for name, value in asked.items() if value],
        "#SBATCH --exclusive",
        "set -euo pipefail",
        "# ranks without this run's token are refused",
        NEW_TOKEN,
        f"export {TOKEN}",
        line(
            [
                "srun",
                "--export=ALL",
                "--cpu-bind=none",
                "--kill-on-bad-exit=0",
                *job.contained(),
                *job.sweep(),
                *rendezvous,
            ]
        ),
    ]
