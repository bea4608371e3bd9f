"""A script that starts Open MPI's mpirun, from any one of the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.cluster.jobs.job import NEW_TOKEN, TOKEN, line
from suite.errors import BadInput

if TYPE_CHECKING:
    from suite.cluster.jobs.job import Job


def mpirun(job: Job) -> list[str]:
    """Return the script's lines; `BadInput` for several nodes without an address where the ranks meet.

    Ranks are not bound, and may be more than cores: each is a supervisor that
    places its own workers.
    """
    if job.nodes > 1 and not job.rendezvous:
        hint = "--rendezvous HOST:PORT: a free port of the node that rank 0 runs on, the first one"
        raise BadInput("no-meeting", f"mpirun on {job.nodes} nodes needs an address", hint)
    placed = ["--map-by", f"ppr:{job.ranks}:node:OVERSUBSCRIBE", "--bind-to", "none"]
    hosts = ["--hostfile", job.hostfile] if job.hostfile else []
    rendezvous = ["--rendezvous", str(job.rendezvous)] if job.rendezvous else []
    words = ["mpirun", "-np", str(job.nodes * job.ranks), *hosts, *placed, "-x", TOKEN,
             *job.contained(), *job.sweep(), *rendezvous]  # fmt: skip
    return [
        "#!/bin/bash",
        "set -euo pipefail",
        "# ranks without this run's token are refused",
        NEW_TOKEN,
        f"export {TOKEN}",
        line(words),
    ]
