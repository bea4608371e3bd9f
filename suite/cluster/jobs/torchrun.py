"""A script that starts torchrun's agent on one node; with several nodes, it is run on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.cluster.jobs.job import NEW_TOKEN, TOKEN, line
from suite.errors import BadInput

if TYPE_CHECKING:
    from suite.cluster.jobs.job import Job


def torchrun(job: Job) -> list[str]:
    """Return the script's lines; `BadInput` for several nodes without an address where the agents meet."""
    if job.nodes > 1 and not job.rendezvous:
        hint = "--rendezvous HOST:PORT: where the agents meet, on one of the nodes"
        raise BadInput("no-meeting", f"torchrun on {job.nodes} nodes needs an address", hint)
    if job.nodes > 1:
        meeting = ["--rdzv-id", "kvgauge", "--rdzv-backend", "c10d", "--rdzv-endpoint", str(job.rendezvous)]
        token = [f"# run this on each of the {job.nodes} nodes, with one secret for all: ranks without it are refused",
                 f': "${{{TOKEN}:?set it to the same secret on all nodes, such as 32 random hex digits}}"']  # fmt: skip
    else:
        meeting = ["--standalone"]
        token = ["# ranks without this run's token are refused", NEW_TOKEN]
    agent = ["--nnodes", str(job.nodes), "--nproc-per-node", str(job.ranks), "--max-restarts", "0"]
    words = [*job.contained(), *job.program("torchrun"), *meeting, *agent, "--no-python", *job.sweep()]
    return ["#!/bin/bash", "set -euo pipefail", *token, f"export {TOKEN}", line(words)]
